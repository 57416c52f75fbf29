"""How is money taken, looked up and given back through a vendor's MIS client?

Its calls block and may hang, so each goes to a child that is killed when its time is over; what that call
was about is then unknown, and the client is asked for the last transaction that went through. Whose that
is, `mis_last.py` decides. A refund is sent again only when the last one is certainly over and nothing has
gone through.
"""

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say
from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.last_transaction import differ, is_trace
from terminal_agent.terminals.mis_call import Call
from terminal_agent.terminals.mis_last import (
    Mark,
    Window,
    follows,
    full_date,
    is_as_before,
    is_next,
    read_mark,
)
from terminal_agent.terminals.mis_profile import MisProfile
from terminal_agent.terminals.mis_record import RecordFault, Request, Slip, read_answer, write_request
from terminal_agent.terminals.profile import CodeClass
from terminal_agent.terminals.read_answer import NO_TRACE

UNCLEAR = Answer(Say.UNCLEAR)
_MOST_FEN = 10**12 - 1
_NONCES = 1000
_TAKEN = (CodeClass.APPROVED, CodeClass.PARTIAL)
_SAYS = {
    CodeClass.APPROVED: Say.APPROVED,
    CodeClass.PARTIAL: Say.APPROVED,  # of its own amount, which the checkout compares
    CodeClass.DECLINED: Say.DECLINED,
    CodeClass.BUSY: Say.PENDING,
    CodeClass.UNCLEAR: Say.UNCLEAR,
}
_NO_ORIGINAL = Evidence(code="NO_ORIGINAL", text="原交易缺少参考号或日期，未发出退货")


class MisTerminal:
    """A card terminal behind a MIS client. Fits `checkout.ports.Payment`.

    What it remembers only ever makes it more careful: what it has undone, until when a call that was given up
    may still be at work, and which payment or refund it has last sent something for. The last transaction can
    be only that one's: of any other of the same amount it would be a stranger's.
    """

    not_found_is_no = True
    reverses_blind = False

    def __init__(self, profile: MisProfile, call: Call, clock: Clock) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._call = call
        self._clock = clock
        self._nonce = clock.wall_ms() % _NONCES
        self._undone: set[str] = set()
        self._prepared: set[str] = set()
        self._gave_up = False
        self._sent_for: str | None = None
        self._quiet_from_ms = self._over_by_ms()

    def prepare(self, ask: Ask) -> str | None:
        """Return what the last transaction is, None when nobody is there to say. Moves no money."""
        try:
            last = self._ask_last(ask)
        except (LinkFault, RecordFault):
            return None
        if isinstance(last, Answer):
            return None
        shown = NO_TRACE if last is None else last.evidence.trace
        if shown == "":
            return None
        terminal_no = "" if last is None else last.evidence.terminal_no
        mark = Mark(shown, terminal_no, self._clock.wall_ms() // 1000).write()
        self._prepared.add(mark)
        return mark

    def take(self, ask: Ask) -> Answer:
        """Take the amount. This moves money, and is sent once."""
        assert 0 < ask.amount_fen <= _MOST_FEN
        try:
            slip = self._ask_for_money(
                self._request(self._profile.sale, ask, fen=ask.amount_fen), ask.pay_ref
            )
        except (LinkFault, RecordFault):
            return UNCLEAR
        return self._judge(slip)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt, as far as the last transaction shows it."""
        try:
            last = self._ask_last(ask)
        except (LinkFault, RecordFault):
            return UNCLEAR
        if isinstance(last, Answer):
            return last
        mark = read_mark(ask.mark)
        if is_as_before(last, mark):
            return Answer(Say.NOT_FOUND)
        if last is None or mark is None or not is_next(last, mark, ask.amount_fen, self._window):
            return UNCLEAR
        if ask.pay_ref in self._undone or not self._may_be_last(ask, ask.pay_ref):
            return UNCLEAR  # it may be the void or another payment, which look the same
        return Answer(Say.APPROVED, last.amount_fen, last.evidence)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Void the attempt whole. APPROVED: nothing of it stands. May be repeated.

        A void names its sale, so a second one does nothing: it is sent unless nothing has gone through. When
        it is refused, the last transaction tells whether an earlier one of ours was done.
        """
        try:
            last = self._ask_last(ask)
            if isinstance(last, Answer):
                return last
            mark = read_mark(ask.mark)
            if is_as_before(last, mark):
                return Answer(Say.NOT_FOUND)
            if last is None:
                return UNCLEAR
            sale, may_be_last = evidence, self._may_be_last(ask, ask.pay_ref)
            if sale.trace == "" and mark is not None:
                ours = may_be_last and is_next(last, mark, ask.amount_fen, self._window)
                sale = last.evidence if ours else sale
            if not is_trace(sale.trace) or _is_elsewhere(last, sale):
                return UNCLEAR
            self._undone.add(ask.pay_ref)
            slip = self._ask_for_money(self._request(self._profile.void, ask, original=sale), ask.pay_ref)
        except (LinkFault, RecordFault):
            return UNCLEAR
        state = self._class_of_back(slip)
        if state is CodeClass.DECLINED and last.evidence.trace != sale.trace:
            done = may_be_last and follows(last, sale.trace) and last.amount_fen == ask.amount_fen
            return Answer(Say.APPROVED, evidence=last.evidence) if done else UNCLEAR
        if state is CodeClass.DECLINED and evidence.trace == "":
            return UNCLEAR  # what was voided may itself have been a void of ours
        if state in (CodeClass.APPROVED, CodeClass.DECLINED):
            return Answer(_SAYS[state], evidence=slip.evidence)
        return Answer(Say.PENDING) if state is CodeClass.BUSY else UNCLEAR

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen`, by a void in an open batch, else by a refund. Moves money once."""
        assert 0 < back.fen <= _MOST_FEN
        try:
            return self._give_back(ask, back)
        except (LinkFault, RecordFault):
            return UNCLEAR

    def _give_back(self, ask: Ask, back: Back) -> Answer:
        last = self._ask_last(ask)
        if isinstance(last, Answer):
            return last
        mark = read_mark(back.mark)
        if last is None or mark is None:
            return UNCLEAR
        if not is_as_before(last, mark):
            may_be_last = self._may_be_last(ask, back.refund_no)
            ours = may_be_last and is_next(last, mark, back.fen, self._window)
            return Answer(Say.APPROVED, back.fen, last.evidence) if ours else UNCLEAR
        sale = back.evidence
        if self._profile.class_of(sale.code) not in _TAKEN or not is_trace(sale.trace):
            return UNCLEAR
        if differ(sale.terminal_no, last.evidence.terminal_no) or not self._may_send(mark):
            return UNCLEAR
        is_open = sale.batch != "" and sale.batch == last.evidence.batch
        if is_open and back.fen == ask.amount_fen:
            void = self._request(self._profile.void, ask, original=sale)
            slip = self._ask_for_money(void, back.refund_no)
            state = self._class_of_back(slip)
            if state is CodeClass.APPROVED:
                return Answer(Say.APPROVED, back.fen, slip.evidence)
            if state is not CodeClass.DECLINED:
                return UNCLEAR
        if sale.rrn == "" or len(sale.host_date) != 8:
            return Answer(Say.DECLINED, evidence=_NO_ORIGINAL)
        request = self._request(self._profile.refund, ask, fen=back.fen, original=sale)
        slip = self._ask_for_money(request, back.refund_no)
        state = self._class_of_back(slip)
        if state is CodeClass.DECLINED:
            return Answer(Say.DECLINED, evidence=slip.evidence)
        if state in _TAKEN and slip.amount_fen is not None:
            return Answer(Say.APPROVED, slip.amount_fen, slip.evidence)
        return UNCLEAR

    def _may_send(self, mark: Mark) -> bool:
        """Whether no earlier try of this refund can still be at work."""
        if self._clock.steady_ms() >= self._quiet_from_ms:
            return True
        # A mark that this process has made has had no earlier process's try; its own ones are in the time.
        return mark.write() in self._prepared and not self._gave_up

    def _request(self, trans: str, ask: Ask, fen: int = 0, original: Evidence | None = None) -> Request:
        self._nonce = (self._nonce + 1) % _NONCES
        named = Evidence() if original is None else original
        return Request(
            trans=trans,
            pos_no=ask.till_no,
            operator=ask.operator,
            nonce=f"{self._nonce:03d}",
            fen=fen,
            original_date=named.host_date if len(named.host_date) == 8 else "",
            original_rrn=named.rrn,
            original_trace=named.trace,
        )

    def _ask_last(self, ask: Ask) -> Slip | Answer | None:
        """Return the last transaction, None when there is none yet, or what to answer when it is not told."""
        slip = self._exchange(self._request(self._profile.last, ask), self._profile.status_wait_s)
        if slip.evidence.code in self._profile.none_yet:
            return None
        state = self._profile.class_of(slip.evidence.code)
        if state is CodeClass.APPROVED:
            return slip
        return Answer(Say.PENDING) if state is CodeClass.BUSY else UNCLEAR

    def _may_be_last(self, ask: Ask, number: str) -> bool:
        """Whether nothing of ours was sent since that would look the same, by whichever process."""
        return not ask.moved_on if self._sent_for is None else self._sent_for == number

    def _ask_for_money(self, request: Request, number: str) -> Slip:
        self._sent_for = number
        try:
            return self._exchange(request, self.clocks.answer_wait_s)
        except (LinkFault, RecordFault):
            self._gave_up = True
            self._quiet_from_ms = self._over_by_ms()
            raise

    def _exchange(self, request: Request, wait_s: float) -> Slip:
        slip = read_answer(self._call(write_request(request), wait_s))
        if slip.nonce != request.nonce:
            raise RecordFault("the answer to another request")
        date = full_date(slip.evidence.host_date, self._clock.wall_ms()) if slip.evidence.host_date else ""
        return replace(slip, evidence=replace(slip.evidence, host_date=date))

    def _judge(self, slip: Slip) -> Answer:
        say = _SAYS[self._profile.class_of(slip.evidence.code)]
        if say is Say.APPROVED and slip.amount_fen is None:
            # A yes to no amount is no yes.
            return Answer(Say.UNCLEAR, evidence=slip.evidence)
        return Answer(say, slip.amount_fen if say is Say.APPROVED else None, slip.evidence)

    def _class_of_back(self, slip: Slip) -> CodeClass:
        code = slip.evidence.code
        found = self._profile.class_of(code)
        unsure = found is CodeClass.DECLINED and not self._profile.refuses_back(code)
        return CodeClass.UNCLEAR if unsure else found

    def _over_by_ms(self) -> int:
        """Return by when whatever is at work at the terminal now is certainly over."""
        return self._clock.steady_ms() + round(2000 * self.clocks.host_timeout_s)

    @property
    def _window(self) -> Window:
        waits = self.clocks.answer_cap_s + 2 * self.clocks.host_timeout_s
        return Window(self._profile.clock_off_s, waits + self._profile.clock_off_s)


def _is_elsewhere(last: Slip, sale: Evidence) -> bool:
    """Whether a sale was at another terminal or in another batch, where its number is a stranger's."""
    there = last.evidence
    return differ(sale.terminal_no, there.terminal_no) or differ(sale.batch, there.batch)
