"""What does the centre's clerk do? Claims, pays, sends lines back, hears of repayments.

Each is done in the running service, through its writer; when that dies meanwhile, the clerk does the same
again. A day's world has no night: before most claims the clerk says what one would, by the acquirer's and
WeChat's own books.
"""

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import reference_data as reference

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import RejectRecord
from settlement.db import tables
from settlement.funds.matched import MATCHED
from settlement.funds.release_hold import ReleaseHold
from settlement.reconcile.apply_night import ApplyNight, Look
from sim import cash, truth
from sim.scheduler import Process
from sim.settling import what_people_refuse
from sim.threads import Here
from sim.watch import in_books
from subsidy import calendar, ids

if TYPE_CHECKING:
    from sim.world import World

_EVERY_S = {"usual": (6, 25), "fast": (1, 3), "claims": (1, 3), "late": (1, 3), "none": (1, 3)}
_COMES_BACK = {"IN_CLAIM": 0.95, "PAID_OUT": 0.55}
_PATIENCE_MS = 60_000
_MOST_TIMES = 5
_TOO_EARLY = 0.85
"""How often a clerk with little patience ends a hold that is being paid."""
_TOO_LATE = 0.35
"""How often people want a late grant not to be paid rather than to enter."""
_LATE = "SELECT record_id FROM record WHERE state = 'RELEASED' AND money IS NOT NULL ORDER BY 1"


class Clerk:
    """Works while shops sell, from midnight on, and once more when all is quiet."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.plan.chance("clerk")
        self._of_night = world.plan.chance("clerk, the night")
        self._of_holds = world.plan.chance("clerk, holds")
        self._of_invoices = world.plan.chance("clerk, invoices")
        self._at_the_end = world.plan.chance("clerk, at the end")
        self._pace = "usual"
        self._day = calendar.business_day(calendar.from_ms(world.plan.began_ms))
        self._documents = 0
        self._came_back: Counter[str] = Counter()
        self._last: Any = None

    def begin(self) -> None:
        """Start to work."""
        Here.scheduler.spawn(Process("clerk"), "clerk", self._work)

    def finish(self) -> None:
        """Get on with the day's claims when all is quiet; meanwhile goods of some lines come back."""
        scheduler = self._world.scheduler
        self._pace = "none"
        # The day has to be over, and the shops to have stated since what they hold open.
        scheduler.run(lambda: False, max(scheduler.now_ms, calendar.end_ms(self._day) + 70_000))
        self._pace = "late"
        scheduler.run(lambda: False, scheduler.now_ms + 16_000)
        for _ in range(2):
            self._pace = "claims"
            scheduler.run(lambda: False, scheduler.now_ms + 6_000)
            # Nothing is paid until the goods are back: lines are withheld then.
            self._pace = "none"
            sold = (
                "SELECT record_id, shop, state FROM record WHERE state IN ('IN_CLAIM', 'PAID_OUT') ORDER BY 1"
            )
            for record_id, shop, state in in_books(self._world, sold):
                if self._at_the_end.random() < _COMES_BACK[state]:
                    self._give_back(record_id, shop)
            scheduler.run(lambda: False, scheduler.now_ms + 60_000)
            self._pace = "fast"
            scheduler.run(lambda: False, scheduler.now_ms + 16_000)
        self._pace = "usual"

    def _work(self) -> None:
        while True:
            of = self._chance if self._pace == "usual" else self._at_the_end
            Here.scheduler.sleep(of.uniform(*_EVERY_S[self._pace]))
            if self._pace == "none":
                continue
            self._let_goods_come_back()
            command = self._command()
            if command is None:
                continue
            if self._world.centre.ask(command):
                self._last = command
                # What a clerk does twice must not count twice.
                if self._chance.random() < 0.3:
                    self._world.centre.ask(command)

    def _let_goods_come_back(self) -> None:
        """Let a shopper come back whose sale was paid out already."""
        paid_out = in_books(
            self._world, "SELECT record_id, shop FROM record WHERE state = 'PAID_OUT' ORDER BY 1"
        )
        if not paid_out or self._world.is_late() or self._chance.random() < 0.5:
            return
        record_id, shop = self._chance.choice(paid_out)
        self._came_back[record_id] += 1
        # Who cannot be given the money does not come for ever.
        if self._came_back[record_id] <= _MOST_TIMES:
            self._give_back(record_id, shop)

    def _give_back(self, record_id: str, shop: str) -> None:
        till = next(one for one in self._world.tills if one.shop == shop)
        self._world.begins()
        self._world.later(1.0, lambda: till.give_back(record_id))

    def _command(self) -> Any:
        if self._pace == "claims":
            return self._claim()
        if self._pace == "late":
            return self._late(self._at_the_end)
        impatient = self._pace == "usual" and not self._world.healed
        if impatient and self._of_holds.random() < _TOO_EARLY and (held := self._held_and_paid()):
            return ReleaseHold(held[0], "nobody answers at the shop")
        return self._next()

    def _late(self, chance: random.Random) -> EnterLate | RejectRecord | None:
        """Return the entry or the end of a late grant, any of them: some can never enter."""
        if chance.random() < _TOO_LATE:
            refused = what_people_refuse(self._world)
            return chance.choice(refused) if refused else None
        late = in_books(self._world, _LATE)
        return EnterLate(chance.choice(late)[0], self._document()) if late else None

    def _held_and_paid(self) -> list[str]:
        """Return the holds whose payment the acquirer has, and of which the shop's word has not come."""
        held = in_books(self._world, "SELECT record_id FROM record WHERE state = 'HELD' ORDER BY 1")
        standing = truth.standing(self._world) if held else {}
        return [one for (one,) in held if any(ids.pay_ref(one, no) in standing for no in range(1, 12))]

    def _next(self) -> Any:
        what = self._chance.random()
        open_lines = "SELECT claim, record_id FROM claim_line WHERE state = 'SUBMITTED' ORDER BY 1, 2"
        submitted = in_books(self._world, open_lines)
        owed = in_books(
            self._world,
            "SELECT record_id FROM goods_return JOIN claim_line USING (record_id) "
            "WHERE goods_return.state = 'REFUNDED' AND claim_line.state = 'PAID' AND repaid_by = ''",
        )
        held = in_books(
            self._world,
            "SELECT record_id FROM record WHERE state = 'HELD' AND placed_at_ms < ? ORDER BY 1",
            self._world.scheduler.now_ms - _PATIENCE_MS,
        )
        if held and what < 0.2:
            return ReleaseHold(held[0][0], "nobody answers at the shop")
        if what < 0.25 and (late := self._late(self._of_holds)):
            return late
        if owed and what < 0.4:
            return Repay(owed[0][0], self._document())
        if submitted and what < 0.5:
            claim, record_id = self._chance.choice(submitted)
            return SendBack(claim, record_id, "invoice is missing", self._chance.random() < 0.5)
        if submitted and what < 0.75:
            return PayClaim(self._chance.choice(submitted)[0], self._document())
        return self._claim()

    def _claim(self) -> Any:
        today = calendar.business_day(calendar.from_ms(self._world.scheduler.now_ms))
        if today <= self._day:
            return None
        if self._of_night.random() < 0.8:
            self._world.centre.ask(self._night())
        for one in cash.invoices_to_take(self._world, self._of_invoices):
            self._world.centre.ask(one)
        return BuildClaim(reference.MERCHANT, self._day)

    def _night(self) -> ApplyNight:
        """Return what a night would say of the records that wait for one."""
        standing = truth.standing(self._world)
        waiting = in_books(
            self._world,
            f"SELECT record_id, night, to_pay_fen FROM record WHERE {tables.UNMATCHED} ORDER BY 1",
        )
        return ApplyNight(
            tuple(
                Look(record_id, "BOOKED", night, MATCHED)
                for record_id, night, fen in waiting
                if sum(standing.get(ids.pay_ref(record_id, no), 0) for no in range(1, 12)) == fen
            )
        )

    def _document(self) -> str:
        self._documents += 1
        return f"BANK-{self._documents:05d}"
