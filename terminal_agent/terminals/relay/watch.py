"""What has been seen of the sales that were armed on one terminal, and what can be said of each? Pure.

A sale of exactly the armed amount, on this terminal, whose request ends while it is armed, is its attempt:
the first one. One that comes while that has no answer yet may be it as well, for somebody else may have sent
the first: a yes to either counts, a no only when it was said to all. Yes and no are what the host said to
these requests. That nothing was paid at all can be said
only by who has seen every byte since the arming; a view that was ever broken leaves it to the files. Money
that goes back is believed whenever it is seen.

Connections are numbers here. All calls come from one thread, in the order in which bytes passed.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.sighting import Sight, Sighting, Tell
from terminal_agent.checkout.what_was_undone import Known, Undone, contradiction
from terminal_agent.terminals.relay.seen import Kind, Said, Seen

_MOST_REMEMBERED = 64
_LAST_CALL = Evidence(code="LAST_CALL", text="the time to key it in is over; what was begun still counts")
_KEYING_IN = 4  # which part of an arming's time, its last one, is left to who has read the till before
_MOST_NUMBERS = 4096
_SHORTLY_MS = 900_000
"""So long after an arming was over, a charge of its amount may have been meant for it."""
_NOTHING_PASSED = Evidence(code="NOTHING_PASSED", text="no sale of this amount passed while it was armed")
_UNDONE = {
    Kind.REVERSAL: Evidence(code="REVERSED", text="reversed by the terminal"),
    Kind.VOID: Evidence(code="VOIDED", text="voided at the terminal"),
    Kind.REFUND: Evidence(code="REFUNDED", text="refunded at the terminal"),
}
_UNDONE_UNHEARD = (Kind.SALE, Kind.VOID)  # a terminal that does not hear a yes to these reverses them
UNCLEAR = Answer(Say.UNCLEAR)


@dataclass(slots=True, eq=False)
class _Sale:
    """A sale that an arming has become, or may have."""

    request: Seen
    connection: int
    sent_ms: int
    answer: Answer | None = None
    is_back: Evidence | None = None
    is_told: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nobody has said yet what became of it."""
        return self.answer is None and self.is_back is None

    @property
    def is_paid(self) -> bool:
        """Whether its money was taken and has not gone back."""
        return self.answer is not None and self.answer.say is Say.APPROVED and self.is_back is None


@dataclass(slots=True)
class _Armed:
    """One arming. `waits_for` are connections with half a request on them when it ended.

    `asks_until_ms` is how long the till asks for it: who reads that at the last moment has to have the time
    to key it in.
    `sales` are those that it may have become, in the order of their requests.
    """

    pay_ref: str
    fen: int
    asks_until_ms: int
    until_ms: int
    asks: bool = True
    is_over: bool = False
    unbroken: bool = True
    sales: list[_Sale] = field(default_factory=list)
    waits_for: set[int] = field(default_factory=set)

    @property
    def sale(self) -> _Sale | None:
        """The one that counts: what was paid, else what is not answered yet, else the last one."""
        paid = (one for one in self.sales if one.is_paid)
        is_open = (one for one in self.sales if one.is_open)
        return next(paid, None) or next(is_open, None) or (self.sales[-1] if self.sales else None)


class Watch:
    """Sees one terminal's line. `no_original_ms` is how long after a sale "no original" is believed."""

    def __init__(self, terminal_no: str, no_original_ms: int, tell: Tell) -> None:
        self._terminal_no = terminal_no
        self._no_original_ms = no_original_ms
        self._tell = tell
        self._armings: dict[str, _Armed] = {}
        self._requests: dict[tuple[int, str, Kind], tuple[Seen, int]] = {}
        self._open: set[int] = set()
        self._hung_up: set[int] = set()
        self._voids: dict[tuple[str, str], Sighting] = {}
        self._plain: dict[tuple[str, str], None] = {}
        """Batch and trace of the newest sales that nobody had armed."""

    # What the cashier does.

    def arm(self, pay_ref: str, fen: int, now_ms: int, until_ms: int, inside: Collection[int]) -> None:
        """Arm a sale of `fen` until `until_ms`; whatever was armed before is not any more."""
        for earlier in self._armings.values():
            self._end(earlier, inside)
        while len(self._armings) >= _MOST_REMEMBERED:
            del self._armings[next(iter(self._armings))]
        asks_until_ms = until_ms - (until_ms - now_ms) // _KEYING_IN
        self._armings[pay_ref] = _Armed(pay_ref, fen, asks_until_ms, until_ms)
        self.pass_time(now_ms, inside)

    def disarm(self, pay_ref: str, inside: Collection[int]) -> None:
        """Let no sale that begins from now on be this attempt's. `inside`: who has half a request."""
        if (armed := self._armings.get(pay_ref)) is not None:
            self._end(armed, inside)

    def pass_time(self, now_ms: int, inside: Collection[int]) -> None:
        """End what was armed until now, and shortly before let the till ask for it no more."""
        for armed in self._armings.values():
            if now_ms >= armed.until_ms:
                self._end(armed, inside)
            elif now_ms >= armed.asks_until_ms and armed.asks and not (armed.is_over or armed.sales):
                armed.asks = False
                self._tell(Sighting(Sight.LAST_CALL, armed.fen, _LAST_CALL, armed.pay_ref))

    def word(self, pay_ref: str) -> Answer:
        """Say what was seen of an attempt, in the words of a payment link."""
        armed = self._armings.get(pay_ref)
        if armed is None:
            return UNCLEAR  # armed by another run of the agent, if at all
        sale = armed.sale
        if sale is not None:
            if sale.is_back is not None:
                return Answer(Say.DECLINED, evidence=sale.is_back)
            if sale.answer is not None:
                return sale.answer
            return Answer(Say.PENDING) if sale.connection in self._open else UNCLEAR
        if not armed.unbroken:
            return UNCLEAR
        if not armed.is_over or armed.waits_for:
            return Answer(Say.PENDING)
        return Answer(Say.DECLINED, evidence=_NOTHING_PASSED)

    @property
    def armed(self) -> str | None:
        """The attempt that is armed now."""
        return next(
            (one.pay_ref for one in self._armings.values() if not one.is_over and not one.sales), None
        )

    # What passes.

    def opened(self, connection: int) -> None:
        """A connection is there."""
        self._open.add(connection)

    def hung_up(self, connection: int) -> None:
        """The terminal does not hear a connection any more: it will reverse a sale whose yes comes on it."""
        if connection in self._open:
            self._hung_up.add(connection)

    def closed(self, connection: int) -> None:
        """A connection has ended: half a request on it never reached the acquirer as one."""
        self._open.discard(connection)
        self._hung_up.discard(connection)
        self._requests = {key: value for key, value in self._requests.items() if key[0] != connection}
        for armed in self._armings.values():
            armed.waits_for.discard(connection)

    def broken(self) -> None:
        """Something passed that was not understood, or may have passed elsewhere."""
        for armed in self._armings.values():
            armed.unbroken &= armed.is_over and not armed.waits_for

    def message(self, connection: int, seen: Seen, now_ms: int) -> None:
        """A whole message has passed, towards the acquirer or back."""
        if seen.is_answer:
            found = self._requests.pop((connection, seen.own_trace, seen.kind), None)
            will_be_undone = seen.kind in _UNDONE_UNHEARD and seen.said is Said.YES
            unheard = will_be_undone and connection in self._hung_up
            if found is not None and not unheard and seen.terminal_no in ("", self._terminal_no):
                self._answered(connection, *found, seen)
            return
        may_be_ours = [
            one for one in self._armings.values() if not one.is_over or connection in one.waits_for
        ]
        for armed in self._armings.values():
            armed.waits_for.discard(connection)
        if seen.terminal_no != self._terminal_no or seen.kind is Kind.OTHER:
            return
        self._requests[connection, seen.own_trace, seen.kind] = (seen, now_ms)
        if seen.kind is Kind.SALE:
            self._sale_sent(connection, seen, now_ms, may_be_ours)

    def _sale_sent(self, connection: int, seen: Seen, now_ms: int, may_be_ours: list[_Armed]) -> None:
        again = self._find(seen.batch, seen.trace)
        # With its answer it is not sent again: a terminal that was replaced counts anew.
        if again is not None and again.is_open and again.request.fen == seen.fen:
            again.connection = connection
            return
        number = seen.batch, seen.trace
        self._plain.pop(number, None)
        for armed in may_be_ours:
            if armed.fen == seen.fen and all(map(self._runs, armed.sales)):
                armed.sales.append(_Sale(seen, connection, now_ms))
                self._tell_of(armed)
                return
        self._be_plain(seen)

    def _be_plain(self, sale: Seen) -> None:
        self._plain[sale.batch, sale.trace] = None
        while len(self._plain) > _MOST_NUMBERS:
            del self._plain[next(iter(self._plain))]

    def _answered(self, connection: int, request: Seen, sent_ms: int, answer: Seen) -> None:
        if request.kind is Kind.SALE:
            self._sale_answered(request, answer, connection, sent_ms)
        elif request.kind is Kind.VOID_REVERSAL:
            void = self._voids.pop((request.batch, request.own_trace), None)
            if void is not None and answer.said is Said.YES:
                self._tell(replace(void, sight=Sight.VOID_UNDONE))
        elif answer.said is Said.YES or self._is_late_no_original(request, sent_ms, answer):
            self._money_back(request, answer, sent_ms)

    def _sale_answered(self, request: Seen, answer: Seen, connection: int, sent_ms: int) -> None:
        sale = self._find(request.batch, request.trace)
        armed = next((one for one in self._armings.values() if sale in one.sales), None)
        if sale is None or armed is None:
            self._not_ours(request, answer, sent_ms)
        elif (counts := armed.sale) is not sale and counts is not None and counts.is_paid:
            # One payment at most is the attempt's.
            armed.sales.remove(sale)
            self._be_plain(request)
            self._not_ours(request, answer, sent_ms)
        elif sale.answer is not None:
            if sale.answer.say is Say.DECLINED:
                self._not_ours(request, answer, sent_ms)
        elif answer.said is Said.YES:
            evidence = _joined(request.evidence, answer.evidence)
            sale.answer = Answer(Say.APPROVED, approved_fen=answer.fen, evidence=evidence)
        elif answer.said is not Said.UNSURE and connection == sale.connection:
            sale.answer = Answer(Say.DECLINED, evidence=_joined(request.evidence, answer.evidence))
            self._tell_of(armed)

    def _runs(self, sale: _Sale) -> bool:
        """Whether the answer to a sale may still pass."""
        return sale.is_open and sale.connection in self._open

    def _tell_of(self, armed: _Armed) -> None:
        """Have the sale that counts written down before its answer, once for each."""
        sale = armed.sale
        if sale is not None and sale.is_open and not sale.is_told:
            sale.is_told = True
            said = sale.request.evidence
            self._tell(Sighting(Sight.SALE_SENT, sale.request.fen, said, armed.pay_ref))

    def _not_ours(self, request: Seen, answer: Seen, sent_ms: int) -> None:
        if answer.said is not Said.YES or request.fen is None:
            return
        for armed in reversed(self._armings.values()):
            if armed.fen == request.fen and sent_ms - armed.until_ms < _SHORTLY_MS:
                evidence = _joined(request.evidence, answer.evidence)
                self._tell(Sighting(Sight.SALE_NOT_OURS, request.fen, evidence, armed.pay_ref))
                return

    def _is_late_no_original(self, request: Seen, sent_ms: int, answer: Seen) -> bool:
        """Whether a host that knows no such sale would know it by now: then there is none."""
        sale = self._find(request.batch, request.trace)
        return (
            request.kind is Kind.REVERSAL
            and answer.said is Said.NO_ORIGINAL
            and sale is not None
            and sale.answer is None
            and sent_ms - sale.sent_ms >= self._no_original_ms
        )

    def _money_back(self, request: Seen, answer: Seen, now_ms: int) -> None:
        said = _UNDONE[request.kind]
        evidence = replace(
            _joined(request.evidence, answer.evidence),
            code=said.code,
            text=said.text,
            batch=request.batch,
            trace=request.trace,
        )
        undone = Undone(
            fen=request.fen,
            is_whole=request.kind is not Kind.REFUND,
            rrn=request.evidence.rrn,
            auth=request.evidence.auth,
            masked_pan=request.evidence.masked_pan,
            day=request.evidence.host_date,
            undone_on=answer.evidence.host_date,
        )
        # A refund may be of an older batch, where it names its sale by the reference number too.
        by_number = undone.is_whole or not undone.rrn
        is_newer = by_number and (request.batch, request.trace) in self._plain
        sale = None if is_newer else self._find(request.batch, request.trace)
        if sale is not None and _is_all_of(undone, sale, now_ms):
            sale.is_back = evidence
        sighting = Sighting(Sight.MONEY_BACK, request.fen, evidence, undone=undone, is_newer=is_newer)
        if request.kind is Kind.VOID:
            self._voids[request.batch, request.own_trace] = sighting
            while len(self._voids) > _MOST_REMEMBERED:
                del self._voids[next(iter(self._voids))]
        self._tell(sighting)

    def _find(self, batch: str, trace: str) -> _Sale | None:
        """Return the newest sale with this batch and trace."""
        for armed in reversed(self._armings.values()):
            for sale in reversed(armed.sales):
                if (sale.request.batch, sale.request.trace) == (batch, trace):
                    return sale
        return None

    def _end(self, armed: _Armed, inside: Collection[int]) -> None:
        if not armed.is_over:
            armed.is_over = True
            armed.waits_for = set(inside)


def _is_all_of(undone: Undone, sale: _Sale, now_ms: int) -> bool:
    """Whether a message undoes the whole of a sale, as far as can be said."""
    asked_fen, answer = sale.request.fen or 0, sale.answer
    taken_fen = None if answer is None else answer.approved_fen
    said = sale.request.evidence if answer is None else answer.evidence
    if contradiction(undone, Known(asked_fen, taken_fen, said, now_ms - sale.sent_ms)):
        return False
    return undone.is_whole or undone.fen in (None, taken_fen)


def _joined(request: Evidence, answer: Evidence) -> Evidence:
    """Return what both have said, the answer first: it has code and reference, the request batch and card."""
    told = {name: getattr(answer, name) or getattr(request, name) for name in Evidence.__struct_fields__}
    return Evidence(**told)
