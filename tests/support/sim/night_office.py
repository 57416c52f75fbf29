"""What is done at the centre in the morning: which files have come, the night, claims and people's decisions?

Files are what the emulated acquirer and wallets write of their own books. A night that dies is run again
when the service is back, as the scheduler of the service does it.
"""

import datetime
from typing import TYPE_CHECKING, Any

import reference_data as reference
from msgspec.structs import replace

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.db.place import Sqlite
from settlement.funds.release_hold import ReleaseHold
from settlement.reconcile.config import NightConfig, read_night_config
from settlement.reconcile.register import OtherBytes
from settlement.reconcile.run import Night, NightParts, run_night
from sim import cash, wallets
from sim.cards.kinds import NAMELESS
from sim.settling import SETTLES, what_people_refuse, what_people_settle
from sim.threads import Here
from sim.watch import in_books
from subsidy import calendar
from terminal_agent.emulators.acquirer_file import settlement_file

if TYPE_CHECKING:
    from sim.night_world import NightWorld

_ACQUIRER = """\
files: incoming
sources:
  - source: acquirer
    layout: acquirer_csv
    file: "acquirer-{date}.csv"
    tenders: [card]
    merchants: {"EMU000000000001": every_shop}
    longest_payment_s: 600
    names_orders: {names_orders}
"""
_TRIES = 40
_COMMANDS = (3, 14)
_NIGHT_AGAIN_S = 20.0


class Office:
    """The people and files of one centre, morning by morning."""

    def __init__(self, world: "NightWorld") -> None:
        self._world = world
        self._chance = world.plan.chance("office")
        self._files = world.folder / "incoming"
        self._files.mkdir()
        self._due_on: dict[tuple[str, str], int] = {}
        self._spoilt: set[tuple[str, str]] = set()
        self._changed: set[str] = set()
        named = NAMELESS.isdisjoint(terminal.kind for terminal in world.cables.values())
        text = _ACQUIRER.replace("{names_orders}", str(named).lower()) + wallets.sources(world.wallets)
        self._config: NightConfig = replace(
            read_night_config(text, world.folder / "night.yaml", training=True),
            tenders=world.template.centre.pack.tenders,
        )
        self._of_invoices = world.plan.chance("office, invoices")
        self._of_records = world.plan.chance("office, records")
        self._mornings = self._documents = 0

    def morning(self) -> bool:
        """Take in the files that have come, run the nights that are due, and let people work.

        A night is due until it was complete, and when a file of its day is another one: what shops report
        later is for the nights to come.
        """
        self._mornings += 1
        for day in self._days():
            self._let_files_come(day)
        complete = self._complete()
        for day in self._days():
            if day not in complete or day in self._changed:
                self._run_twice(day)
        self._changed.clear()
        return self.people()

    def people(self) -> bool:
        """Let people claim, pay, send back and decide for a while."""
        for one in cash.invoices_to_take(self._world, self._of_invoices):
            self._ask(one)
        for _ in range(60 if self._world.healed else self._chance.randint(*_COMMANDS)):
            command = self._next()
            if command is not None:
                self._ask(command)
            Here.scheduler.sleep(1.0)
        return True

    def _days(self) -> list[str]:
        """Return the days that are over and of which something is to be told, oldest first."""
        first = calendar.business_day(calendar.from_ms(self._world.plan.began_ms))
        today = calendar.business_day(calendar.from_ms(self._world.scheduler.now_ms))
        count = (today - first).days
        days = [first + datetime.timedelta(days=no) for no in range(count)]
        planned = {first + datetime.timedelta(days=no) for no in self._world.plan.days}
        traded = planned | self._world.traded_on
        sold = {day + datetime.timedelta(days=more) for day in traded for more in (0, 1)}
        return [day.isoformat() for day in days if day in sold or day == days[-1]]

    # Files.

    def _let_files_come(self, day: str) -> None:
        world = self._world
        for source in ("acquirer", *world.wallets):
            key = (source, day)
            if key not in self._due_on:
                late = world.hits("late_file", self._chance)
                self._due_on[key] = self._mornings + (self._chance.randint(1, 3) if late else 0)
                if world.hits("doubled_file", self._chance):
                    self._spoilt.add(key)
            if self._mornings < self._due_on[key] and not world.healed:
                continue
            content = self._content(source, day)
            wallet = world.wallets.get(source)
            name = "acquirer-{date}.csv" if wallet is None else wallet.file_name
            path = self._files / name.format(date=day)
            if content is None:
                path.with_name(f"{path.name}.none").touch()
            elif key in self._spoilt and not path.exists():
                path.write_bytes(_with_a_row_too_many(content) if source == "acquirer" else content)
                world.trace.note("office", f"{path.name} comes, and is not right")
            elif not path.exists() or (key in self._spoilt and path.read_bytes() != content):
                path.write_bytes(content)
                self._changed.add(day)
            else:
                # What is done later stands in a later day's file: no acquirer or wallet writes one anew.
                assert path.read_bytes() == content, f"{path.name} has changed since it was written"

    def _content(self, source: str, day: str) -> bytes | None:
        if source in self._world.wallets:
            return self._world.wallets[source].file(day)
        lines = [line for _, cable in sorted(self._world.cables.items()) for line in cable.file_lines()]
        return settlement_file(lines, day).encode()

    # The night.

    def _run_twice(self, day: str) -> None:
        """Run the night of a day, and again: the second one changes nothing and says the same."""
        first = self._run(day)
        again = self._run(day)
        if not first.report.proof.debited.holds or not first.report.proof.granted.holds:
            self._world.violated("every fen is in one bucket of the night", f"{day}: {first.report.proof}")
        if again.applied or again.content != first.content:
            self._world.violated(
                "a night that is run again says the same", f"{day}: {again.applied} more were applied"
            )

    def _run(self, day: str) -> Night:
        world, replaces = self._world, list[str]()
        if world.hits("kill_night", self._chance):
            world.die_in(self._chance.randint(1, 400))
        for _ in range(_TRIES):
            try:
                night = world.centre.within("night", lambda writer: self._try(writer, day, tuple(replaces)))
            finally:
                world.die_in(None)
            if isinstance(night, OtherBytes):
                replaces.append(night.source)
            elif night is not None:
                world.trace.note("office", f"night of {day}: {night.applied} applied, exit {night.exit_code}")
                return night
            else:
                Here.scheduler.sleep(_NIGHT_AGAIN_S)
        raise AssertionError(f"the night of {day} does not end")

    def _try(self, writer: Any, day: str, replaces: tuple[str, ...]) -> Night | OtherBytes | None:
        world = self._world
        centre = world.template.centre
        assert isinstance(centre.settings.database, Sqlite)
        parts = NightParts(
            programme=centre.pack.programme,
            engine=centre.engine,
            database=centre.settings.database,
            config=self._config,
            owner=lambda _day: "platform",
            lag_target_s=lambda _day: 300,
            submit=writer.submit,
            now_ms=world.centre.now_ms,
        )
        try:
            return run_night(parts, day, replace_of=replaces)
        except OtherBytes as other:
            return other
        except Exception as wrong:
            # As the service's own schedule does: noted, and run again when it is due.
            world.failed("night", wrong)
            return None

    # People.

    def _ask(self, command: Any) -> None:
        for _ in range(_TRIES):
            if self._world.centre.ask(command):
                break
            Here.scheduler.sleep(10.0)
        # What people do twice must not count twice.
        if self._chance.random() < 0.3:
            self._world.centre.ask(command)

    def _next(self) -> Any:
        world, chance, what = self._world, self._chance, self._chance.random()
        if world.hits("people_decide", chance):
            found = self._of("record WHERE state = 'HELD'")
            if found:
                reason = "nobody answers at the shop"
                return ReleaseHold(by="li", record_id=chance.choice(found), reason=reason)
        settled = [*what_people_settle(world), *what_people_refuse(world)]
        if world.hits(SETTLES, self._of_records) and settled:
            return self._of_records.choice(settled)
        late = self._of("record WHERE state = 'RELEASED' AND money IS NOT NULL")
        if late and what < 0.3:
            return EnterLate(chance.choice(late), self._document())
        owed = world.owed()
        if owed and what < 0.45:
            return Repay(chance.choice(owed), self._document())
        lines = in_books(
            world, "SELECT claim, record_id FROM claim_line WHERE state = 'SUBMITTED' ORDER BY 1, 2"
        )
        if lines and what < 0.6:
            claim, record_id = chance.choice(lines)
            return SendBack(claim, record_id, "invoice is missing", chance.random() < 0.5)
        if lines and what < 0.75:
            return PayClaim(chance.choice(lines)[0], self._document())
        return self._claim()

    def _claim(self) -> BuildClaim | None:
        """Return the claim of a day whose night was complete, whatever has come since."""
        complete = self._complete()
        if not complete:
            return None
        return BuildClaim(reference.MERCHANT, datetime.date.fromisoformat(self._chance.choice(complete)))

    def _complete(self) -> list[str]:
        sql = "SELECT day FROM night_run WHERE complete = 1 ORDER BY 1"
        return [row[0] for row in in_books(self._world, sql)]

    def _of(self, where: str) -> list[str]:
        return [row[0] for row in in_books(self._world, f"SELECT record_id FROM {where} ORDER BY 1")]

    def _document(self) -> str:
        self._documents += 1
        return f"BANK-{self._documents:05d}"


def _with_a_row_too_many(content: bytes) -> bytes:
    """Return an acquirer's file in which a sale stands twice, with totals that are true of it."""
    header, *rows, trailer = content.decode().splitlines()
    sales = [row for row in rows if ",sale," in row]
    if not sales:
        return content
    total = trailer.split(",")
    total[1], total[2] = str(int(total[1]) + 1), str(int(total[2]) + 1)
    total[3] = str(int(total[3]) + int(sales[0].split(",")[8]))
    return "".join(f"{line}\n" for line in (header, *rows, sales[0], ",".join(total))).encode()
