"""The question at the end of a whole run can fail: a move that nobody took, and one that no table has.

The question itself is in `tests/support/taken_moves.py`, asked by `tests/conftest.py`.
"""

import pytest
from taken_moves import ALLOWED, problems


def test_all_moves_and_no_other_are_no_problem():
    assert problems(set(ALLOWED)) == []


@pytest.mark.parametrize("move", sorted(ALLOWED), ids=" ".join)
def test_a_move_that_no_test_took_is_told(move):
    assert problems(ALLOWED - {move}) == [f"no test took {move[0]} {move[1]} -> {move[2]}"]


def test_a_move_that_no_table_has_is_told():
    assert problems(ALLOWED | {("sale", "PAID", "NEW")}) == ["no state table has sale PAID -> NEW"]


def test_every_table_is_asked_about():
    assert {whose for whose, _, _ in ALLOWED} == {"sale", "attempt", "goods_return", "record"}
