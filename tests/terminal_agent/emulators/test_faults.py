import pytest

from terminal_agent.emulators.faults import KNOWN, FaultRefused, Faults, read_wish


def test_a_fault_strikes_once_unless_told_otherwise():
    faults = Faults()
    faults.arm({"fault": "lost_answer"})
    faults.arm({"fault": "declined", "times": 2, "code": "05"})
    first, second, third = (faults.strike("sale") for _ in range(3))
    assert ("lost_answer" in first, "lost_answer" in second) == (True, False)
    assert [one.word("declined", "code") for one in (first, second, third)] == ["05", "05", ""]
    assert faults.show() == []


def test_a_fault_waits_for_its_kind_of_transaction():
    faults = Faults()
    faults.arm({"fault": "void_declined"})
    faults.arm({"fault": "silent_query"})
    faults.arm({"fault": "lost_answer", "on": "void"})
    assert "void_declined" not in faults.strike("sale")
    assert "silent_query" in faults.strike("query")
    struck = faults.strike("void")
    assert "void_declined" in struck
    assert "lost_answer" in struck


def test_a_fault_for_any_transaction_leaves_queries_alone():
    faults = Faults()
    faults.arm({"fault": "declined"})
    assert "declined" not in faults.strike("query")
    assert "declined" in faults.strike("sale")
    faults.arm({"fault": "declined"})
    assert "declined" in faults.strike("refund")


def test_what_is_armed_is_shown_as_it_would_be_asked_for():
    faults = Faults()
    faults.arm({"fault": "no_ack"})
    wish = {"fault": "no_ack", "times": 1, "on": "any", "frames": 3, "charged": False}
    assert faults.show() == [wish]
    faults.clear()
    faults.arm(wish)
    assert faults.show() == [wish]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, "known ones"),
        ({"fault": "earthquake"}, "known ones"),
        ({"fault": ["declined"]}, "known ones"),
        ({"fault": "declined", "fen": 1}, "no field 'fen'. Known: times, on, code"),
        ({"fault": "declined", "times": 0}, "times must be a whole number"),
        ({"fault": "declined", "times": True}, "times must be a whole number"),
        ({"fault": "declined", "times": 1.0}, "times must be a whole number"),
        ({"fault": "declined", "code": "5"}, "two letters or digits"),
        ({"fault": "declined", "code": 51}, "must be a text"),
        ({"fault": "declined", "on": "settle"}, "one of any, sale, void, refund, query"),
        ({"fault": "late_answer"}, "needs ms"),
        ({"fault": "wrong_amount"}, "needs fen"),
        ({"fault": "unclear_code", "charged": "yes"}, "true or false"),
        ({"fault": "kill", "point": "never", "pid": 99}, "one of frame_received"),
        ({"fault": "kill", "point": "after_ack", "pid": 1}, "from 2"),
        ({"fault": "kill", "point": "after_ack"}, "needs pid"),
    ],
)
def test_a_wish_that_is_not_exactly_right_is_refused(wish, says):
    faults = Faults()
    with pytest.raises(FaultRefused) as refused:
        faults.arm(wish)
    assert says in str(refused.value)
    assert faults.show() == []


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("lost_answer", {"fault": "lost_answer"}),
        ("late_answer:ms=500,times=2", {"fault": "late_answer", "ms": 500, "times": 2}),
        ("declined:code=51", {"fault": "declined", "code": "51"}),
        ("unclear_code:charged=false", {"fault": "unclear_code", "charged": False}),
    ],
)
def test_a_wish_on_the_command_line_says_the_same(text, wish):
    assert read_wish(text) == wish
    Faults().arm(read_wish(text))


def test_every_fault_says_what_it_does():
    assert all(kind.does for kind in KNOWN.values())
