"""What was seen at a terminal that we only watch, and what does it make of a sale?

The cashier charges and voids there by hand, so money can go back at any time, whatever state its sale is in,
and nobody asks us first. What is seen is written down at once; the moves are those of any other sale.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.look_at_it import LookJournal, Odd
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.what_was_undone import Known, Undone, contradiction, pick


class Sight(StrEnum):
    """What was seen."""

    SALE_SENT = "SALE_SENT"  # the request of an armed sale has passed
    LAST_CALL = "LAST_CALL"  # what is armed will not be much longer, and nothing of it has passed
    MONEY_BACK = "MONEY_BACK"  # a reversal, void or refund of a sale was confirmed
    VOID_UNDONE = "VOID_UNDONE"  # a void that had been confirmed was reversed: the sale stands again
    SALE_NOT_OURS = "SALE_NOT_OURS"  # of an amount that was armed a moment ago, and is not any more


class Sighting(msgspec.Struct, frozen=True):
    """One thing that was seen. `evidence` has trace and batch of the *sale* it is about, masked.

    `fen` is None where no amount was named. `pay_ref` is the attempt's where a sale was sent or is armed,
    and that which was armed where it is not ours; elsewhere it is found by batch and trace, which outlive a
    restart.
    `undone` is what was said of a sale whose money went back; `is_newer` says that a sale nobody armed has
    had its batch and trace since.
    """

    sight: Sight
    fen: int | None
    evidence: Evidence
    pay_ref: str = ""
    undone: Undone = Undone()
    is_newer: bool = False


Tell = Callable[[Sighting], None]
"""Hand a sighting to whoever writes it down. Returns at once."""


class SightingJournal(LookJournal, Protocol):
    """What a sighting needs of the journal. Every call is one transaction."""

    def sale_sent(self, pay_ref: str, evidence: Evidence) -> None:
        """Keep what was seen of an attempt that is INTENDED or UNKNOWN, before its answer comes."""

    def attempts_called(self, link: str, batch: str, trace: str) -> list[tuple[Sale, int]]:
        """Return the sales and attempt numbers that have had this batch and trace, newest first."""

    def money_back(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Write down that all money of an attempt is with the shopper again. One commit, repeatable.

        An open attempt becomes NOT_PAID, as by `not_paid`. Of a paid one the goods count as returned: a
        return that is under way is REFUNDED, else one is made that begins and ends here.
        """


class Sightings:
    """Writes down what is seen on one link."""

    def __init__(
        self,
        link: str,
        journal: SightingJournal,
        hold_is_over: Callable[[Sale], bool],
        wall_ms: Callable[[], int],
        log: Callable[..., None],
    ) -> None:
        self._link = link
        self._journal = journal
        self._hold_is_over = hold_is_over
        self._wall_ms = wall_ms
        self._log = log

    def note(self, sighting: Sighting) -> None:
        """Write a sighting down. What fits no sale of ours, or is a part of its money, moves none."""
        if sighting.sight in (Sight.SALE_SENT, Sight.LAST_CALL):
            self._journal.sale_sent(sighting.pay_ref, sighting.evidence)
            return
        if sighting.sight is Sight.SALE_NOT_OURS:
            named = ids.read_pay_ref(sighting.pay_ref)
            self._look_at(Odd.CHARGED_BESIDE, sighting, None if named is None else named[0])
            return
        fen, number = sighting.fen, (sighting.evidence.batch, sighting.evidence.trace)
        is_back = sighting.sight is Sight.MONEY_BACK
        if is_back and self._journal.beside_is_back(self._link, fen, number):
            self._say("relay.money_back", sighting, None)
            return
        found = None if sighting.is_newer else self._meant(sighting)
        if found is not None and is_back:
            self._money_back(sighting, *found)
        elif found is not None:
            self._look_at(Odd.VOID_UNDONE, sighting, found[0].record_id)

    def _money_back(self, sighting: Sighting, sale: Sale, no: int) -> None:
        attempt, undone = sale.attempt(no), sighting.undone
        why = contradiction(undone, self._known(attempt))
        if why:
            self._look_at(Odd.WHICH_SALE, sighting, sale.record_id, why)
        elif undone.is_whole or undone.fen == (attempt.approved_fen or attempt.amount_fen):
            keep_hold = not self._hold_is_over(sale)
            self._journal.money_back(sale.record_id, no, sighting.evidence, keep_hold=keep_hold)
            self._say("relay.money_back", sighting, sale.record_id)
        else:
            # A part of it: the night finds the line in the acquirer's file, and its owner decides.
            self._look_at(Odd.PART_WENT_BACK, sighting, sale.record_id)

    def _look_at(self, what: Odd, sighting: Sighting, record_id: str | None, why: str = "") -> None:
        said = sighting.evidence
        self._journal.look_at(self._link, what, record_id, sighting.fen, (said.batch, said.trace))
        self._say("relay.look_at_it", sighting, record_id, what=what.value, why=why)

    def _meant(self, sighting: Sighting) -> tuple[Sale, int] | None:
        said = sighting.evidence
        if not said.trace:
            return None
        called = self._journal.attempts_called(self._link, said.batch, said.trace)
        at = pick(sighting.undone, [self._known(sale.attempt(no)) for sale, no in called])
        return None if at is None else called[at]

    def _known(self, attempt: Attempt) -> Known:
        age_ms = self._wall_ms() - attempt.begun_ms
        return Known(attempt.amount_fen, attempt.approved_fen, attempt.evidence, age_ms)

    def _say(self, event: str, sighting: Sighting, record_id: str | None, **more: str) -> None:
        self._log(
            event,
            link=self._link,
            record_id=record_id,
            fen=sighting.fen,
            trace=sighting.evidence.trace,
            **more,
        )
