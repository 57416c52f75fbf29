"""How is money taken, looked up and given back at a card terminal that we drive over a serial line?

The terminal has no idempotency and no reversal message. What it has is a trace number that grows with every
transaction, and an answer to "what was your last transaction?" that names our own nonce. All rules
here follow from these two.
"""

from contextlib import closing

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say
from terminal_agent.terminals import read_answer as tags
from terminal_agent.terminals.exchange import Conversation, Link, LinkFault, Wanted
from terminal_agent.terminals.give_back import UNCLEAR, Step, after_refund, after_void, next_step
from terminal_agent.terminals.last_transaction import (
    differ,
    directly_follows,
    is_as_before,
    is_our_sale,
    is_our_void,
    is_trace,
    names,
    nonce_of,
)
from terminal_agent.terminals.link_serial import OpenLink, open_patiently
from terminal_agent.terminals.profile import CodeClass, Profile
from terminal_agent.terminals.read_answer import LAST_TRANSACTION, REFUND, SALE, VOID, Said

_MOST_FEN = 10**12 - 1
_LONGEST_OPERATOR = 20
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SAYS = {
    CodeClass.APPROVED: Say.APPROVED,
    CodeClass.PARTIAL: Say.APPROVED,  # of its own amount, which the checkout compares
    CodeClass.DECLINED: Say.DECLINED,
    CodeClass.BUSY: Say.PENDING,
    CodeClass.UNCLEAR: Say.UNCLEAR,
}


class DrivenTerminal:
    """A card terminal on a serial line. Fits `checkout.ports.Payment`.

    Opens the line for each call and closes it after, so nothing is remembered here that a restart would
    lose: what must be known later is in the mark and in the evidence.
    """

    not_found_is_no = True
    reverses_blind = False

    def __init__(self, profile: Profile, open_link: OpenLink, clock: Clock) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._open_link = open_link
        self._clock = clock

    def prepare(self, ask: Ask) -> str | None:
        """Return the trace of the terminal's last transaction, "000000" when there was none ever.

        None when the terminal is not there, is at work, or names no trace. Moves no money.
        """
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                last = self._ask_last(self._converse(link))
        except LinkFault:
            return None
        if last is None or self._class_of(last) is CodeClass.BUSY:
            return None
        return last.evidence.trace or None

    def take(self, ask: Ask) -> Answer:
        """Take the amount. This moves money; a frame that may have arrived is never sent again."""
        assert 0 < ask.amount_fen <= _MOST_FEN
        request = self._profile.dialect.pack(
            (
                (tags.TYPE, bytes((SALE,))),
                (tags.AMOUNT, f"{ask.amount_fen:012d}".encode("ascii")),
                (tags.OPERATOR, ask.operator[:_LONGEST_OPERATOR].encode("gbk", errors="replace")),
                (tags.NONCE, nonce_of(ask).encode("ascii")),
                (tags.ORDER, ask.pay_ref.encode("ascii")),
            )
        )
        wanted = Wanted(SALE, nonce_of(ask), ask.pay_ref)
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                said = self._ask_for_money(self._converse(link), request, wanted)
        except LinkFault:
            return UNCLEAR
        return UNCLEAR if said is None else self._judge(said)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt, as far as the terminal's last transaction shows it.

        Our own transaction: its outcome. The same trace as before the attempt: NOT_FOUND. Anything else,
        a void of ours too, is UNCLEAR, and carries no evidence: that would be a stranger's.
        """
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                last = self._ask_last(self._converse(link))
        except LinkFault:
            return UNCLEAR
        if last is None:
            return UNCLEAR
        if self._class_of(last) is CodeClass.BUSY:
            return Answer(Say.PENDING) if names(last, ask) else UNCLEAR
        if is_our_sale(last, ask):
            return self._judge(last)
        return Answer(Say.NOT_FOUND) if is_as_before(last, ask) else UNCLEAR

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Void the attempt whole. APPROVED: nothing of it stands. May be repeated.

        Asks for the last transaction first, every time: an earlier void may have been done although its
        answer was lost. DECLINED means that the sale stands and cannot be voided; a refusal after
        which that is not certain is UNCLEAR.
        """
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                return self._undo(self._converse(link), ask, evidence)
        except LinkFault:
            return UNCLEAR

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen`, by a void while the sale's batch is open, else by a refund. Moves money once.

        Asks for the last transaction first, every time: it tells what became of an earlier try. A frame
        that may have arrived is not sent again; when others have used the terminal since, nothing is.
        """
        assert 0 < back.fen <= _MOST_FEN
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                return self._give_back(self._converse(link), ask, back)
        except LinkFault:
            return UNCLEAR

    def _give_back(self, conversation: Conversation, ask: Ask, back: Back) -> Answer:
        last = self._ask_last(conversation)
        if last is None:
            return UNCLEAR
        step = next_step(last, ask, back, self._profile)
        if step is Step.VOID:
            said = self._void(conversation, ask, back.evidence.trace, after=last.evidence.trace)
            step = UNCLEAR if said is None else after_void(said, ask, back, self._profile)
        if step is Step.REFUND:
            said = self._send_refund(conversation, ask, back)
            step = UNCLEAR if said is None else after_refund(said, back, self._profile)
        assert isinstance(step, Answer)
        return step

    def _undo(self, conversation: Conversation, ask: Ask, evidence: Evidence) -> Answer:
        last = self._ask_last(conversation)
        if last is None:
            return UNCLEAR
        state = self._class_of(last)
        if state is CodeClass.BUSY:
            return Answer(Say.PENDING) if names(last, ask) else UNCLEAR
        if is_as_before(last, ask):
            return Answer(Say.NOT_FOUND)
        ours = is_our_sale(last, ask)
        if ours and state is CodeClass.DECLINED:
            return Answer(Say.APPROVED, evidence=last.evidence)  # it never stood
        if is_our_void(last, ask) and self._class_of_void(last) is not CodeClass.UNCLEAR:
            sure = self._was_taken(evidence) and directly_follows(last.evidence.trace, evidence.trace)
            return self._judge_void(last, sale_stood=sure)
        sale = last.evidence if ours else evidence
        if not is_trace(sale.trace) or not is_trace(last.evidence.trace):
            return UNCLEAR
        if differ(sale.terminal_no, last.evidence.terminal_no) or differ(sale.batch, last.evidence.batch):
            # A trace means nothing on another terminal or in another batch: there it is a stranger's sale.
            return UNCLEAR
        # Only when the sale is the last thing that happened has no earlier void of ours succeeded.
        sure = self._was_taken(sale) and last.evidence.trace == sale.trace
        said = self._void(conversation, ask, sale.trace, after=last.evidence.trace)
        return UNCLEAR if said is None else self._judge_void(said, sale_stood=sure)

    def _void(self, conversation: Conversation, ask: Ask, trace: str, after: str) -> Said | None:
        # The nonce differs from the sale's (no pay_ref has a 0 there) and from one void to the
        # next, so that a terminal which drops repeats does not drop an honest second try.
        nonce = f"0V{after}"
        request = self._profile.dialect.pack(
            (
                (tags.TYPE, bytes((VOID,))),
                (tags.OPERATOR, ask.operator[:_LONGEST_OPERATOR].encode("gbk", errors="replace")),
                (tags.ORIGINAL_TRACE, trace.encode("ascii")),
                (tags.NONCE, nonce.encode("ascii")),
                (tags.ORDER, ask.pay_ref.encode("ascii")),
            )
        )
        return self._ask_for_money(conversation, request, Wanted(VOID, nonce, ask.pay_ref))

    def _send_refund(self, conversation: Conversation, ask: Ask, back: Back) -> Said | None:
        # One nonce per try (they come round after 25 days), and no sale's or void's looks like it.
        left, digits = self._clock.wall_ms(), ""
        for _ in range(tags.NONCE_LENGTH - 2):
            left, digit = divmod(left, len(_DIGITS))
            digits = _DIGITS[digit] + digits
        nonce = f"0R{digits}"
        sale = back.evidence
        request = self._profile.dialect.pack(
            (
                (tags.TYPE, bytes((REFUND,))),
                (tags.AMOUNT, f"{back.fen:012d}".encode("ascii")),
                (tags.OPERATOR, ask.operator[:_LONGEST_OPERATOR].encode("gbk", errors="replace")),
                (tags.RRN, sale.rrn.encode("ascii")),
                (tags.DATE, sale.host_date.encode("ascii")),
                (tags.ORIGINAL_TRACE, sale.trace.encode("ascii")),
                (tags.NONCE, nonce.encode("ascii")),
                (tags.ORDER, back.refund_no.encode("ascii")),
            )
        )
        return self._ask_for_money(conversation, request, Wanted(REFUND, nonce, back.refund_no))

    def _ask_last(self, conversation: Conversation) -> Said | None:
        request = self._profile.dialect.pack(((tags.TYPE, bytes((LAST_TRANSACTION,))),))
        return conversation.ask(request, Wanted(LAST_TRANSACTION), self._status_s, self._status_s)

    def _ask_for_money(self, conversation: Conversation, request: bytes, wanted: Wanted) -> Said | None:
        return conversation.ask(request, wanted, self.clocks.answer_wait_s, self.clocks.answer_cap_s)

    def _judge(self, said: Said) -> Answer:
        say = _SAYS[self._class_of(said)]
        if say is not Say.APPROVED:
            return Answer(say, evidence=said.evidence)
        if said.amount_fen is None:
            # A yes to no amount is no yes.
            return Answer(Say.UNCLEAR, evidence=said.evidence)
        return Answer(say, approved_fen=said.amount_fen, evidence=said.evidence)

    def _judge_void(self, said: Said, sale_stood: bool) -> Answer:
        state = self._class_of_void(said)
        if state is CodeClass.APPROVED or (state is CodeClass.DECLINED and sale_stood):
            return Answer(_SAYS[state], evidence=said.evidence)
        # Without the evidence: it holds the void's trace, which is not the one to be voided.
        return Answer(Say.PENDING) if state is CodeClass.BUSY else UNCLEAR

    def _was_taken(self, sale: Evidence) -> bool:
        return self._profile.class_of(sale.code) in (CodeClass.APPROVED, CodeClass.PARTIAL)

    def _class_of(self, said: Said) -> CodeClass:
        return self._profile.class_of(said.evidence.code)

    def _class_of_void(self, said: Said) -> CodeClass:
        state = self._class_of(said)
        sure = state is not CodeClass.DECLINED or self._profile.refuses_back(said.evidence.code)
        return state if sure else CodeClass.UNCLEAR

    def _converse(self, link: Link) -> Conversation:
        return Conversation(link, self._clock, self._profile.manners, self._profile.dialect)

    @property
    def _status_s(self) -> float:
        return self._profile.manners.status_wait_s
