"""Every move that the state tables allow is taken by some test, and no test's journal has seen another.

Asked at the end of a whole run only; a part of the suite proves nothing here.
"""

import pytest

from terminal_agent.checkout.states import ATTEMPT_MOVES, SALE_MOVES

NOT_REACHABLE_YET = {
    ("sale", "PAID", "RETURNING"): "returns are not built yet",
    ("sale", "RETURNING", "RETURNED"): "returns are not built yet",
    ("sale", "RETURNING", "PAID"): "returns are not built yet: a refund that is refused",
    ("attempt", "REVERSING", "GIVING_BACK"): "no link gives back by a refund what it cannot reverse",
    ("attempt", "GIVING_BACK", "GIVEN_BACK"): "no link gives back by a refund what it cannot reverse",
}


@pytest.mark.after_everything
def test_every_move_was_taken_and_no_other(moves_taken):
    allowed = {("sale", before.value, after.value) for before, after in SALE_MOVES} | {
        ("attempt", before.value, after.value) for before, after in ATTEMPT_MOVES
    }
    assert NOT_REACHABLE_YET.keys() <= allowed
    assert allowed - moves_taken == NOT_REACHABLE_YET.keys(), "never taken"
    assert moves_taken - allowed == set()
