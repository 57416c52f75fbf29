"""A shop in the test's own process to which goods come back: the real journal, and fakes at the other ports.

    desk = ReturnDesk(tmp_path)
    sale, refusal = desk.give_back(desk.sell())

The centre takes in what it is sent unless `answer` says otherwise; the links keep books of what they gave
back. `cut_at` ends the agent at one step, as a power cut would; `restart` starts it on what it left.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from unit_shop import PHONE, TERMINAL, UnitShop, ack_of

from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.give_back_goods import Returns
from terminal_agent.checkout.goods_return import Goods, Wish
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.ports import Answer, Ask, Back, KeyMacs, Say
from terminal_agent.checkout.sale import Sale

WISH = Wish("cashier-1", "supervisor-1", "不喜欢颜色")
VOIDED = Evidence(code="00", trace="000077", rrn="123456789012")


class Cut(BaseException):
    """The power is cut."""


class ReturnDesk(UnitShop):
    """One till with its links; see the module's page."""

    def __init__(self, folder: Path) -> None:
        self.answer: str | None = "accepted"
        self.reports = True
        self.given: Counter[str] = Counter()
        self.cut_at: int | None = None
        self.steps = 0
        super().__init__(folder)
        self.log = _CuttingLog(self)
        for port in (self.centre, self.payment, self.channel):
            port._log = self.log
        self._begin()
        for link in (self.payment, self.channel):
            link.refund = _honest(self, link.refund)  # type: ignore[method-assign]
            link.refunds.clear()

    def _begin(self) -> None:
        super()._begin()
        self.centre.blocked = self.acknowledge_returning
        self.returns = Returns(
            journal=self.journal,
            centre=self.centre,
            clock=self.clock,
            report=self._report,
            within_s=5,
            lanes=dict.fromkeys((TERMINAL, PHONE), lambda record_id: self.refunds_wait.append(record_id)),
        )
        self.refunds_wait: list[str] = []

    def give_back(
        self, sale: Sale, wish: Wish = WISH, key: KeyMacs | None = None
    ) -> tuple[Sale, Refusal | None]:
        """Return the goods of a sale, and let the worker do its part; the sale as it then stands."""
        _, refusal = self.returns.give_back(sale.record_id, wish, key or self.key())
        return self.refund(sale), refusal

    def say_about(self, sale: Sale, goods: Goods, key: KeyMacs | None = None) -> tuple[Sale, Refusal | None]:
        """Answer about a sale found paid late, and let the worker do its part."""
        _, refusal = self.returns.answer(sale.record_id, "cashier-1", goods, key or self.key())
        return self.refund(sale), refusal

    def refund(self, sale: Sale) -> Sale:
        """Let the workers send the refunds that wait for them."""
        while self.refunds_wait:
            record_id = self.refunds_wait.pop(0)
            paid = self.now(sale).paid_attempt
            assert paid is not None
            lane = self.phone_lane if paid.terminal_no == PHONE else self.lane
            lane.do(record_id, GOODS_BACK)
        return self.now(sale)

    def acknowledge_returning(self, record_id: str) -> None:
        """Let the centre answer the `returning` entry of a sale."""
        entry = self.real_journal.returning_waiting(record_id)
        if entry is not None and self.answer is not None:
            self.real_journal.acknowledge([(ack_of(entry, answer=self.answer), "sealed")])

    def acknowledge_all(self) -> None:
        """Let the centre take in everything that waits."""
        self.real_journal.acknowledge([(ack_of(one), "sealed") for one in self.real_journal.waiting(1000)])

    def entries(self, sale: Sale, *kinds: type[Any]) -> list[Any]:
        """Return the entries that the outbox has of a sale, of these kinds, in order."""
        rows = self.rows("SELECT body FROM outbox WHERE record_id = ? ORDER BY seq", sale.record_id)
        found = [msgspec.json.decode(body, type=v1.Entry) for (body,) in rows]
        return [one for one in found if isinstance(one, kinds)]

    def everything(self) -> dict[str, list[Any]]:
        """Return every row of every table but how far the black box goes."""
        tables = self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'black_box' ORDER BY name"
        )
        return {name: self.rows(f'SELECT * FROM "{name}"') for (name,) in tables}

    def _report(self, record_id: str, within_s: float) -> bool:
        self.log.append("report")
        if self.reports:
            self.acknowledge_all()
        return self.reports


def _honest(desk: ReturnDesk, scripted: Callable[[Ask, Back], Answer]) -> Callable[[Ask, Back], Answer]:
    """Return a link's `refund` that keeps books, and says what a test has put in instead, if it has."""

    def refund(ask: Ask, back: Back) -> Answer:
        link = desk.channel if ask.mark == "-" else desk.payment
        if link.refunds:
            return scripted(ask, back)
        desk.log.append(f"refund {back.fen}")
        link.backs.append(back)
        if not desk.given[back.refund_no]:
            desk.given[back.refund_no] += 1
        desk.log.append("given back")
        return Answer(Say.APPROVED, back.fen, VOIDED)

    return refund


class _CuttingLog(list[str]):
    """What happened, in order. At the step that the desk names, the power is cut instead of going on."""

    def __init__(self, desk: ReturnDesk) -> None:
        super().__init__()
        self._desk = desk

    def append(self, what: str) -> None:
        super().append(what)
        self._desk.steps += 1
        if self._desk.steps == self._desk.cut_at:
            raise Cut(what)
