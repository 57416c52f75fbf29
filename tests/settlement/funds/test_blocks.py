"""What changes when a reason against a line comes or goes?"""

import pytest

from settlement.funds.blocks import block, unblock
from settlement.writer.batch import Rows
from settlement.writer.rows import Record


@pytest.fixture
def rows():
    """Rows into which a test puts one record."""
    return Rows()


def put(rows, state, *reasons, **more):
    """Put the record in a state, with reasons against its line."""
    rows.put(Record("r", state, "d", 1, 1, blocks=tuple(reasons), **more))


def now(rows):
    """Return how the record stands."""
    record = rows.want(Record, "r")
    return record.state, record.blocks, record.why, record.owner


def test_the_first_reason_blocks_a_payable_line(rows):
    put(rows, "PAYABLE", why="paid")
    block(rows, "r", "returning", "its goods come back", "platform")
    assert now(rows) == ("BLOCKED", ("returning",), "its goods come back", "platform")


def test_the_last_reason_gone_frees_it(rows):
    put(rows, "BLOCKED", "returning", why="its goods come back", owner="platform")
    unblock(rows, "r", "returning")
    assert now(rows) == ("PAYABLE", (), "paid", "")


def test_it_stays_blocked_while_another_reason_stands(rows):
    put(rows, "PAYABLE", why="paid")
    block(rows, "r", "decision_differs", "decided again it is less", "platform")
    block(rows, "r", "returning", "its goods come back", "shop")
    assert now(rows)[1:3] == (("decision_differs", "returning"), "decided again it is less")
    unblock(rows, "r", "returning")
    assert now(rows) == ("BLOCKED", ("decision_differs",), "decided again it is less", "platform")
    block(rows, "r", "returning", "its goods come back", "shop")
    unblock(rows, "r", "decision_differs")
    assert now(rows)[:3] == ("BLOCKED", ("returning",), "blocked: returning")


def test_a_line_in_a_claim_only_carries_its_reasons(rows):
    put(rows, "IN_CLAIM", why="in claim C")
    block(rows, "r", "returning", "its goods come back", "platform")
    assert now(rows) == ("IN_CLAIM", ("returning",), "in claim C", "")
    unblock(rows, "r", "returning")
    assert now(rows) == ("IN_CLAIM", (), "in claim C", "")


@pytest.mark.parametrize("state", ["HELD", "KEPT", "PAID_OUT", "AVAILABLE_AGAIN", "RETURNED", "RELEASED"])
def test_where_there_is_no_line_there_is_nothing_to_block(rows, state):
    put(rows, state)
    block(rows, "r", "returning", "its goods come back", "platform")
    unblock(rows, "r", "returning")
    assert now(rows) == (state, (), "", "")


def test_a_late_grant_carries_its_reasons_until_it_enters(rows):
    put(rows, "RELEASED", money="late_grants_claimed")
    block(rows, "r", "returning", "its goods come back", "platform")
    assert now(rows)[:2] == ("RELEASED", ("returning",))


def test_the_same_reason_twice_is_one(rows):
    put(rows, "PAYABLE")
    for _ in range(2):
        block(rows, "r", "returning", "its goods come back", "platform")
    assert now(rows)[1] == ("returning",)
    unblock(rows, "r", "returning")
    assert now(rows)[0] == "PAYABLE"
