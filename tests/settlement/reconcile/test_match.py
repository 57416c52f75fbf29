"""Over days that nobody thought up: no plant, no difference; one plant, that one; each row in one bucket."""

import dataclasses
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from books import NOON_MS
from hypothesis import given, settings
from hypothesis import strategies as st
from night import ACQUIRER, CARD_NO, DAY, NEXT_DAY, SOURCES, WECHAT, WECHAT_NO

from settlement.reconcile.config import read_night_config
from settlement.reconcile.expect import Attempt, Return, Story
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import Line, Moved, sale_of_record
from settlement.reconcile.match import judge
from settlement.reconcile.propose import items_of
from settlement.reconcile.sales import Files
from settlement.writer.rows import Record
from subsidy import ids
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence

CONFIG = read_night_config(SOURCES, Path("/nowhere/night.yaml"), training=True)
PLACES = frozenset((source, day) for source in (ACQUIRER, WECHAT) for day in (DAY, NEXT_DAY))
ALL_HERE = Files(PLACES, PLACES)
SALE, VOID, REFUND = Moved.SALE, Moved.VOID, Moved.REFUND
PAYABLE, RELEASED = "PAYABLE", "RELEASED"


@dataclasses.dataclass
class Told:
    """A sale: its story, its rows, and the rows and amounts of each try."""

    story: Story
    lines: list[Line]


def tell(number, fen, tries, back):
    """Return a sale whose tries each went a way, and whose goods came back or not.

    Args:
        number: which sale.
        fen: what the shopper pays.
        tries: (tender, way) each; the way is paid, reversed, given_back or declined.
        back: None, void, refund or refused.
    """
    record_id = ids.record_id(NOON_MS, number.to_bytes(10))
    lines, attempts = [], []
    for no, (tender, way) in enumerate(tries, 1):
        ref = ids.pay_ref(record_id, no)
        moves = {
            "paid": [SALE],
            "reversed": [SALE, VOID],
            "reversed_unpaid": [],
            "given_back": [SALE, REFUND],
            "declined": [],
        }[way]
        if way == "paid" and back in ("void", "refund"):
            moves = [SALE, Moved(back)]
        lines += [
            line(number * 100 + no * 10 + place, tender, kind, fen, ref) for place, kind in enumerate(moves)
        ]
        state = {"paid": "PAID", "given_back": "GIVEN_BACK"}.get(way, "NOT_PAID")
        attempts.append(Attempt(ref, tender, state, fen, NOON_MS, NOON_MS + 1000))
    paid = next((one for one in attempts if one.state == "PAID"), None)
    goods = None
    if paid is not None and back is not None:
        state = "REFUSED" if back == "refused" else "REFUNDED"
        goods = Return(paid.pay_ref, ids.refund_no(paid.pay_ref), fen, state, NOON_MS, NOON_MS + 2000)
    record = Record(
        record_id=record_id,
        state=PAYABLE if paid is not None else RELEASED,
        device="d",
        epoch=1,
        hold_no=number,
        shop="S0031",
        to_pay_fen=fen,
        subsidy_fen=fen // 10,
        placed_at_ms=NOON_MS,
        held_for_s=900,
    )
    return Told(Story(record, DAY, tries[0][0], tuple(attempts), goods), lines)


def line(number, tender, kind, fen, ref, **changes):
    """Return a row of the side that a tender goes to."""
    is_card = tender is Tender.CARD
    row = Line(
        source=ACQUIRER if is_card else WECHAT,
        day=DAY,
        line_no=number,
        kind=kind,
        fen=fen,
        pay_ref=ref,
        refund_no="" if is_card or kind is not REFUND else f"{ref}R",
        merchant_no=CARD_NO if is_card else WECHAT_NO,
        ref=f"ref-{number}",
        own_day=DAY,
        raw="",
    )
    return msgspec.structs.replace(row, **changes)


TENDERS = st.sampled_from([Tender.CARD, Tender.QR_SCAN, Tender.QR_SHOW])
LOST = st.sampled_from(["reversed", "reversed_unpaid", "given_back", "declined"])
FEN = st.integers(1, 5_000_000)


@st.composite
def sales(draw):
    """Draw a day of sales."""
    told = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        tries = [(draw(TENDERS), draw(LOST)) for _ in range(draw(st.integers(0, 3)))]
        if draw(st.booleans()) or not tries:
            tries.append((draw(TENDERS), "paid"))
        back = draw(st.sampled_from([None, None, "void", "refund", "refused"]))
        told.append(tell(number, draw(FEN), tries, back))
    return told


def judged(day, files=ALL_HERE):
    """Judge every sale of a day, its rows found by their order number as the night finds them."""
    lines = [one for told in day for one in told.lines]
    stories = {sale_of_record(told.story.record_id): told.story for told in day}
    verdicts = []
    for sale in sorted(stories.keys() | {one.sale for one in lines}):
        of_sale = [one for one in lines if one.sale == sale]
        verdicts.append(judge(stories.get(sale), None, of_sale, CONFIG, files))
    buckets = Counter()
    for verdict in verdicts:
        buckets.update(verdict.buckets.keys())
    assert buckets == Counter({one.place: 1 for one in lines}), "each row is in one bucket"
    return verdicts


def found(verdicts):
    """Return what was found as triples."""
    return [(one.kind, one.pay_ref, one.fen) for verdict in verdicts for one in verdict.findings]


@given(sales())
@settings(max_examples=300)
def test_reversals_returns_and_second_tries_are_no_differences(day):
    verdicts = judged(day)
    assert found(verdicts) == []
    assert [one for verdict in verdicts for one in verdict.waiting] == []
    assert {bucket for verdict in verdicts for bucket in verdict.buckets.values()} <= {"matched"}


def paid_rows(day):
    """Return (sale, row) of each charge that stands alone: not reversed, not returned."""
    return [
        (told, row)
        for told in day
        for row in told.lines
        if row.kind is SALE and sum(one.pay_ref == row.pay_ref for one in told.lines) == 1
    ]


def plant(day, kind, pick, by):
    """Change one thing on a day and return what must be found, or None when the day has no place for it."""
    alone = paid_rows(day)
    backs = [(told, row) for told in day for row in told.lines if row.kind is not SALE]
    returned = [
        (told, row)
        for told, row in backs
        if told.story.goods_return is not None and row.pay_ref == told.story.goods_return.pay_ref
    ]
    given_back = [(told, row) for told, row in backs if row.kind is REFUND]
    places = {
        Kind.RETURN_WITHOUT_REFUND: returned + given_back,
        Kind.MISSING_IN_RECORD: [(told, row) for told in day for row in told.lines if row.kind is SALE],
        Kind.DATE: [(told, row) for told in day for row in told.lines],
        Kind.FOREIGN_MERCHANT: [(told, row) for told in day for row in told.lines],
        Kind.DOUBLED: [(told, row) for told in day for row in told.lines],
    }.get(kind, alone)
    if not places:
        return None
    told, row = places[pick % len(places)]
    place = told.lines.index(row)
    if kind in (Kind.MISSING_IN_FILE, Kind.RETURN_WITHOUT_REFUND):
        del told.lines[place]
    elif kind is Kind.MISSING_IN_RECORD:
        ref = ids.pay_ref(ids.record_id(NOON_MS, (9_999_999).to_bytes(10)), 1)
        row = msgspec.structs.replace(row, pay_ref=ref, line_no=9_999_999, ref="new")
        told.lines.append(row)
    elif kind is Kind.AMOUNT:
        told.lines[place] = msgspec.structs.replace(row, fen=row.fen + by)
        return kind, row.pay_ref, by
    elif kind is Kind.DATE:
        told.lines[place] = msgspec.structs.replace(row, own_day="2025-12-31")
    elif kind is Kind.FOREIGN_MERCHANT:
        told.lines[place] = msgspec.structs.replace(row, merchant_no="999999999999999")
    elif kind is Kind.DOUBLED:
        told.lines.append(msgspec.structs.replace(row, line_no=9_999_999))
    elif kind is Kind.CHANNEL_DISCOUNT:
        told.lines[place] = msgspec.structs.replace(row, offer_fen=by)
        return kind, row.pay_ref, by
    else:
        told.lines.append(msgspec.structs.replace(row, kind=REFUND, line_no=9_999_999, ref="new"))
    return kind, row.pay_ref, row.fen


OF_ROWS_WITHOUT_A_NUMBER = (Kind.TWO_FIT, Kind.MAY_BE_THIS_PAYMENT, Kind.CHARGED_BESIDE)


@pytest.mark.parametrize("kind", [one for one in Kind if one not in OF_ROWS_WITHOUT_A_NUMBER])
@given(day=sales(), pick=st.integers(0, 1000), by=st.integers(1, 10_000))
@settings(max_examples=60)
def test_one_plant_is_exactly_one_difference(kind, day, pick, by):
    planted = plant(day, kind, pick, by)
    if planted is None:
        return
    assert found(judged(day)) == [planted]


@given(sales(), st.sampled_from([ACQUIRER, WECHAT]), st.data())
@settings(max_examples=150)
def test_a_late_file_leaves_nothing_of_what_was_waited_for(day, late, data):
    """Without one side's file its sales wait and are no differences; with it, nothing is left."""
    without = [Told(told.story, [one for one in told.lines if one.source != late]) for told in day]
    verdicts = judged(without, Files(frozenset(place for place in PLACES if place[0] != late), frozenset()))
    missing = {one.pay_ref for told in day for one in told.lines if one.source == late}
    assert [one for one in found(verdicts) if one[1] in missing] == []
    assert found(verdicts) == []
    assert found(judged(day)) == []


def test_the_same_row_in_the_file_of_the_next_day_is_doubled():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    (row,) = told.lines
    told.lines.append(msgspec.structs.replace(row, day=NEXT_DAY, own_day=NEXT_DAY))
    (finding,) = judged([told])[0].findings
    assert (finding.kind, finding.day, finding.places) == (
        Kind.DOUBLED,
        NEXT_DAY,
        (f"{ACQUIRER}/{NEXT_DAY}/110",),
    )


def test_a_sale_settled_on_the_next_day_fits():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    told.lines[0] = msgspec.structs.replace(told.lines[0], day=NEXT_DAY, own_day=NEXT_DAY)
    assert found(judged([told])) == []


@pytest.mark.parametrize("day", ["2026-02-27", "2026-03-05"])
def test_a_sale_in_the_file_of_a_far_day_has_a_wrong_date(day):
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    told.lines[0] = msgspec.structs.replace(told.lines[0], day=day, own_day=day)
    assert found(judged([told])) == [(Kind.DATE, told.lines[0].pay_ref, 5000)]


def test_a_refund_stands_in_the_file_of_its_own_day_however_late():
    told = tell(1, 5000, [(Tender.QR_SCAN, "paid")], "refund")
    told.lines[1] = msgspec.structs.replace(told.lines[1], day="2026-05-05", own_day="2026-05-05")
    assert found(judged([told])) == []


def test_charged_twice_and_given_back_once_fits():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    ref = told.lines[0].pay_ref
    told.lines += [line(8, Tender.CARD, SALE, 5000, ref), line(9, Tender.CARD, VOID, 5000, ref)]
    assert found(judged([told])) == []


def test_charged_twice_and_given_back_once_leaves_one_offer():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    (row,), (paid,) = told.lines, told.story.attempts
    paid = msgspec.structs.replace(paid, evidence=Evidence(offer_fen=70))
    told.story = msgspec.structs.replace(told.story, attempts=(paid,))
    again = line(8, Tender.CARD, SALE, 5000, row.pay_ref, offer_fen=70)
    told.lines = [msgspec.structs.replace(row, offer_fen=70), again]
    told.lines.append(line(9, Tender.CARD, VOID, 5000, row.pay_ref))
    assert found(judged([told])) == []


def test_the_same_kind_twice_on_one_payment_is_one_item_with_both_amounts():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    (row,) = told.lines
    told.lines += [msgspec.structs.replace(row, line_no=number) for number in (888, 999)]
    (verdict,) = judged([told])
    (item,) = items_of(verdict, told.story.record, "platform")
    assert (item.kind, item.fen) == ("doubled", 10_000)
    assert f"{ACQUIRER}/{DAY}/888" in item.detail
    assert f"{ACQUIRER}/{DAY}/999" in item.detail


def test_a_way_of_paying_that_no_source_covers_is_told_and_not_called_missing():
    told = tell(1, 5000, [(Tender.CARD, "paid")], None)
    told.lines.clear()
    shopless = msgspec.structs.replace(told.story.record, shop="S9999")
    told.story = msgspec.structs.replace(told.story, record=shopless)
    (verdict,) = judged([told])
    assert verdict.findings == ()
    assert [(one.wait, one.fen) for one in verdict.waiting] == [("no_source", 5000)]


@pytest.mark.parametrize("state", ["UNKNOWN", "REVERSING", "GIVING_BACK"])
def test_a_try_that_is_open_waits(state):
    told = tell(1, 5000, [(Tender.CARD, "reversed"), (Tender.CARD, "paid")], None)
    first = msgspec.structs.replace(told.story.attempts[0], state=state)
    told.story = msgspec.structs.replace(told.story, attempts=(first, told.story.attempts[1]))
    del told.lines[1]  # its reversal is still to come
    (verdict,) = judged([told])
    assert verdict.findings == ()
    assert [(one.wait, one.pay_ref, one.fen) for one in verdict.waiting] == [
        ("attempt_open", first.pay_ref, 5000)
    ]
