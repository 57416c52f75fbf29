"""Which faults are planted to see whether they are found? A name, a sentence and a small patch each.

A planted bug is in nobody's way: it is put into the shipped code for the worlds that are run with it, and
taken out again. What catches it must be a claim about money or safety.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sim.cards.kinds import others

Patch = tuple[Any, str, Any]
"""(where, name, what stands there instead)."""


class Bug(NamedTuple):
    """A planted bug. `terminals` is the one kind of card terminal in the worlds that it is tried in."""

    name: str
    says: str
    patches: Callable[[], list[Patch]]
    terminals: str = ""

    @property
    def off(self) -> list[str]:
        """What is off in the worlds that it is tried in."""
        return others(self.terminals) if self.terminals else []


BUGS: dict[str, Bug] = {}
CAUGHT_BY: dict[str, int] = {
    "acknowledged_when_sent": 10,
    "amount_that_passes_not_read": 1,
    "another_way_while_in_doubt": 42,
    "answer_of_previous_sale_taken": 355,
    "answered_before_the_commit": 5,
    "any_ack_is_believed": 5,
    "any_pin_is_right": 79,
    "approved_amount_not_compared": 2,
    "approved_amount_of_nexo_not_read": 1,
    "asks_until_it_counts_no_more": 818,
    "batch_partly_applied": 87,
    "cash_goes_back_by_itself": 101,
    "cash_is_claimed_at_once": 101,
    "cash_is_paid_when_asked_for": 22,
    "claim_of_an_unstated_device": 8,
    "cloned_key_accepted": 18,
    "code_not_closed": 197,
    "code_shown_by_the_shops_clock": 45,
    "copy_of_a_journal_trusted": 8850,
    "fence_not_looked_at": 35,
    "fork_accepted": 13,
    "fund_overdraft": 7,
    "granted_by_the_tills_clock": 1,
    "hold_freed_by_time_alone": 24,
    "hold_not_idempotent": 137,
    "hold_survives_a_restart": 3,
    "idempotency_key_pruned_early": 5,
    "intake_refuses_a_paid_sale": 8,
    "key_with_other_words_taken": 50,
    "last_transaction_of_another_sale_taken": 4,
    "late_yes_after_stop_taken": 16,
    "new_order_number_on_time_out": 1,
    "no_durable_intent": 3,
    "no_original_closes_a_reversal": 10,
    "no_tombstone": 11,
    "not_found_trusted": 9,
    "not_found_trusted_after_a_refusal": 70017300,
    "not_paid_yet_is_a_no": 94,
    "offer_called_over_too_early": 133,
    "old_copy_asks_for_money": 40000977,
    "old_entries_are_dropped": 2,
    "old_word_answers_a_return": 22,
    "one_item_two_sales": 40,
    "partial_approval_taken": 21,
    "payment_outlives_its_hold": 2,
    "person_unique_per_programme_only": 57,
    "poison_blocks_the_queue": 1,
    "quota_not_counted": 3,
    "record_in_two_claims": 37,
    "record_not_idempotent": 10,
    "refund_above_the_original": 108,
    "refund_twice": 10,
    "refused_refund_is_over_at_once": 260,
    "refused_return_frees_the_serial_number": 22,
    "refused_reversal_ignored": 2,
    "rejected_out_of_the_wrong_account": 56,
    "rejecting_frees_what_was_sold": 22,
    "repeat_of_what_waits_for_people": 60,
    "restored_statement_trusted": 280,
    "return_after_payout_credits_the_pool": 37,
    "return_frees_before_refunded": 4,
    "reversal_not_one_way": 101,
    "sale_aged_by_the_hosts_clock": 1722,
    "sale_cut_off_by_a_full_disk_stays": 36,
    "serial_number_not_looked_at": 30,
    "shares_of_the_day_it_comes": 113,
    "signature_not_looked_at": 58,
    "silence_is_no": 22,
    "split_drifts_by_a_fen": 1,
    "split_transaction": 5,
    "statement_by_passed_holds": 22,
    "statement_forgets_what_is_being_paid": 10,
    "steady_clock_reset_trusted": 784,
    "stored_answer_replayed": 10,
    "strangers_refusal_is_a_no": 56,
    "time_out_is_declined": 10,
    "told_paid_too_early": 1,
    "unconfirmed_reversal_counts": 8,
}
"""A seed that catches each, the first one that was found."""

CAUGHT_AT_NIGHT: dict[str, int] = {
    "absence_without_number_ends_a_hold": 1,
    "claim_does_not_wait_for_the_night": 1,
    "found_paid_stays_granted": 242,
    "late_file_posts_twice": 1,
    "restored_books_believe_statements": 907,
}
"""The same, of a world with nights."""


def bug(says: str, terminals: str = "") -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    """Add a bug, named after the function that returns its patches."""

    def add(patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        BUGS[patches.__name__] = Bug(patches.__name__, says, patches, terminals)
        return patches

    return add


def known_bugs() -> dict[str, Bug]:
    """Return every planted bug by its name."""
    for one in sorted(Path(__file__).parent.glob("at_*.py")):
        importlib.import_module(f"sim.bugs.{one.stem}")
    return BUGS


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Have a bug in the shipped code until the block ends; none when there is no name."""
    patches = known_bugs()[name].patches() if name is not None else []
    before = [(place, attribute, getattr(place, attribute)) for place, attribute, _ in patches]
    try:
        for place, attribute, value in patches:
            setattr(place, attribute, value)
        yield
    finally:
        for place, attribute, value in reversed(before):
            setattr(place, attribute, value)
