"""What does a return need of the journal, beside what `ports.py` has?

Every call is one transaction, and done when it returns; moves are compare-and-set.
"""

from typing import Protocol

from subsidy.records.payment import Evidence
from terminal_agent.checkout.goods_return import KeyedSlip, LateAnswer, Wish
from terminal_agent.checkout.ports import KeyMacs
from terminal_agent.checkout.sale import Sale


class ReturnJournal(Protocol):
    """Returns, and what else is said about a sale after its payment, durably."""

    def sale(self, record_id: str) -> Sale | None:
        """Return a sale as it stands."""

    def known(self, key: KeyMacs) -> Sale | None:
        """Return the sale that this idempotency key was for, None when it is new. Raises KeyReused."""

    def is_reported(self, record_id: str) -> bool:
        """Whether the centre has acknowledged the sale's `paid` entry."""

    def begin_return(self, record_id: str, wish: Wish, key: KeyMacs | None) -> Sale:
        """PAID -> RETURNING with a return BEGUN and its `returning` entry: one commit.

        A key that came before changes nothing. Raises KeyReused.
        """

    def send_refund(self, record_id: str, mark: str) -> bool:
        """Return BEGUN -> SENDING with what the link needs; False when it is not BEGUN any more."""

    def refund_unclear(self, record_id: str, evidence: Evidence) -> Sale:
        """Keep what was said of a refund that is SENDING."""

    def refunded(self, record_id: str, evidence: Evidence) -> Sale:
        """Return SENDING -> REFUNDED, sale -> RETURNED, `returned` entry: one commit."""

    def refund_refused(self, record_id: str, evidence: Evidence) -> Sale:
        """Return -> REFUSED, sale RETURNING -> PAID, `returned` entry that says so: one commit."""

    def open_returns(self, terminal_no: str) -> list[str]:
        """Return the sales that are RETURNING and were paid on this link, oldest first."""

    def has_moved_on(self, record_id: str) -> bool:
        """Return whether the link of a return that is SENDING was used for another sale since it began to."""

    def answer_late(self, record_id: str, answer: LateAnswer, key: KeyMacs) -> Sale:
        """Keep the first answer about a sale found paid late; later ones change nothing. Raises KeyReused."""

    def keep_slip(self, record_id: str, no: int, slip: KeyedSlip, key: KeyMacs) -> Sale:
        """Keep a slip keyed in for attempt `no`, once, with its entry for the night. Raises KeyReused."""


class PinTries(Protocol):
    """How often each supervisor's PIN was tried, durably: a restart forgets nothing."""

    def take_pin_try(self, supervisor: str) -> int | None:
        """Count a try, before it is looked at; return how many are left after it, None when locked."""

    def pin_was_right(self, supervisor: str) -> None:
        """Forget the tries of a supervisor who knew the PIN."""
