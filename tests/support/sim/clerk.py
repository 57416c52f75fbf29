"""What does the centre's clerk do? Claims, pays, sends lines back, hears of repayments.

Each is done in the running service, through its writer; when that dies meanwhile, the clerk does the same
again. A day's world has no night: before most claims the clerk says what one would, by the acquirer's and
WeChat's own books.
"""

from typing import TYPE_CHECKING, Any

import reference_data as reference

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.db import tables
from settlement.funds.matched import MATCHED
from settlement.funds.release_hold import ReleaseHold
from settlement.reconcile.apply_night import ApplyNight, Look
from sim import truth
from sim.scheduler import Process
from sim.threads import Here
from sim.watch import in_books
from subsidy import calendar, ids

if TYPE_CHECKING:
    from sim.world import World

_EVERY_S = (6, 25)
_PATIENCE_MS = 100_000


class Clerk:
    """Works while shops sell, from midnight on, and once more when all is quiet."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.plan.chance("clerk")
        self._of_night = world.plan.chance("clerk, the night")
        self._day = calendar.business_day(calendar.from_ms(world.plan.began_ms))
        self._documents = 0
        self._last: Any = None

    def begin(self) -> None:
        """Start to work."""
        Here.scheduler.spawn(Process("clerk"), "clerk", self._work)

    def _work(self) -> None:
        while True:
            Here.scheduler.sleep(self._chance.uniform(*_EVERY_S))
            self._let_goods_come_back()
            command = self._next()
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
        till = next(one for one in self._world.tills if one.shop == shop)
        self._world.begins()
        self._world.later(1.0, lambda: till.give_back(record_id))

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
        late = in_books(
            self._world,
            "SELECT record_id FROM record WHERE state = 'RELEASED' AND money IS NOT NULL ORDER BY 1",
        )
        if late and what < 0.25:
            return EnterLate(late[0][0], self._document())
        if owed and what < 0.4:
            return Repay(owed[0][0], self._document())
        if submitted and what < 0.5:
            claim, record_id = self._chance.choice(submitted)
            return SendBack(claim, record_id, "invoice is missing", self._chance.random() < 0.5)
        if submitted and what < 0.75:
            return PayClaim(self._chance.choice(submitted)[0], self._document())
        today = calendar.business_day(calendar.from_ms(self._world.scheduler.now_ms))
        if today > self._day:
            if self._of_night.random() < 0.8:
                self._world.centre.ask(self._night())
            return BuildClaim(reference.MERCHANT, self._day)
        return None

    def _night(self) -> ApplyNight:
        """Return what a night would say of the records that wait for one."""
        standing = truth.standing(self._world)
        waiting = in_books(
            self._world, f"SELECT record_id, to_pay_fen FROM record WHERE {tables.UNMATCHED} ORDER BY 1"
        )
        return ApplyNight(
            tuple(
                Look(record_id, "BOOKED", MATCHED)
                for record_id, fen in waiting
                if sum(standing.get(ids.pay_ref(record_id, no), 0) for no in range(1, 12)) == fen
            )
        )

    def _document(self) -> str:
        self._documents += 1
        return f"BANK-{self._documents:05d}"
