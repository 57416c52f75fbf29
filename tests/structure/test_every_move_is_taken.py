"""Every move that the state tables allow is taken by some test, and no test's journal has seen another.

Asked at the end of a whole run only; a part of the suite proves nothing here.
"""

import pytest
from books import MOVES_TAKEN

from settlement.funds.states import MOVES
from terminal_agent.checkout.states import ATTEMPT_MOVES, RETURN_MOVES, SALE_MOVES


@pytest.mark.after_everything
def test_every_move_was_taken_and_no_other(moves_taken):
    tables = {"sale": SALE_MOVES, "attempt": ATTEMPT_MOVES, "goods_return": RETURN_MOVES}
    allowed = {(what, before.value, after.value) for what, moves in tables.items() for before, after in moves}
    assert allowed - moves_taken == set(), "never taken"
    assert moves_taken - allowed == set()


@pytest.mark.after_everything
def test_every_move_of_the_centres_record_was_taken_and_no_other():
    assert {(before.value, after.value) for before, after in MOVES} == MOVES_TAKEN
