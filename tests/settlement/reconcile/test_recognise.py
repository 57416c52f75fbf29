"""Whose is a row that names no order? Known by what both sides call it, and never guessed."""

from pathlib import Path

import msgspec
import pytest
import reference_data as reference
from books import NOON_MS
from hypothesis import given
from hypothesis import strategies as st
from night import ACQUIRER, CARD_NO, DAY, NEXT_DAY, SOURCES

from settlement.reconcile.config import read_night_config
from settlement.reconcile.expect import Attempt, Return, Story
from settlement.reconcile.lines import Line, Moved
from settlement.reconcile.recognise import recognise
from settlement.writer.rows import Record
from subsidy import ids
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence

UNNAMED = SOURCES.replace("names_orders: true", "names_orders: false")
CONFIG = read_night_config(UNNAMED, Path("/nowhere/night.yaml"), training=True)
NAMING = read_night_config(SOURCES, Path("/nowhere/night.yaml"), training=True)
SALE, VOID, REFUND = Moved.SALE, Moved.VOID, Moved.REFUND
TERMINAL = reference.TERMINAL
FEN = 339_900


def row(number, kind=SALE, fen=FEN, **changes):
    """Return a row: trace and reference number are its number."""
    there = Line(
        source=ACQUIRER,
        day=DAY,
        line_no=number,
        kind=kind,
        fen=fen,
        pay_ref="",
        refund_no="",
        merchant_no=CARD_NO,
        ref=f"{changes.pop('tid', TERMINAL)}/000001/{number:06d}/{number:012d}",
        own_day=DAY,
        raw="",
    )
    return msgspec.structs.replace(there, **changes)


def rrn(number, **more):
    """Return evidence that names the reference number alone."""
    return Evidence(rrn=f"{number:012d}", **more)


def place(number, **more):
    """Return evidence that names batch and trace alone."""
    return Evidence(batch="000001", trace=f"{number:06d}", **more)


def story(number, *attempts, state="PAYABLE", back=None):
    """Return a sale of (state, evidence) attempts, whose goods came back under the evidence `back`."""
    record_id = ids.record_id(NOON_MS, number.to_bytes(10))
    tries = tuple(
        Attempt(ids.pay_ref(record_id, no), Tender.CARD, one, FEN, NOON_MS, NOON_MS + 1000, said)
        for no, (one, said) in enumerate(attempts, 1)
    )
    goods = None
    if back is not None:
        ref = tries[-1].pay_ref
        goods = Return(ref, ids.refund_no(ref), FEN, "REFUNDED", NOON_MS, NOON_MS + 5000, back)
    record = Record(
        record_id=record_id,
        state=state,
        device="d",
        epoch=1,
        hold_no=number,
        shop=reference.SHOP,
        terminal_no=TERMINAL,
        to_pay_fen=FEN,
        placed_at_ms=NOON_MS,
        held_for_s=900,
    )
    return Story(record, DAY, Tender.CARD, tries, goods)


def ref(number, no=1):
    """Return the order number of an attempt."""
    return ids.pay_ref(ids.record_id(NOON_MS, number.to_bytes(10)), no)


def owners(found):
    """Return whose each row is."""
    return {one.line_no: one.pay_ref for one in found.lines}


@pytest.mark.parametrize(
    "said", [rrn(7), place(7), rrn(7, terminal_no=TERMINAL), place(7, rrn="000000000099")]
)
def test_a_paid_attempt_is_found_by_reference_or_by_batch_and_trace(said):
    found = recognise([story(1, ("PAID", said))], [row(7), row(8)], CONFIG)
    assert owners(found) == {7: ref(1)}
    assert found.contested == ()


@pytest.mark.parametrize(
    "said",
    [
        Evidence(),
        rrn(8),
        place(8),
        Evidence(trace="000007"),
        Evidence(batch="000001"),
        Evidence(batch="000002", trace="000007"),
        rrn(7, terminal_no="EMU00099"),
    ],
)
def test_half_a_name_or_another_one_is_none(said):
    found = recognise([story(1, ("PAID", said))], [row(7)], CONFIG)
    assert (owners(found), found.contested) == ({}, ())


@pytest.mark.parametrize(
    "there",
    [
        row(7, tid="EMU00099"),
        row(7, merchant_no="EMU000000000009"),
        row(7, day="2026-02-27"),
        row(7, day="2026-03-05"),
        row(7, pay_ref="POS1"),
    ],
)
def test_a_row_of_another_terminal_merchant_or_day_or_of_another_order_is_not_it(there):
    assert owners(recognise([story(1, ("PAID", rrn(7)))], [there], CONFIG)) == {}


def test_a_row_settled_on_the_next_day_is_it():
    found = recognise([story(1, ("PAID", rrn(7)))], [row(7, day=NEXT_DAY)], CONFIG)
    assert owners(found) == {7: ref(1)}


def test_where_orders_are_named_nothing_else_counts():
    found = recognise([story(1, ("PAID", rrn(7)))], [row(7)], NAMING)
    assert (owners(found), found.free) == ({}, {})


def test_another_amount_is_still_its_row():
    """The night then finds that the amounts differ."""
    assert owners(recognise([story(1, ("PAID", rrn(7)))], [row(7, fen=FEN - 100)], CONFIG)) == {7: ref(1)}


def test_a_no_is_about_a_row_only_when_that_is_of_the_amount_asked():
    """A terminal that is asked what became of a sale may tell of the one before it."""
    refused = story(1, ("NOT_PAID", rrn(7)), state="RELEASED")
    assert owners(recognise([refused], [row(7, fen=9900)], CONFIG)) == {}
    assert owners(recognise([refused], [row(7)], CONFIG)) == {7: ref(1)}


def test_who_was_told_yes_goes_before_who_was_told_no():
    refused = story(1, ("NOT_PAID", rrn(7)), state="RELEASED")
    found = recognise([refused, story(2, ("PAID", rrn(7)))], [row(7)], CONFIG)
    assert (owners(found), found.contested) == ({7: ref(2)}, ())


def test_a_row_that_fits_two_payments_is_neithers():
    found = recognise([story(1, ("PAID", rrn(7))), story(2, ("PAID", place(7)))], [row(7)], CONFIG)
    assert owners(found) == {}
    (one,) = found.contested
    assert (set(one.pay_refs), [line.line_no for line in one.lines]) == ({ref(1), ref(2)}, [7])


def test_a_rejected_record_does_not_contest_the_row_of_another():
    rejected = story(1, ("PAID", rrn(7)), state="AVAILABLE_AGAIN")
    found = recognise([rejected, story(2, ("PAID", rrn(7)))], [row(7)], CONFIG)
    assert (owners(found), found.contested) == ({7: ref(2)}, ())


def test_a_payment_that_two_rows_fit_has_neither():
    both = Evidence(rrn=f"{7:012d}", batch="000001", trace="000008")
    found = recognise([story(1, ("PAID", both))], [row(7), row(8)], CONFIG)
    assert owners(found) == {}
    (one,) = found.contested
    assert (one.pay_refs, [line.line_no for line in one.lines]) == ((ref(1),), [7, 8])


def test_the_same_row_twice_is_one_payments_and_told_of_as_doubled():
    found = recognise([story(1, ("PAID", rrn(7)))], [row(7), row(7, line_no=70)], CONFIG)
    assert owners(found) == {7: ref(1), 70: ref(1)}


@pytest.mark.parametrize("kind", [VOID, REFUND])
def test_what_went_back_of_a_return_is_known_by_the_returns_own_evidence(kind):
    returned = story(1, ("PAID", rrn(7)), state="RETURNED", back=rrn(9))
    assert owners(recognise([returned], [row(7), row(9, kind)], CONFIG)) == {7: ref(1), 9: ref(1)}


def test_a_void_that_names_its_sale_and_itself_brings_both():
    """A terminal that is watched tells the sale's batch and trace, and the void's own reference number."""
    voided = story(1, ("NOT_PAID", place(7, rrn=f"{9:012d}")), state="RELEASED")
    assert owners(recognise([voided], [row(7), row(9, VOID)], CONFIG)) == {7: ref(1), 9: ref(1)}


def test_a_void_of_what_nobody_can_point_out_is_not_of_the_programme_either():
    voided = story(1, ("NOT_PAID", rrn(9)), state="RELEASED")
    assert owners(recognise([voided], [row(7), row(9, VOID)], CONFIG)) == {}


def test_what_may_be_a_holds_payment_is_what_nobody_was_told_is_paid():
    held = story(1, state="HELD")
    told, refused = story(2, ("PAID", rrn(8))), story(3, ("NOT_PAID", rrn(9)), state="RELEASED")
    rows = [row(7), row(8), row(9), row(10, fen=FEN + 1), row(11, VOID), row(12, day="2026-03-05")]
    found = recognise([held, told, refused], rows, CONFIG)
    assert [one.line_no for one in found.free_for(held, CONFIG)] == [7, 9]
    assert found.free_for(told, CONFIG) == ()


@given(
    st.lists(
        st.tuples(st.sampled_from(["PAID", "NOT_PAID"]), st.integers(1, 5), st.sampled_from([rrn, place])),
        max_size=6,
    ),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([SALE, VOID])), unique=True, max_size=8),
)
def test_each_row_has_one_owner_at_most_and_none_while_it_is_contested(sales, rows):
    """In whatever order sales and rows are looked at."""
    stories = [story(no, (state, said(number))) for no, (state, number, said) in enumerate(sales, 1)]
    lines = [row(number, kind, line_no=no) for no, (number, kind) in enumerate(rows, 1)]
    found = recognise(stories, lines, CONFIG)
    assert len(owners(found)) == len(found.lines)
    contested = {line.line_no for one in found.contested for line in one.lines}
    assert contested.isdisjoint(owners(found))
    again = recognise(stories[::-1], lines[::-1], CONFIG)
    assert owners(again) == owners(found)
    assert {one.pay_refs for one in again.contested} == {one.pay_refs for one in found.contested}
