"""Every move that the state tables allow is taken by some test, and no test's journal has seen another.

Asked at the end of a whole run only; a part of the suite proves nothing here.
"""

import pytest

from terminal_agent.checkout.states import ATTEMPT_MOVES, RETURN_MOVES, SALE_MOVES

NOT_REACHABLE_YET = {
    ("attempt", "REVERSING", "GIVING_BACK"): "no link gives back by a refund what it cannot reverse",
    ("attempt", "GIVING_BACK", "GIVEN_BACK"): "no link gives back by a refund what it cannot reverse",
}


@pytest.mark.after_everything
def test_every_move_was_taken_and_no_other(moves_taken):
    tables = {"sale": SALE_MOVES, "attempt": ATTEMPT_MOVES, "goods_return": RETURN_MOVES}
    allowed = {
        (what, before.value, after.value) for what, moves in tables.items() for before, after in moves
    }
    assert NOT_REACHABLE_YET.keys() <= allowed
    assert allowed - moves_taken == NOT_REACHABLE_YET.keys(), "never taken"
    assert moves_taken - allowed == set()
