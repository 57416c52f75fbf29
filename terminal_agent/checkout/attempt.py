"""How is one try to take money carried out, and what does its answer mean?

`judge` is pure. `carry_out` writes before it acts: the attempt is INTENDED, then what the link
needs is stored, then the request leaves, once. While the shopper types a password or scans the code that we
show it is still being paid: that is asked about, not unknown.
"""

from collections.abc import Callable, Collection
from enum import Enum, auto

from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Board, Clock, Journal, Payment, Say, Secret
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import SaleState

STOPPED = Evidence(code="STOPPED", text="stopped before anything was sent")
HOLD_OVER = Evidence(code="HOLD_OVER", text="the hold's time was over before anything was sent")
TERMINAL_SILENT = Evidence(code="TERMINAL_SILENT", text="the terminal did not answer; nothing was sent")


class Verdict(Enum):
    """What an answer makes of an attempt."""

    PAID = auto()
    NOT_PAID = auto()
    UNKNOWN = auto()
    UNDO = auto()  # money moved, but not the money that was asked for


def judge(attempt: Attempt, answer: Answer) -> Verdict:
    """Say what `answer` makes of `attempt`. Only an explicit yes or no counts.

    A yes counts only when amount and terminal are those asked for: an approval of another amount
    (response 10, a mistyped sale) has moved money that must go back at once.
    """
    if answer.say is Say.DECLINED:
        return Verdict.NOT_PAID
    if answer.say is not Say.APPROVED:
        return Verdict.UNKNOWN
    if answer.approved_fen is None:
        return Verdict.UNKNOWN
    same_terminal = answer.evidence.terminal_no in ("", attempt.terminal_no)
    if answer.approved_fen == attempt.amount_fen and same_terminal:
        return Verdict.PAID
    return Verdict.UNDO


def ask_of(sale: Sale, attempt: Attempt, pay_code: Secret | None = None) -> Ask:
    """Return the attempt as its link sees it."""
    shown = sale.held if attempt.tender is Tender.QR_SHOW else None
    return Ask(
        pay_ref=attempt.pay_ref,
        amount_fen=attempt.amount_fen,
        operator=attempt.operator,
        till_no=sale.request.till_no,
        mark=attempt.mark,
        pay_code=pay_code,
        given_up=sale.stop,
        show_until_ms=sale.promised_until_ms if shown else None,
        show_for_s=shown.promise.held_for_s if shown else None,
        moved_on=sale.state is SaleState.PARKED or attempt.no != sale.attempts[-1].no,
    )


class Paying:
    """Carries out attempts on one link."""

    def __init__(
        self,
        journal: Journal,
        payment: Payment,
        clock: Clock,
        hold_is_over: Callable[[Sale], bool],
        board: Board,
    ) -> None:
        self._journal = journal
        self._payment = payment
        self._clock = clock
        self._hold_is_over = hold_is_over
        self._board = board
        self._begun_ms: dict[str, int] = {}

    def since_s(self, attempt: Attempt) -> float:
        """Return how long ago this process began an attempt, or first saw it after a restart."""
        now_ms = self._clock.steady_ms()
        return (now_ms - self._begun_ms.setdefault(attempt.pay_ref, now_ms)) / 1000

    def keep(self, pay_refs: Collection[str]) -> None:
        """Forget when every attempt but these, which are open, was begun."""
        self._begun_ms = {ref: ms for ref, ms in self._begun_ms.items() if ref in pay_refs}

    def carry_out(self, record_id: str, no: int, pay_code: Secret | None = None) -> Sale:
        """Take the money of attempt `no`, once, and record what came of it.

        Returns the sale; an attempt left UNKNOWN or REVERSING is the resolver's.
        """
        sale = self._journal.sale(record_id)
        assert sale is not None
        attempt = sale.attempt(no)
        if sale.stop:
            return self.not_paid(sale, no, STOPPED)
        if self._hold_is_over(sale):
            return self.not_paid(sale, no, HOLD_OVER)
        mark = self._payment.prepare(ask_of(sale, attempt))
        if mark is None:
            return self.not_paid(sale, no, TERMINAL_SILENT)
        if not self._journal.mark_attempt(record_id, no, mark):
            return self.not_paid(sale, no, STOPPED)
        marked = self._journal.sale(record_id)
        assert marked is not None
        attempt = marked.attempt(no)
        self.since_s(attempt)
        answer = self._payment.take(ask_of(marked, attempt, pay_code))
        if answer.say is Say.PENDING:
            if answer.show:
                self._board.put(attempt.pay_ref, answer.show)
            answer = self._wait_for_shopper(marked, attempt, answer)
        after = self.record(marked, attempt, answer)
        self._board.take_down(attempt.pay_ref)
        return after

    def _wait_for_shopper(self, sale: Sale, attempt: Attempt, answer: Answer) -> Answer:
        """Ask until the other side has decided, or the time is over, or the cashier stops the sale.

        A shown code may be scanned as long as the hold lasts, everything else takes `poll_for_s` at most.
        """
        clocks = self._payment.clocks
        ask = ask_of(sale, attempt)
        is_shown = bool(answer.show)
        while answer.say not in (Say.APPROVED, Say.DECLINED):
            late = self.since_s(attempt) >= clocks.poll_for_s
            if self._hold_is_over(sale) if is_shown else late:
                break
            self._clock.sleep(clocks.poll_every_s)
            now = self._journal.sale(sale.record_id)
            if now is None or now.stop:
                break
            answer = self._payment.query(ask)
        return answer

    def record(self, sale: Sale, attempt: Attempt, answer: Answer) -> Sale:
        """Write what `answer` makes of an attempt that is INTENDED or UNKNOWN."""
        match judge(attempt, answer):
            case Verdict.PAID:
                assert answer.approved_fen is not None
                return self._journal.paid(sale.record_id, attempt.no, answer.approved_fen, answer.evidence)
            case Verdict.NOT_PAID:
                return self.not_paid(sale, attempt.no, answer.evidence)
            case Verdict.UNDO:
                self._journal.unknown(sale.record_id, attempt.no, answer.evidence)
                return self._journal.reversing(
                    sale.record_id, attempt.no, answer.evidence, answer.approved_fen
                )
            case Verdict.UNKNOWN:
                return self._journal.unknown(sale.record_id, attempt.no, answer.evidence)

    def not_paid(self, sale: Sale, no: int, evidence: Evidence) -> Sale:
        """Write that an attempt is certainly not paid; the hold stays while its time lasts."""
        keep = not self._hold_is_over(sale)
        return self._journal.not_paid(sale.record_id, no, evidence, keep_hold=keep)

    def given_back(self, sale: Sale, no: int, evidence: Evidence) -> Sale:
        """Write that the money of an attempt is with the shopper again; the hold stays likewise."""
        return self._journal.given_back(sale.record_id, no, evidence, keep_hold=not self._hold_is_over(sale))
