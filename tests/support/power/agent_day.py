"""Which transactions does an agent's journal have? A day in a shop that makes every one of them."""

from collections import deque
from pathlib import Path

import small_pack
from return_desk import WISH, ReturnDesk
from unit_shop import BY_PHONE, SAID, TERMINAL, TO_PAY_FEN, ack_of

from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from terminal_agent.checkout.cash import Place, Word
from terminal_agent.checkout.goods_return import Goods, KeyedSlip, LateAnswer
from terminal_agent.checkout.look_at_it import Odd
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.sale import Sale
from terminal_agent.journal.open import open_journal

_YES = Answer(Say.APPROVED, TO_PAY_FEN, SAID)
_NO = Answer(Say.DECLINED, None, Evidence(code="51"))
_WHO_KNOWS = Answer(Say.UNCLEAR)
_NOT_FOUND = Answer(Say.NOT_FOUND)
MOVES = [
    "enrol",
    "open_sale",
    "ask",
    "refuse",
    "hold",
    "close",
    "wish_stop",
    "begin_attempt",
    "mark_attempt",
    "paid",
    "not_paid",
    "unknown",
    "reversing",
    "giving_back",
    "mark_back",
    "given_back",
    "park",
    "begin_return",
    "send_refund",
    "refund_unclear",
    "refunded",
    "refund_refused",
    "answer_late",
    "keep_slip",
    "take_pin_try",
    "pin_was_right",
    "cut_batch",
    "acknowledge",
    "wait_again",
    "sale_sent",
    "money_back",
    "say_cash",
    "begin_closing",
    "closing_told",
    "look_at",
    "beside_is_back",
    "is_seen_to",
]


class AgentDay(ReturnDesk):
    """A shop with its day. `made` names the journal's calls that were made."""

    def __init__(self, folder: Path) -> None:
        self.made: set[str] = set()
        self.path = folder / "journal.db"
        super().__init__(folder)
        self.made.add("enrol")

    def _begin(self) -> None:
        super()._begin()
        self._note_calls()

    def live(self) -> None:
        """Let everything happen once that is written in a journal, with restarts of the agent in between."""
        for part in (
            self._sell_and_report,
            self._refuse_and_stop,
            self._pay_in_doubt,
            self._take_goods_back,
            self._watch,
            self._take_cash,
            self._close_batches,
        ):
            part()
            self.reopen()
        self._rest()
        self.restart()
        self.connection.close()

    def reopen(self) -> None:
        """End the agent and start it again on its files."""
        self.connection.close()
        self.connection = open_journal(self.path)
        self.restart()

    def _sell_and_report(self) -> None:
        self.sell()
        self.sell(way=BY_PHONE)
        self._upload()
        self.sell()

    def _refuse_and_stop(self) -> None:
        journal = self.real_journal
        opened = self.open(serial_no="SN-TWICE")
        self.open(serial_no="SN-TWICE")
        self.jobs.clear()
        journal.not_paid(opened.sale.record_id, 1, Evidence(), keep_hold=True)
        journal.wish_stop(opened.sale.record_id, self.key())
        held = self.open().sale
        self.jobs.clear()
        journal.not_paid(held.record_id, 1, Evidence(), keep_hold=True)
        journal.close(held.record_id, "the hold's time is over", (Refusal.HOLD_OVER,))
        self.centre.instead["facts"] = None
        other = self.open().sale
        self.jobs.clear()
        journal.not_paid(other.record_id, 1, Evidence(), keep_hold=False)
        self._refused()
        self._upload()

    def _refused(self) -> None:
        """Refuse a sale for its price."""
        sale = self.open(expected_paid_fen=1).sale
        self.jobs.clear()
        self.real_journal.refuse(sale.record_id, (Refusal.CENTRE_UNREACHABLE,))

    def _pay_in_doubt(self) -> None:
        self._pay(takes=[_NO])
        self._pay(takes=[_WHO_KNOWS], queries=[_WHO_KNOWS, _YES])
        self._pay(takes=[_WHO_KNOWS], queries=[_WHO_KNOWS])  # parked
        another = Answer(Say.APPROVED, TO_PAY_FEN - 1, SAID)
        self._pay(takes=[another], reversals=[_WHO_KNOWS, Answer(Say.APPROVED)])
        refunded = Answer(Say.APPROVED, TO_PAY_FEN - 1)
        self._pay(takes=[another], reversals=[_NO], refunds=[_NO, _WHO_KNOWS, refunded])

    def _pay(self, **said: list[Answer]) -> Sale:
        names = {"takes": _YES, "queries": _WHO_KNOWS, "reversals": _WHO_KNOWS, "refunds": _WHO_KNOWS}
        for name, usual in names.items():
            setattr(self.payment, name, deque(said.get(name, [usual])))
        sale = self.sell()
        self.payment.takes = deque([_YES])
        return sale

    def _take_goods_back(self) -> None:
        self.payment.refunds.clear()
        self.give_back(self._reported())
        refused = self._reported()
        self.payment.refunds.append(_NO)
        self.give_back(refused)
        self.payment.refunds = deque([_WHO_KNOWS])
        self.give_back(self._reported())
        self.answer = "quarantined"
        self.give_back(self._reported(), WISH)
        self.answer = "accepted"

    def _watch(self) -> None:
        """See a sale go out at a terminal and come back, and the money of a paid one go back."""
        journal = self.real_journal
        open_one = self.open().sale
        self.jobs.clear()
        journal.sale_sent(open_one.attempts[0].pay_ref, SAID)
        journal.money_back(open_one.record_id, 1, SAID, keep_hold=False)
        journal.money_back(self._reported().record_id, 1, SAID, keep_hold=True)
        for trace in ("000001", "000002"):
            journal.look_at("EMU00001", Odd.CHARGED_BESIDE, open_one.record_id, 500, ("000001", trace))
        journal.beside_is_back("EMU00001", 500, ("000001", "000001"))
        journal.is_seen_to(journal.to_look_at()[0].no, "cashier-1")

    def _take_cash(self) -> None:
        """Let the cashier say where a sale's money is."""
        journal, usual = self.real_journal, self.centre._pack
        self.centre._pack = small_pack.pack(("qr_show]", "qr_show, cash]"))
        opened = self.open(tender=Tender.CASH).sale
        self.centre._pack = usual
        self.jobs.clear()
        journal.mark_attempt(opened.record_id, 1, "cash 1")
        journal.say_cash(opened.record_id, Word(Place.IN_TILL, "cashier-1"), self.key())
        journal.paid(opened.record_id, 1, TO_PAY_FEN, Evidence())

    def _close_batches(self) -> None:
        """Close two batches of a terminal, the first of which is told."""
        for batch in ("000001", "000002"):
            self.real_journal.begin_closing(TERMINAL, batch)
        self.real_journal.closing_told(TERMINAL, "000001")

    def _reported(self) -> Sale:
        sale = self.sell()
        self.acknowledge_all()
        return sale

    def _rest(self) -> None:
        journal = self.real_journal
        late = self.sell()
        journal.answer_late(
            late.record_id, LateAnswer("cashier-1", Goods.HANDED_OVER, self.clock.wall_ms()), self.key()
        )
        parked = self._pay(takes=[_WHO_KNOWS], queries=[_WHO_KNOWS])
        journal.keep_slip(
            parked.record_id, 1, KeyedSlip("cashier-1", "V1", "1" * 12, TO_PAY_FEN, True), self.key()
        )
        for _ in range(2):
            journal.take_pin_try("supervisor-1")
        journal.pin_was_right("supervisor-1")
        self._upload()
        journal.wait_again(0)
        self._upload()

    def _upload(self) -> None:
        batch = self.real_journal.cut_batch(200)
        self.real_journal.acknowledge([(ack_of(one), "sealed") for one in batch.entries])

    def _note_calls(self) -> None:
        for name in MOVES:
            setattr(self.real_journal, name, _noting(name, getattr(self.real_journal, name), self.made))


def _noting(name: str, call: object, made: set[str]) -> object:
    def noted(*rest: object, **more: object) -> object:
        made.add(name)
        return call(*rest, **more)  # type: ignore[operator]

    return noted
