"""What does the checkout need from outside?

The checkout knows only these protocols. Terminals and channels implement `Payment`, the journal
`Journal`, the sync `Centre`; `system.py` implements the rest.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NoReturn, Protocol, runtime_checkable

import msgspec

from subsidy.policy.model import Pack, Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.sale import Held, Sale
from terminal_agent.checkout.sighting import Tell


class Say(StrEnum):
    """What the other side of a payment link said, before anybody judges it."""

    APPROVED = "APPROVED"  # money moved, of the amount in the answer
    DECLINED = "DECLINED"  # an explicit no
    NOT_FOUND = "NOT_FOUND"  # "I know of no such payment": not a no
    PENDING = "PENDING"  # still at work on it
    UNCLEAR = "UNCLEAR"  # no answer, or none that can be read


class Secret:
    """A text that must not be shown, such as a payment code. Only `reveal` gives it away.

    It has no place in a row, a log or a message: it is never stored, and a restart forgets it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def reveal(self) -> str:
        """Return the text, for the one message it belongs in."""
        return self._text


class Way(msgspec.Struct, frozen=True):
    """How one attempt is to be paid: by whose worker, and with which code if the shopper showed one."""

    lane: str
    pay_code: Secret | None = None


class Ask(msgspec.Struct, frozen=True):
    """One attempt as a link sees it. `amount_fen` is what the shopper pays, above 0.

    `pay_code` is the code that the shopper showed. Only `take` of a QR channel needs it; whoever asks
    later what became of an attempt no longer has it. `show_until_ms` is for the other direction, a code that
    we show: the Unix milliseconds at which its hold's time is over, by the centre's clock, for ours may be
    wrong; from the making of its order that is `show_for_s` at most. Both are None where nothing is shown.
    """

    pay_ref: str
    amount_fen: int
    operator: str
    till_no: str
    mark: str | None = None  # what `prepare` returned, once it is stored
    pay_code: Secret | None = None
    given_up: bool = False  # the cashier has stopped the sale: a link that waits for a shopper ends the wait
    show_until_ms: int | None = None
    show_for_s: int | None = None
    moved_on: bool = False  # other payments may have been taken on the link since


class Answer(msgspec.Struct, frozen=True):
    """What came back. `approved_fen` is None unless the other side named an amount.

    `show` is the text of the code that the shopper is to scan, from `take` only, together with PENDING.
    """

    say: Say
    approved_fen: int | None = None
    evidence: Evidence = Evidence()
    show: str = ""


class Clocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each wait of one payment link lasts, in seconds. A profile sets them.

    Fractions are for tests and the demo. A profile file writes whole milliseconds (`answer_wait_ms`), so
    that no file of ours holds a number with a point.
    """

    answer_wait_s: float
    answer_cap_s: float
    host_timeout_s: float
    poll_every_s: float
    poll_for_s: float
    reverse_not_before_s: float
    resolver_s: float


class Back(msgspec.Struct, frozen=True):
    """One giving back of money, the same for every try.

    `evidence` is what was said of the payment. `mark` is what `prepare` returned before the first try, once
    it is stored.
    """

    refund_no: str
    fen: int
    evidence: Evidence
    mark: str | None = None


class Payment(Protocol):
    """One way of taking money: a card terminal, a QR channel.

    No method raises for what happens on the link: silence, noise and an unplugged cable are
    answers, `UNCLEAR`. Calls of one link come from one worker, one at a time.
    """

    clocks: Clocks
    not_found_is_no: bool
    """Whether NOT_FOUND, twice and two host time-outs after the attempt, is an explicit no.

    True for a driven terminal, whose trace counter shows that nothing happened; False for a
    channel, where a request may still be on its way.
    """
    reverses_blind: bool
    """Whether `reverse` works on an attempt of which nothing is known but its pay_ref.

    True for a channel, which undoes by our own order number; False for a driven terminal, which voids
    by the trace of a sale that it must have told before.
    """

    def prepare(self, ask: Ask) -> str | None:
        """Return what must be stored before money may move, such as the last trace number.

        Moves no money. None means that the other side is not there: nothing was sent.
        """

    def take(self, ask: Ask) -> Answer:
        """Take the amount from the shopper. This moves money. Called once per attempt, ever.

        Where a code is shown it makes the order that the shopper pays by scanning, which the other side
        must not take money for after `show_until_ms`, and answers PENDING with the code.
        """

    def query(self, ask: Ask) -> Answer:
        """Ask what became of an attempt. Moves no money; may be repeated."""

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo an attempt whole. May be repeated.

        APPROVED means that nothing is charged for it any more and nothing can be (also when it never was: of
        a code that was shown, that its order is closed and said to be so when asked); DECLINED that
        the payment certainly stands, so that a refund is safe; everything else, ask again. `evidence`
        is what was said of the *payment*, never of an earlier reversal: a driven terminal needs its
        trace number.
        """

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen` of an attempt that was paid. This moves money, once per `back.refund_no`.

        May be repeated with the same `back`, however the last try ended: a link that cannot tell whether
        an earlier try was done sends nothing and answers UNCLEAR. APPROVED means that so much
        (`approved_fen`) is with the shopper again; PENDING that the other side has accepted it and works on
        it; DECLINED that it was not given back under this number by now (tries that may still be on their
        way are looked after by `send_refund.py`); everything else, ask again.
        A driven terminal voids while the batch is open, and refunds after.
        """


@runtime_checkable
class Listening(Protocol):
    """A way of taking money that works from the agent's start on, not only while it is asked.

    A card terminal whose line passes through us is one: bytes must pass whether or not anything is sold.
    """

    def workers(self, link: str, tell: Tell, log: Callable[..., None]) -> Mapping[str, Callable[[], None]]:
        """Return what must run until the process ends, by name. `tell` takes what is seen unasked."""

    def state(self) -> Mapping[str, object]:
        """Return how the line is, for the till and for shop IT."""


class Board(Protocol):
    """Where the codes stand that shoppers are to scan. In memory: a restart takes all down."""

    def put(self, pay_ref: str, code: str) -> None:
        """Show the code of an attempt."""

    def take_down(self, pay_ref: str) -> None:
        """Show the code of an attempt no longer, if it is shown."""


class CentreUnreachable(Exception):
    """The centre gave no answer that can be believed within the time. Nothing is known of its side."""


class CentreDenied(Exception):
    """The centre does not take requests from this device, and says why and what to do.

    `centre_ms` is its time, when our clock was the reason; else None.
    """

    def __init__(self, sentence: str, centre_ms: int | None = None) -> None:
        super().__init__(sentence)
        self.centre_ms = centre_ms


class Centre(Protocol):
    """The centre, as the checkout talks to it. Every answer was sealed by a key we have pinned.

    Every call raises CentreUnreachable when no believable answer came within `within_s`, and
    CentreDenied when the centre refused this device.
    """

    def facts(self, request: v1.FactsRequest, within_s: float) -> v1.FactsAnswer:
        """Return what the centre knows of a purchase. Changes nothing."""

    def pack(self, pack_hash: str, within_s: float) -> Pack:
        """Return the policy pack with this hash."""

    def hold(self, request: v1.HoldRequest, within_s: float) -> Held | v1.Refused:
        """Ask for the fund's promise. The same request again gets the same promise."""

    def release(self, record_id: str, within_s: float) -> None:
        """Send the `closed` entry of a sale now, ahead of the queue."""

    def block(self, record_id: str, within_s: float) -> None:
        """Send the `returning` entry of a sale now, ahead of the queue: the claim line is blocked."""


class KeyMacs(msgspec.Struct, frozen=True):
    """An idempotency key and the body it came with, both as MACs under the device's own key."""

    key: str
    body: str


class KeyReused(Exception):
    """The idempotency key came before, with another body."""


class Opening(msgspec.Struct, frozen=True):
    """What opening a sale led to: a `new` one, the one this key had opened, or one that binds the item."""

    sale: Sale
    new: bool


class Begun(msgspec.Struct, frozen=True):
    """What asking for an attempt led to: the sale as it stands, and the number of the attempt.

    `no` is None when this very call has begun none: a worker hears of an attempt once, from who began it.
    """

    sale: Sale
    no: int | None = None


class Journal(Protocol):
    """What the shop knows, durably. Every call is one transaction, and done when it returns.

    Moves are compare-and-set: a call that finds the sale elsewhere changes nothing and returns it
    as it stands.
    """

    def sale(self, record_id: str) -> Sale | None:
        """Return a sale as it stands."""

    def open_sale(self, sale: Sale, key: KeyMacs, qualification: str) -> Opening:
        """Store a NEW sale under its idempotency key, or return what stands in its way."""

    def ask(self, record_id: str, wall_ms: int, steady_ms: int) -> Sale:
        """NEW -> ASKING with the next hold number, or -> REFUSED when another sale binds the item."""

    def refuse(self, record_id: str, reasons: tuple[Refusal, ...]) -> Sale:
        """NEW | ASKING -> REFUSED."""

    def hold(self, record_id: str, held: Held) -> Sale:
        """ASKING -> HELD."""

    def known(self, key: KeyMacs) -> Sale | None:
        """Return the sale that this idempotency key was for, None when it is new. Raises KeyReused."""

    def begin_attempt(
        self, record_id: str, tender: Tender, terminal_no: str, operator: str, key: KeyMacs | None = None
    ) -> Begun:
        """HELD -> PAYING with a new attempt INTENDED; beside lost ones, PAYING stays.

        A key that came before changes nothing. Raises KeyReused.
        """

    def mark_attempt(self, record_id: str, no: int, mark: str) -> bool:
        """Store what the link needs before money moves; False when the cashier has stopped the sale."""

    def paid(self, record_id: str, no: int, approved_fen: int, evidence: Evidence) -> Sale:
        """Attempt INTENDED | UNKNOWN -> PAID, sale PAYING | PARKED -> PAID, outbox record: one commit.

        When the cashier has stopped the sale meanwhile, the attempt becomes UNKNOWN instead: its
        money goes back.
        """

    def not_paid(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Attempt -> NOT_PAID; when no attempt is open, sale -> HELD, or -> CLOSING with its entry."""

    def unknown(self, record_id: str, no: int, evidence: Evidence) -> Sale:
        """Attempt INTENDED -> UNKNOWN."""

    def reversing(self, record_id: str, no: int, evidence: Evidence, approved_fen: int | None = None) -> Sale:
        """Attempt UNKNOWN -> REVERSING, durable before the first reversal leaves.

        `approved_fen` is what was taken, when somebody said so.
        """

    def giving_back(self, record_id: str, no: int, mark: str) -> Sale:
        """Attempt REVERSING -> GIVING_BACK with what the link needs, durable before the refund leaves."""

    def mark_back(self, record_id: str, no: int, mark: str) -> Sale:
        """Store what the link needs for a new try to give an attempt back that is GIVING_BACK."""

    def given_back(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Attempt GIVING_BACK -> GIVEN_BACK; what becomes of the sale is as with `not_paid`.

        `evidence` is what was said of the refund; what was said of the payment stays.
        """

    def park(self, record_id: str) -> Sale:
        """PAYING -> PARKED."""

    def close(self, record_id: str, why: str, reasons: tuple[Refusal, ...] = ()) -> Sale:
        """ASKING | HELD -> CLOSING with its `closed` entry."""

    def wish_stop(self, record_id: str, key: KeyMacs) -> Sale:
        """Note that the cashier gives up; HELD -> CLOSING. Raises KeyReused."""

    def unacknowledged_closes(self, serial_no: str | None, qualification: str) -> list[str]:
        """Return the sales of this item or qualification that are CLOSING."""

    def binding(self, serial_no: str | None, qualification: str) -> Sale | None:
        """Return the sale that binds this item or qualification now."""

    def open_attempts(self, terminal_no: str) -> list[tuple[str, int]]:
        """Return (record_id, number) of the attempts on a terminal that are open, oldest first."""

    def unfinished(self) -> list[Sale]:
        """Return every sale that is NEW, ASKING, HELD, PAYING, PARKED or RETURNING, oldest first."""


class Clock(Protocol):
    """The two clocks of the host. Neither is trusted alone."""

    def wall_ms(self) -> int:
        """Return Unix milliseconds; may jump when somebody sets the clock."""

    def steady_ms(self) -> int:
        """Return milliseconds that only grow, from an arbitrary start that changes at each boot."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


Randomness = Callable[[int], bytes]
"""Return so many bytes that nobody can guess."""
