"""How is cash taken and given back? By the cashier's word on where the money is: nobody else can be asked.

The word is durable before it counts. Until it has come the payment is open, and no other cash is taken beside
the same terminal. There is no file either: the record may be claimed with a verified invoice only.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.ports import Answer, Ask, Back, Clocks, KeyMacs, Randomness, Say, Secret
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import AttemptState, ReturnState, SaleState

_LINK = "CASH@"
_WAITS = (AttemptState.INTENDED, AttemptState.UNKNOWN, AttemptState.REVERSING)


class Place(StrEnum):
    """Where the whole of the money is now."""

    IN_TILL = "in_till"
    WITH_SHOPPER = "with_shopper"


class Word(msgspec.Struct, frozen=True):
    """What the cashier has said, last."""

    place: Place
    operator: str


class Asked(msgspec.Struct, frozen=True):
    """What a cashier is asked about: `no` is the attempt's number, GOODS_BACK where goods come back."""

    mark: str
    fen: int
    no: int


def link_name(terminal_no: str) -> str:
    """Return the name under which the cash taken beside a terminal is stored."""
    return f"{_LINK}{terminal_no}"


def asked_of(sale: Sale) -> Asked | None:
    """Return the cash of a sale that somebody has to say about where it is, None when there is none."""
    back, paid = sale.returns[-1] if sale.returns else None, sale.paid_attempt
    if sale.state is SaleState.RETURNING and back is not None and back.state is ReturnState.SENDING:
        if back.mark is None or paid is None or paid.tender is not Tender.CASH:
            return None
        return Asked(back.mark, back.refund_fen, GOODS_BACK)
    for one in reversed(sale.attempts):
        if one.tender is Tender.CASH and one.state in _WAITS and one.mark is not None:
            return Asked(one.mark, one.amount_fen, one.no)
    return None


class CashJournal(Protocol):
    """What cash needs of the journal. Every call is one transaction."""

    def sale(self, record_id: str) -> Sale | None:
        """Return a sale as it stands."""

    def known(self, key: KeyMacs) -> Sale | None:
        """Return the sale that this idempotency key was for, None when it is new. Raises KeyReused."""

    def open_attempts(self, terminal_no: str) -> list[tuple[str, int]]:
        """Return (record_id, number) of the attempts on a link that are open, oldest first."""

    def open_returns(self, terminal_no: str) -> list[str]:
        """Return the sales that are RETURNING and were paid on this link, oldest first."""

    def cash_word(self, mark: str) -> Word | None:
        """Return what was said last of the cash under this mark."""

    def say_cash(self, record_id: str, word: Word, key: KeyMacs) -> bool:
        """Store where a sale's cash is; False when nothing is asked about it. Raises KeyReused."""


class Cash:
    """The cash drawer beside one terminal. Fits `checkout.ports.Payment`.

    A mark stands for one question: a new try to take or give back money has a new one.
    """

    not_found_is_no = False
    reverses_blind = False
    clocks = Clocks(
        answer_wait_s=0,
        answer_cap_s=0,
        host_timeout_s=60,
        poll_every_s=0.5,
        poll_for_s=120,
        reverse_not_before_s=0,
        resolver_s=60,
    )

    def __init__(self, journal: CashJournal, randomness: Randomness) -> None:
        self._journal = journal
        self._randomness = randomness

    def prepare(self, ask: Ask) -> str | None:
        """Return the mark of a new question."""
        return self._randomness(8).hex()

    def take(self, ask: Ask) -> Answer:
        """Ask the cashier for the money: PENDING until that has said where it is."""
        return self.query(ask)

    def query(self, ask: Ask) -> Answer:
        """Say what the cashier has said of a payment."""
        word = self._word(ask.mark)
        if word is None:
            return Answer(Say.PENDING)
        if word.place is Place.IN_TILL:
            return Answer(Say.APPROVED, ask.amount_fen, _said(word))
        return Answer(Say.DECLINED, evidence=_said(word))

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Say whether the shopper has the money of a payment again."""
        word = self._word(ask.mark)
        if word is not None and word.place is Place.WITH_SHOPPER:
            return Answer(Say.APPROVED, evidence=_said(word))
        return Answer(Say.PENDING)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Say whether the shopper has the money of goods that came back."""
        word = self._word(back.mark)
        if word is None:
            return Answer(Say.PENDING)
        if word.place is Place.WITH_SHOPPER:
            return Answer(Say.APPROVED, back.fen, _said(word))
        return Answer(Say.DECLINED, evidence=_said(word))

    def _word(self, mark: str | None) -> Word | None:
        return None if mark is None else self._journal.cash_word(mark)


class CashDesk:
    """Where cashiers say where the money is. `lanes` has a way in for the worker of each link."""

    def __init__(
        self, journal: CashJournal, lanes: Mapping[str, Callable[[str, int, Secret | None], None]]
    ) -> None:
        self._journal = journal
        self._lanes = lanes

    def waits_for(self, terminal_no: str) -> str | None:
        """Return the sale whose cash beside a terminal nobody has said about yet, None when there is none."""
        link = link_name(terminal_no)
        names = [name for name, _ in self._journal.open_attempts(link)]
        for name in (*names, *self._journal.open_returns(link)):
            sale = self._journal.sale(name)
            if sale is not None and asked_of(sale) is not None:
                return name
        return None

    def say(self, sale: Sale, place: Place, operator: str, key: KeyMacs) -> bool:
        """Keep where the cash of a sale is, and have its worker look; False when nothing is asked about it.

        The same key and body say it once. Raises KeyReused.
        """
        if self._journal.known(key) is not None:
            return True
        asked = asked_of(sale)
        if asked is None or not self._journal.say_cash(sale.record_id, Word(place, operator), key):
            return False
        paid = sale.paid_attempt
        attempt = paid if asked.no == GOODS_BACK and paid is not None else sale.attempt(asked.no)
        if attempt.terminal_no in self._lanes:
            self._lanes[attempt.terminal_no](sale.record_id, asked.no, None)
        return True


def _said(word: Word) -> Evidence:
    return Evidence(code="CASH", text=f"{word.place.value}, by {word.operator}")
