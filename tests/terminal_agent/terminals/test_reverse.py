"""Is a payment undone once, and never a stranger's?"""

import msgspec
import pytest

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Say

SOLD = ("sale", 12_000)
UNDONE = ("void", 12_000)


def test_an_undone_sale_is_undone_once_however_often_it_is_asked(emulator, driver, sell):
    ask, paid = sell()
    answers = [driver.reverse(ask, paid.evidence).say for _ in range(3)]
    assert answers == [Say.APPROVED] * 3
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]


def test_a_refused_void_leaves_the_sale_and_is_told_again_without_asking_twice(emulator, driver, sell):
    ask, paid = sell()
    emulator.fault("void_declined")
    answers = [driver.reverse(ask, paid.evidence).say for _ in range(2)]
    assert answers == [Say.DECLINED] * 2
    assert emulator.moved(ask.pay_ref) == [SOLD]
    assert [line["type"] for line in emulator.books() if line["pay_ref"] == ask.pay_ref] == [2, 3]


@pytest.mark.parametrize(
    ("fault", "options", "voids_by_then"),
    [
        ("lost_answer", {}, 1),  # done, and found done by asking
        ("wrong_nonce", {}, 1),
        ("bad_lrc", {}, 1),
        ("unplug_after_ack", {"ms": 300}, 1),
        ("lost_request", {}, 0),  # not done, and sent again
        ("no_ack", {}, 0),
        ("nak", {"n": 3}, 0),
        ("unclear_code", {"charged": False}, 0),
    ],
)
def test_after_an_unclear_void_asking_comes_first(fault, options, voids_by_then, emulator, driver, sell):
    ask, paid = sell()
    emulator.fault(fault, on="void", **options)

    first = driver.reverse(ask, paid.evidence)
    assert first == Answer(Say.UNCLEAR)  # no evidence: a void's trace is not the sale's
    assert emulator.moved(ask.pay_ref) == [SOLD] + [UNDONE] * voids_by_then

    assert driver.reverse(ask, paid.evidence).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]


def test_a_refusal_after_a_void_that_may_have_been_done_is_no_answer(emulator, driver, sell):
    ask, paid = sell()
    emulator.fault("unclear_code", on="void", charged=True)
    assert driver.reverse(ask, paid.evidence).say is Say.UNCLEAR
    # The terminal now refuses, since the sale is void already. A refund on top would be a gift.
    assert driver.reverse(ask, paid.evidence).say is Say.UNCLEAR
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]


def test_a_sale_is_undone_by_its_trace_after_others_were_made(emulator, driver, sell):
    ask, paid = sell()
    other, _ = sell()
    assert driver.reverse(ask, paid.evidence).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]
    assert emulator.moved(other.pay_ref) == [SOLD]


def test_a_refusal_when_others_were_made_since_is_no_answer(emulator, driver, sell):
    ask, paid = sell()
    sell()
    emulator.fault("void_declined")
    assert driver.reverse(ask, paid.evidence).say is Say.UNCLEAR


def test_an_answer_that_never_came_is_undone_by_asking_for_its_trace(emulator, driver, ask_for):
    ask = ask_for(12_000)
    emulator.fault("lost_answer")
    assert driver.take(ask).say is Say.UNCLEAR
    assert driver.reverse(ask, Evidence()).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]


def test_a_declined_sale_has_nothing_to_undo(emulator, driver, ask_for):
    ask = ask_for()
    emulator.fault("declined")
    driver.take(ask)
    assert driver.reverse(ask, Evidence()).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == []


def test_what_never_reached_the_terminal_is_not_found(emulator, driver, ask_for):
    ask = ask_for()
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    assert driver.reverse(ask, Evidence()).say is Say.NOT_FOUND


def test_a_trace_from_another_terminal_is_not_voided_here(emulator, driver, sell, ask_for):
    _, paid = sell()
    elsewhere = msgspec.structs.replace(paid.evidence, terminal_no="EMU00002")
    lines_before = len(emulator.books())
    assert driver.reverse(ask_for(), elsewhere).say is Say.UNCLEAR
    assert len(emulator.books()) == lines_before


@pytest.mark.parametrize("trace", ["", "000000", "12", "12345x", "１２３４５６"])
def test_without_a_trace_nothing_is_voided(trace, emulator, driver, ask_for):
    driver.take(ask_for())
    lines_before = len(emulator.books())
    assert driver.reverse(ask_for(), Evidence(trace=trace, code="00")).say is Say.UNCLEAR
    assert len(emulator.books()) == lines_before


def test_a_sale_of_a_closed_batch_stands_and_may_be_refunded(emulator, driver, sell):
    ask, paid = sell()
    emulator.settle()
    assert [driver.reverse(ask, paid.evidence).say for _ in range(2)] == [Say.DECLINED] * 2
    assert emulator.moved(ask.pay_ref) == [SOLD]


def test_a_trace_of_a_closed_batch_is_not_voided_in_the_open_one(emulator, driver, sell):
    ask, paid = sell()
    emulator.settle()
    sell()
    lines_before = len(emulator.books())
    assert driver.reverse(ask, paid.evidence) == Answer(Say.UNCLEAR)
    assert len(emulator.books()) == lines_before


@pytest.mark.parametrize("code", ["94", "A0"])
def test_a_void_that_may_have_been_done_all_the_same_is_no_answer(code, emulator, driver, sell):
    ask, paid = sell()
    emulator.fault("void_declined", code=code)
    assert driver.reverse(ask, paid.evidence) == Answer(Say.UNCLEAR)
    assert driver.reverse(ask, paid.evidence).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, UNDONE]
