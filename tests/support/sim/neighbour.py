"""What does a second programme do that shares a register of persons? Its shops sell to the same people.

Its books, its fund and its writer are its own. Nothing goes wrong with it, and its shops are not looked at: a
hold of theirs stays, or people end it.
"""

import functools
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import reference_data as reference
from sqlalchemy import delete, insert, select

from settlement.app import Centre
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Sqlite
from settlement.db.tables import meta, qualification
from settlement.funds.gather_facts import Question
from settlement.funds.place_hold import PlaceHold
from settlement.funds.release_hold import ReleaseHold
from settlement.registers.config import PERSON, RegisterPlace, RegisterSettings
from settlement.registers.database import make_register
from settlement.registers.enter import enter, entered
from settlement.registers.shared import Registers
from settlement.system import random_bytes
from settlement.writer.step import Signed
from sim.disk import Disk, in_here, keep_open, real_connect
from sim.rows import LIVE, RecordNow, SaleNow
from sim.scheduler import Process
from sim.template import SHOPS, Template, checkpoint, in_the_beginning, template, uri
from sim.threads import Here, threading
from subsidy import calendar, ids
from subsidy.policy.model import Tender, must
from subsidy.wire import v1

if TYPE_CHECKING:
    from sim.outcome import Buyer
    from sim.world import World

SHARED = "shared_register"
OTHER = "TRAINING-B"
_EVERY_S = (3, 40)
_ENDED_AGAIN = 0.4


class Sharing(msgspec.Struct, frozen=True):
    """What worlds with two programmes are copied from: each one's books, with large funds; the register."""

    register: Path
    books: dict[str, Path]
    centres: dict[str, Centre]


@functools.cache
def sharing() -> Sharing:
    """Return it, made at the first call: most worlds have one programme."""
    made = template()
    return in_the_beginning("two programmes", lambda: _make(made, made.folder / "sharing"))


def _make(made: Template, folder: Path) -> Sharing:
    folder.mkdir()
    settings = made.centre.settings
    place = RegisterPlace(
        PERSON, "SIM-2026", Sqlite(folder / "register.sqlite3"), folder / "person.key", "settlement.yaml", 1
    )
    # The first programme's own key: its people are known by it already.
    shutil.copy(settings.keys / "index.key", folder / "person.key")
    make_register(place, random_bytes)
    registers = RegisterSettings((place,))
    books, centres, entrances = {}, {}, []
    for name in (made.centre.pack.programme, OTHER):
        path = books[name] = folder / f"{name}.sqlite3"
        shutil.copyfile(made.books["large"], path)
        engine = engine_on(Sqlite(path))
        _enter(engine, registers, name)
        with reading(engine) as connection:
            found = entered(connection, registers, name)
        assert found is not None
        entrances.append(found.databases[0].engine())
        centre = msgspec.structs.replace(
            made.centre, pack=msgspec.structs.replace(made.centre.pack, programme=name), registers=found
        )
        checkpoint(engine)
        if name == OTHER:
            keep_open(engine)
            centre = msgspec.structs.replace(centre, engine=engine)
        centres[name] = centre
    for engine in entrances:
        checkpoint(engine)
        keep_open(engine)
    return Sharing(place.database.path, books, centres)  # type: ignore[union-attr]


def _enter(engine: Any, registers: RegisterSettings, name: str) -> None:
    """Let books enter the register as programme `name`: they have people, as if those had come afterwards."""
    with writing(engine) as connection:
        connection.execute(meta.update().where(meta.c.name == "programme").values(value=name))
        people = [dict(row) for row in connection.execute(select(qualification)).mappings()]
        connection.execute(delete(qualification))
    enter(engine, registers, name, Here.scheduler.now_ms, random_bytes)
    with writing(engine) as connection:
        connection.execute(insert(qualification), people)


class Neighbour:
    """The second programme of one world."""

    def __init__(self, world: "World") -> None:
        made = sharing()
        self._world = world
        self._chance: random.Random = world.plan.chance("the other programme")
        self._centre = made.centres[OTHER]
        self._books = world.folder / "other.sqlite3"
        register = world.folder / "register.sqlite3"
        shutil.copyfile(made.books[OTHER], self._books)
        shutil.copyfile(made.register, register)
        moved = {uri(made.register): uri(register)}
        world.centre.moved.update(moved)
        # Both write to one file: each waits for the other's turn in it.
        turns = {uri(register): threading.RLock()}
        world.centre.disk.turns = turns
        self.disk = Disk(lambda *_: None, {uri(made.books[OTHER]): uri(self._books), **moved})
        self.disk.turns = turns
        self.process = Process("the other programme")
        self._holds = 0
        self._reader: Any = None

    def begin(self) -> None:
        """Begin to sell."""
        Here.scheduler.spawn(self.process, "sells", self._work)

    def _work(self) -> None:
        while not self._world.healed:
            Here.scheduler.sleep(self._chance.uniform(*_EVERY_S))
            buyer = self._world.somebody(self._chance)
            placed = self._hold(buyer)
            if placed and self._chance.random() < _ENDED_AGAIN:
                Here.scheduler.sleep(self._chance.uniform(1, 60))
                self._ask(ReleaseHold(by="li, wang", record_id=placed, reason="nobody answers at the shop"))

    def _hold(self, buyer: "Buyer") -> str:
        """Place a hold for somebody; return its record, empty when it is refused."""
        self._holds += 1
        gtin, category, price_fen = buyer.goods
        now_ms, keys = Here.scheduler.now_ms, self._centre.keys
        code = reference.code(buyer.person, category)
        request = v1.HoldRequest(
            v=1,
            record_id=ids.record_id(now_ms, self._chance.randbytes(10)),
            hold_no=self._holds,
            item=v1.Item(gtin=gtin, serial_no=f"OTHER{self._holds:05d}"),
            prices=v1.Prices(initial_price_fen=price_fen, merchant_discount_fen=0, trade_in_fen=0),
            qualification_code=code,
            terminal_no=SHOPS[0].terminals[0],
            tender=Tender.CARD,
            pack_hash=self._centre.pack.hash,
            created_ms=now_ms,
            skew_ms=0,
            give_up_after_ms=60_000,
        )
        question = Question(
            device=self._world.template.devices[SHOPS[0].shop],
            item=request.item,
            prices=request.prices,
            qualification=keys.qualification_index(code),
            terminal_no=request.terminal_no,
            tender=request.tender,
        )
        mac = keys.request_mac(msgspec.json.encode(request))
        answer = self._ask(PlaceHold(request, question, 1, mac))
        return request.record_id if isinstance(answer, Signed) and answer.typ == v1.PROMISE else ""

    def _ask(self, command: Any) -> Any:
        (answer,) = self._centre.writer(_raise).write_now([command])
        said = getattr(answer, "typ", type(answer).__name__)
        self._world.trace.note(self.process.name, f"{type(command).__name__} -> {said}")
        return answer

    def live(self) -> list[tuple[str, str, int]]:
        """Return person, category and year of each record that counts, as its file says."""
        if self._reader is None:
            self._reader = real_connect(in_here(str(self._books)), uri=True)
        rows = self._reader.execute("SELECT state, person, category, year FROM record ORDER BY record_id")
        return [tuple(row[1:]) for row in rows.fetchall() if row[0] in LIVE]

    def quota(self, category: str) -> int:
        """Return how many grants of a category a person may have in a year, in all programmes."""
        day = calendar.business_day(calendar.from_ms(self._world.plan.began_ms))
        found = self._centre.pack.rule_set_on(day, category)
        assert found is not None
        return must(found[1].quota, day).value

    def close(self) -> None:
        """Let go of it, at the end of the world."""
        Here.scheduler.kill(self.process)
        if self._reader is not None:
            self._reader.close()


def a_persons_quota_is_of_all_programmes(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I6 a person has no more grants of a category a year than one may, in all programmes of a register."""
    if world.neighbour is None:
        return
    here = [(one.person, one.category, one.year) for one in records.values() if one.is_live and one.person]
    for (person, category, year), count in Counter(here + world.neighbour.live()).items():
        if count > world.neighbour.quota(category):
            yield f"{person[:8]} has {count} of {category} in {year}"


def registers_of(programme: str) -> Registers:
    """Return the registers as a programme has them open."""
    found = sharing().centres[programme].registers
    assert found is not None
    return found


def _raise(wrong: BaseException) -> None:
    raise wrong
