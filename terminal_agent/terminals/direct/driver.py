"""How is money taken, undone and given back by speaking ISO 8583 to the acquirer ourselves?

The host has no question "what became of it?". It has the reversal: what is not known is undone by the numbers
in the mark, again and again until the host says so. A yes is one only when its MAC is right. What is
remembered here may be lost at any moment: without it the driver only asks once more.
"""

from collections.abc import Callable
from enum import Enum, auto

import msgspec

from subsidy.calendar import day_of_ms
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say
from terminal_agent.terminals.direct import messages
from terminal_agent.terminals.direct.line import NoLine
from terminal_agent.terminals.direct.messages import BackMark, Fields, SaleMark, Totals
from terminal_agent.terminals.direct.pinpad import CardData, Pinpad, PinpadFault, Use
from terminal_agent.terminals.direct.profile import CodeClass, Profile
from terminal_agent.terminals.direct.session import Heard, Session

UNCLEAR = Answer(Say.UNCLEAR)
OTHER_MERCHANT = Answer(Say.UNCLEAR, evidence=messages.OTHER_MERCHANT)
BATCH_FULL = Answer(Say.DECLINED, evidence=messages.BATCH_FULL)
# Well below what a settlement can say: what is in doubt now may still come to stand in this batch.
_FULL = 900
_TAKEN = (CodeClass.APPROVED, CodeClass.PARTIAL)


class _Void(Enum):
    """Where the void of one return stands."""

    READY = auto()
    SENT = auto()
    PERHAPS = auto()  # its batch is closed, and nobody says any more whether it is in it
    OVER = auto()  # it certainly does not stand
    DONE = auto()


class Settled(msgspec.Struct, frozen=True):
    """A batch, what it came to by our journal, and by the host's books when it was closed.

    `theirs` is None when the host does not say; `code` is what it said instead, empty when it was not asked.
    """

    batch: str
    ours: Totals
    theirs: Totals | None
    balanced: bool
    code: str = ""


class DirectTerminal:
    """A pinpad and an acquirer's line. Fits `checkout.ports.Payment`."""

    not_found_is_no = False
    reverses_blind = True

    def __init__(self, profile: Profile, session: Session, pinpad: Pinpad, clock: Clock) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._session = session
        self._pinpad = pinpad
        self._clock = clock
        self._unconfirmed: dict[str, tuple[Fields, str]] = {}  # reversals that no host has answered, by trace
        self._voids: dict[str, tuple[_Void, int]] = {}  # by trace, with when it was first seen
        self._moved_in_batch: Callable[[str, str], tuple[int, int, int, int]] | None = None
        self._room = ("", 0)  # a batch, and how many payments may be begun in it before it is counted anew
        self._too_full = ""

    @property
    def trouble(self) -> str:
        """Why the host did not answer last or was not asked, for shop IT. Fits `terminal.TellsTrouble`."""
        return self._too_full or self._session.trouble

    @property
    def merchant_no(self) -> str:
        """For which merchant it takes money."""
        return self._profile.merchant_no

    def count_with(self, moved_in_batch: Callable[[str, str], tuple[int, int, int, int]]) -> None:
        """Begin nothing in a batch that is full by this count. Fits `terminal.CountsBatch`."""
        self._moved_in_batch = moved_in_batch

    def prepare(self, ask: Ask) -> str | None:
        """Read the shopper's card, or set numbers aside for giving back; return the mark.

        None when host or pinpad are not there, no card came, or a reversal waits that the host does not
        answer: it must hear that before anything else. None too of what was paid at another merchant, and
        for giving back in a batch that is full. Moves no money.
        """
        if self._is_anothers(messages.read_sale_mark(ask.mark)):
            return None
        try:
            if not self._session.is_there() or not self._are_reversals_confirmed():
                return None
            if ask.mark is not None:
                if self._counted(self._session.batch).backs >= _FULL:
                    return None
                void, refund = self._pinpad.next_trace(), self._pinpad.next_trace()
                back = BackMark(self._session.batch, void, refund, messages.place(self._profile))
                self._voids[back.void_trace] = (_Void.READY, self._clock.steady_ms())
                return str(back)
            card = self._pinpad.read_card(ask.amount_fen, self._profile.card_wait_s)
            if card is None:
                return None
            day = day_of_ms(self._clock.wall_ms())
            trace = self._pinpad.next_trace()
        except PinpadFault:
            return None
        at = messages.place(self._profile)
        return str(SaleMark(self._session.batch, trace, f"{day:%m%d}", card.token, at))

    def take(self, ask: Ask) -> Answer:
        """Take the amount, unless the batch is full. This moves money; the request leaves once."""
        mark = messages.read_sale_mark(ask.mark)
        assert mark is not None
        if self._counted(mark.batch).sales >= _FULL:
            return BATCH_FULL
        fields = messages.sale(self._profile, mark, ask.amount_fen, ask.pay_ref)
        try:
            heard = self._session.ask_money("0200", fields, self._pinpad.card_data(mark.token, Use.SALE))
        except (NoLine, PinpadFault):
            return Answer(Say.DECLINED, evidence=messages.NO_LINE)
        return UNCLEAR if heard is None else self._judge(heard)

    def query(self, ask: Ask) -> Answer:
        """Say UNCLEAR: the host cannot be asked."""
        return OTHER_MERCHANT if self._is_anothers(messages.read_sale_mark(ask.mark)) else UNCLEAR

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Reverse the attempt whole, by the numbers in its mark. May be repeated.

        APPROVED: the host confirms. DECLINED: too late, the payment stands. NOT_FOUND: the host knows no
        such payment, yet. Everything else is UNCLEAR, and comes before the terminal's next sale. Of another
        merchant's nothing is sent: that ours is told of no such payment proves nothing.
        """
        mark = messages.read_sale_mark(ask.mark)
        if mark is None:
            return UNCLEAR
        if self._is_anothers(mark):
            return OTHER_MERCHANT
        fields = messages.reversal(self._profile, mark, ask.amount_fen, ask.pay_ref, evidence)
        heard = self._reverse(fields, mark.trace, mark.token)
        return UNCLEAR if heard is None else self._judge_reversal(heard)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen`: by a void while the batch is open, else by a refund. Moves money once.

        A void without an answer is reversed before the refund goes out; when it is too late for that, the
        host's own books say whether there is anything left to refund. The refund is an advice under one
        number, which the host does once however often it hears it.
        """
        original, mark = messages.read_sale_mark(ask.mark), messages.read_back_mark(back.mark)
        if original is None or mark is None:
            return UNCLEAR
        if self._is_anothers(original) or self._is_anothers(mark):
            return OTHER_MERCHANT
        try:
            if not self._session.is_signed_in():
                return UNCLEAR
            # Marked in a later batch than its sale's, it was never voided.
            if back.fen == ask.amount_fen and mark.batch == original.batch:
                answer = self._void_first(ask, back, mark, original)
                if answer is not None:
                    return answer
            return self._refund(ask, back, mark, original)
        except (NoLine, PinpadFault):
            return UNCLEAR

    def leaves_alone(self, mark: str | None) -> bool:
        """Whether a stored mark is another merchant's or terminal's, of which nothing is ever sent here."""
        return self._is_anothers(messages.read_sale_mark(mark) or messages.read_back_mark(mark))

    def open_batch(self) -> str | None:
        """Return which batch is open, None when the host is not there or a reversal waits for it."""
        try:
            if not self._session.is_there() or not self._are_reversals_confirmed():
                return None
        except (NoLine, PinpadFault):
            return None
        return self._session.batch

    def close(self, batch: str, ours: Totals) -> Settled | None:
        """Close a batch with our totals of it, or ask what one came to that is closed. May be repeated.

        None: no answer that can be believed. After it nothing of the batch can be voided or reversed any
        more. A difference is told, not mended.
        """
        try:
            fields = messages.settlement(self._profile, self._pinpad.next_trace(), batch, ours)
            heard = self._session.ask_money("0500", fields, CardData({}))
        except (NoLine, PinpadFault):
            return None
        if heard is None or self._profile.class_of(heard.code) is CodeClass.UNCLEAR:
            return None
        carries_mac = "64" in heard.message.fields
        if not heard.verified and (heard.code == "00" or carries_mac):
            return None
        found = messages.settled_totals(heard.message) if heard.code == "00" else None
        if heard.code == "00" and batch == self._session.batch:
            self._session.forget()
        if found is None:
            return Settled(batch, ours, None, balanced=False, code=heard.code)
        theirs, balanced = found
        return Settled(batch, ours, theirs, balanced=balanced and ours == theirs, code=heard.code)

    def _is_anothers(self, mark: SaleMark | BackMark | None) -> bool:
        return messages.is_anothers(self._profile, mark)

    def _counted(self, batch: str) -> Totals:
        """Return what a batch comes to by the journal, nothing while it surely has room.

        Counting reads the whole journal: done again only when what was begun since could have filled it.
        """
        known, room = self._room
        if self._moved_in_batch is None or (known == batch and room > 0):
            self._room = (known, room - 1)
            return Totals(0, 0, 0, 0)
        found = Totals(*self._moved_in_batch(batch, self.merchant_no))
        most = max(found.sales, found.backs)
        self._room = (batch, _FULL - most - 1)
        self._too_full = ""
        if most >= _FULL:
            self._too_full = (
                f"Batch {batch} has {found.sales} sales and {found.backs} given back, and a settlement can "
                f"say {messages.MOST_COUNTED} of each. Stop the agent and run "
                f"`terminal-agent settle {self._profile.terminal_no}`"
            )
        return found

    def _are_reversals_confirmed(self) -> bool:
        return all(
            self._reverse(fields, trace, token) is not None
            for trace, (fields, token) in list(self._unconfirmed.items())
        )

    def _reverse(self, fields: Fields, trace: str, token: str) -> Heard | None:
        """Send a reversal; one that no verified answer comes to stands in the way of the next sale."""
        self._unconfirmed[trace] = (fields, token)
        try:
            if not self._session.is_signed_in():
                return None
            heard = self._session.ask_money("0400", fields, self._pinpad.card_data(token, Use.UNDO))
        except (NoLine, PinpadFault):
            return None
        if heard is None or not heard.verified:
            return None
        del self._unconfirmed[trace]
        return heard

    def _void_first(self, ask: Ask, back: Back, mark: BackMark, original: SaleMark) -> Answer | None:
        """Void, or make sure that an earlier void does not stand; None when a refund is what is left."""
        trace = mark.void_trace
        now_ms = self._clock.steady_ms()
        state, since_ms = self._voids.setdefault(trace, (_Void.SENT, now_ms))
        if state is _Void.DONE:
            return Answer(Say.APPROVED, approved_fen=back.fen, evidence=back.evidence)
        if state in (_Void.OVER, _Void.PERHAPS):
            return None
        if state is _Void.READY:
            if original.batch != self._session.batch:
                return None
            self._voids[trace] = (_Void.SENT, now_ms)
            return self._void(ask, back, mark, original)
        fields = messages.reversal_of_void(self._profile, mark, original, back.fen, ask.pay_ref)
        heard = self._reverse(fields, trace, original.token)
        if heard is None:
            return UNCLEAR
        said = self._judge_reversal(heard).say
        if said is Say.DECLINED:
            # Too late is no proof that there is a void: some hosts look at the batch alone.
            self._voids[trace] = (_Void.PERHAPS, since_ms)
            return None
        waited_ms = self._clock.steady_ms() - since_ms
        over = said is Say.NOT_FOUND and waited_ms >= 2000 * self.clocks.host_timeout_s
        if said is not Say.APPROVED and not over:
            return UNCLEAR
        self._voids[trace] = (_Void.OVER, since_ms)
        return None

    def _void(self, ask: Ask, back: Back, mark: BackMark, original: SaleMark) -> Answer | None:
        fields = messages.void(self._profile, mark, original, back.fen, ask.pay_ref)
        try:
            heard = self._session.ask_money("0200", fields, self._pinpad.card_data(original.token, Use.UNDO))
        except (NoLine, PinpadFault):
            self._voids[mark.void_trace] = (_Void.READY, self._clock.steady_ms())
            raise
        if heard is None or not heard.verified:
            return UNCLEAR
        if self._profile.class_of(heard.code) is CodeClass.APPROVED:
            answer = self._approved(heard)
            if answer.approved_fen == back.fen:
                self._voids[mark.void_trace] = (_Void.DONE, self._clock.steady_ms())
            return answer
        if not self._profile.refuses(heard.code):
            return UNCLEAR
        self._voids[mark.void_trace] = (_Void.OVER, self._clock.steady_ms())
        return None

    def _refund(self, ask: Ask, back: Back, mark: BackMark, original: SaleMark) -> Answer:
        fields = messages.refund(self._profile, mark, original, back.fen, back.refund_no, back.evidence)
        heard = self._session.ask_money("0220", fields, self._pinpad.card_data(original.token, Use.UNDO))
        if heard is None or not heard.verified:
            return UNCLEAR
        if heard.code in self._profile.repeated_refund or self._profile.class_of(heard.code) in _TAKEN:
            return self._approved(heard)
        evidence = messages.evidence_of(heard.message)
        state, _ = self._voids.get(mark.void_trace, (_Void.OVER, 0))
        if state is not _Void.PERHAPS:
            return Answer(
                Say.DECLINED if self._profile.refuses(heard.code) else Say.UNCLEAR, evidence=evidence
            )
        if heard.code in self._profile.nothing_left:
            return Answer(Say.APPROVED, approved_fen=back.fen, evidence=evidence)
        return Answer(Say.UNCLEAR, evidence=evidence)

    def _judge(self, heard: Heard) -> Answer:
        """Say what the answer to a sale means."""
        state = self._profile.class_of(heard.code)
        carries_mac = "64" in heard.message.fields
        if not heard.verified and (state in _TAKEN or carries_mac):
            return Answer(Say.UNCLEAR, evidence=messages.MAC_WRONG)
        if state in _TAKEN:
            return self._approved(heard)
        sure = state is not CodeClass.UNCLEAR
        evidence = messages.evidence_of(heard.message)
        return Answer(Say.DECLINED if sure else Say.UNCLEAR, evidence=evidence)

    def _judge_reversal(self, heard: Heard) -> Answer:
        say = {
            CodeClass.APPROVED: Say.APPROVED,
            CodeClass.NO_ORIGINAL: Say.NOT_FOUND,
            CodeClass.SETTLED: Say.DECLINED,
        }.get(self._profile.class_of(heard.code), Say.UNCLEAR)
        return Answer(say, evidence=messages.evidence_of(heard.message))

    def _approved(self, heard: Heard) -> Answer:
        """Return a yes to the amount that the host names; to none, or for another merchant, it is none."""
        evidence = messages.evidence_of(heard.message)
        amount = heard.message.fields.get("4", "")
        if not amount or evidence.merchant_no != self._profile.merchant_no:
            return Answer(Say.UNCLEAR, evidence=evidence)
        return Answer(Say.APPROVED, approved_fen=int(amount), evidence=evidence)
