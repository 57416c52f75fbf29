"""What does the night make of a source that is said to name every order, and a terminal whose rows never do?

Real books, on both databases; the acquirer's file by its emulator's own code.
"""

import books
import pytest
from night import DAY, NEXT_DAY, NightDay, changed, pay_ref, to_pay, triples

from settlement.reconcile.kinds import Kind

THIRD_DAY = "2026-03-03"


@pytest.fixture(params=books.ENGINES)
def day(tmp_path, request):
    of = books.Books(tmp_path, on=request.param)
    yield NightDay(tmp_path, of)
    of.close()


def nights(day):
    """Run the nights of the day and the next; return the day's, run again."""
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    day.run(NEXT_DAY)
    night = day.run()
    assert night.report.proof.debited.holds
    assert night.report.proof.granted.holds
    return night


def without_order(day):
    """Let the last row name no order, as from a terminal that has no field for it."""
    day.card[-1] = changed(day.card[-1], pay_ref="")


def test_a_paid_hold_of_a_silent_shop_is_kept_and_the_word_is_doubted(day):
    held = day.hold()
    day.charge(held)
    without_order(day)
    night = nights(day)
    assert triples(night.report) == [(Kind.MAY_BE_THIS_PAYMENT, pay_ref(held), to_pay(held))]
    (found,) = night.report.differences
    assert "names_orders: false" in found.detail
    assert "acquirer" in found.detail
    assert day.record(held).state == "HELD"


def test_one_row_that_names_an_order_bears_the_word_out(day):
    """Then a row of the same amount is a plain sale, as the word says."""
    held = day.hold()
    day.charge(held)
    without_order(day)
    day.sell()
    nights(day)
    assert day.record(held).state == "RELEASED"


def test_rows_of_other_amounts_keep_nothing(day):
    held = day.hold()
    day.plain_sale()
    nights(day)
    assert day.record(held).state == "RELEASED"


def test_a_night_that_is_only_tried_says_the_same(day):
    held = day.hold()
    day.charge(held)
    without_order(day)
    day.write_files()
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    day.run(NEXT_DAY)
    assert triples(day.run(DAY, dry_run=True).report) == [
        (Kind.MAY_BE_THIS_PAYMENT, pay_ref(held), to_pay(held))
    ]
