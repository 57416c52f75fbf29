"""How is money taken, looked up and given back at a card terminal that we drive over a serial line?

The terminal has no idempotency and no reversal message. What it has is a trace number that grows with every
transaction, and an answer to "what was your last transaction?" that names our own nonce. All rules
here follow from these two.
"""

from contextlib import closing

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Clock, Say
from terminal_agent.terminals import read_answer as tags
from terminal_agent.terminals.exchange import Conversation, Link, LinkFault, Wanted
from terminal_agent.terminals.framing import pack
from terminal_agent.terminals.link_serial import OpenLink, open_patiently
from terminal_agent.terminals.profile import CodeClass, Profile
from terminal_agent.terminals.read_answer import LAST_TRANSACTION, NO_TRACE, SALE, VOID, Said

_MOST_FEN = 10**12 - 1
_LONGEST_OPERATOR = 20
_UNCLEAR = Answer(Say.UNCLEAR)
_SALE_MEMO, _VOID_MEMO = f"{SALE:02d}", f"{VOID:02d}"
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
        request = pack(
            (
                (tags.TYPE, bytes((SALE,))),
                (tags.AMOUNT, f"{ask.amount_fen:012d}".encode("ascii")),
                (tags.OPERATOR, ask.operator[:_LONGEST_OPERATOR].encode("gbk", errors="replace")),
                (tags.NONCE, _nonce_of(ask).encode("ascii")),
                (tags.ORDER, ask.pay_ref.encode("ascii")),
            )
        )
        wanted = Wanted(SALE, _nonce_of(ask), ask.pay_ref)
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                said = self._ask_for_money(self._converse(link), request, wanted)
        except LinkFault:
            return _UNCLEAR
        return _UNCLEAR if said is None else self._judge(said)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt, as far as the terminal's last transaction shows it.

        Our own transaction: its outcome. The same trace as before the attempt: NOT_FOUND. Anything else,
        a void of ours too, is UNCLEAR, and carries no evidence: that would be a stranger's.
        """
        try:
            with closing(open_patiently(self._open_link, self._clock, self._status_s)) as link:
                last = self._ask_last(self._converse(link))
        except LinkFault:
            return _UNCLEAR
        if last is None:
            return _UNCLEAR
        if self._class_of(last) is CodeClass.BUSY:
            return Answer(Say.PENDING) if _names(last, ask) else _UNCLEAR
        if _is_our_sale(last, ask):
            return self._judge(last)
        return Answer(Say.NOT_FOUND) if _is_as_before(last, ask) else _UNCLEAR

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
            return _UNCLEAR

    def _undo(self, conversation: Conversation, ask: Ask, evidence: Evidence) -> Answer:
        last = self._ask_last(conversation)
        if last is None:
            return _UNCLEAR
        state = self._class_of(last)
        if state is CodeClass.BUSY:
            return Answer(Say.PENDING) if _names(last, ask) else _UNCLEAR
        if _is_as_before(last, ask):
            return Answer(Say.NOT_FOUND)
        ours = _is_our_sale(last, ask)
        if ours and state is CodeClass.DECLINED:
            return Answer(Say.APPROVED, evidence=last.evidence)  # it never stood
        if _is_our_void(last, ask) and state is not CodeClass.UNCLEAR:
            sure = self._was_taken(evidence) and _directly_follows(last.evidence.trace, evidence.trace)
            return self._judge_void(last, sale_stood=sure)
        sale = last.evidence if ours else evidence
        if not _is_trace(sale.trace) or not _is_trace(last.evidence.trace):
            return _UNCLEAR
        if _differ(sale.terminal_no, last.evidence.terminal_no):
            # A trace means nothing on another terminal: there it is a stranger's sale.
            return _UNCLEAR
        # Only when the sale is the last thing that happened has no earlier void of ours succeeded.
        sure = self._was_taken(sale) and last.evidence.trace == sale.trace
        said = self._void(conversation, ask, sale.trace, after=last.evidence.trace)
        return _UNCLEAR if said is None else self._judge_void(said, sale_stood=sure)

    def _void(self, conversation: Conversation, ask: Ask, trace: str, after: str) -> Said | None:
        # The nonce differs from the sale's (no pay_ref has a 0 there) and from one void to the
        # next, so that a terminal which drops repeats does not drop an honest second try.
        nonce = f"0V{after}"
        request = pack(
            (
                (tags.TYPE, bytes((VOID,))),
                (tags.OPERATOR, ask.operator[:_LONGEST_OPERATOR].encode("gbk", errors="replace")),
                (tags.ORIGINAL_TRACE, trace.encode("ascii")),
                (tags.NONCE, nonce.encode("ascii")),
                (tags.ORDER, ask.pay_ref.encode("ascii")),
            )
        )
        return self._ask_for_money(conversation, request, Wanted(VOID, nonce, ask.pay_ref))

    def _ask_last(self, conversation: Conversation) -> Said | None:
        request = pack(((tags.TYPE, bytes((LAST_TRANSACTION,))),))
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
        state = self._class_of(said)
        if state is CodeClass.APPROVED or (state is CodeClass.DECLINED and sale_stood):
            return Answer(_SAYS[state], evidence=said.evidence)
        # Without the evidence: it holds the void's trace, which is not the one to be voided.
        return Answer(Say.PENDING) if state is CodeClass.BUSY else _UNCLEAR

    def _was_taken(self, sale: Evidence) -> bool:
        return self._profile.class_of(sale.code) in (CodeClass.APPROVED, CodeClass.PARTIAL)

    def _class_of(self, said: Said) -> CodeClass:
        return self._profile.class_of(said.evidence.code)

    def _converse(self, link: Link) -> Conversation:
        return Conversation(link, self._clock, self._profile.manners)

    @property
    def _status_s(self) -> float:
        return self._profile.manners.status_wait_s


def _nonce_of(ask: Ask) -> str:
    return ask.pay_ref[-tags.NONCE_LENGTH :]


def _names(last: Said, ask: Ask) -> bool:
    return last.nonce == _nonce_of(ask) and last.order in ("", ask.pay_ref)


def _is_as_before(last: Said, ask: Ask) -> bool:
    """Whether nothing has happened at the terminal, which is idle, since `prepare`."""
    if _names(last, ask) or last.order == ask.pay_ref:
        return False
    return ask.mark is not None and last.evidence.trace == ask.mark


def _is_our_sale(last: Said, ask: Ask) -> bool:
    """Whether the last transaction of the terminal, which is idle, is this attempt's sale.

    A trace that was there before the attempt is not its own, whatever nonce it carries.
    """
    is_older = ask.mark is not None and last.evidence.trace == ask.mark
    return _names(last, ask) and last.memo in ("", _SALE_MEMO) and not is_older


def _is_our_void(last: Said, ask: Ask) -> bool:
    return last.memo == _VOID_MEMO and last.order == ask.pay_ref


def _is_trace(text: str) -> bool:
    return len(text) == len(NO_TRACE) and text.isascii() and text.isdecimal() and text != NO_TRACE


def _directly_follows(trace: str, sale_trace: str) -> bool:
    return _is_trace(trace) and _is_trace(sale_trace) and int(trace) == int(sale_trace) + 1


def _differ(one: str, other: str) -> bool:
    return one != "" and other != "" and one != other
