"""Is nothing claimed or paid that no night has matched, and does each night look at what came late?"""

import datetime

import pytest
from fake_device import promised
from night import ACQUIRER, DAY, NEXT_DAY, NightDay, changed, to_pay
from sqlalchemy import select

from settlement.claims import read_claims
from settlement.claims.build import BuildClaim
from settlement.claims.pay import PayClaim
from settlement.claims.read_claims import Total
from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds.matched import MATCHED
from subsidy.policy.model import Tender
from subsidy.wire import v1

LATER = "2026-03-03"


@pytest.fixture
def day(any_books, tmp_path):
    return NightDay(tmp_path, any_books)


def claim(day, of_day=DAY):
    """Build the claim of a day, the device having stated its holds since."""
    day.books.take(day.device)
    return day.books.done(BuildClaim("M001", datetime.date.fromisoformat(of_day)))


def why(day, of_day=DAY):
    """Build the claim of a day, into which nothing goes, and return the one reason."""
    built = claim(day, of_day)
    assert built.claim is None
    (left,) = built.left_out
    return left.why


def complete_nights(day):
    """Return the days of which a night was complete."""
    return [one for (one,) in day.books.sql_rows("SELECT day FROM night_run WHERE complete = 1 ORDER BY 1")]


def late(day, tender=Tender.CARD, charged=True):
    """Return a sale of which the centre hears when the night of its day is over."""
    sealed = day.hold(tender)
    if charged:
        day.charge(sealed)
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    assert complete_nights(day) == [DAY]
    day.report_paid(sealed)
    return sealed


@pytest.mark.parametrize("tender", [Tender.CARD, Tender.QR_SCAN])
def test_a_record_that_comes_after_its_night_waits_for_the_next_one_and_for_no_old_one(day, tender):
    sealed = late(day, tender)
    assert day.record(sealed).state == "PAYABLE"
    assert why(day) == (
        "not matched: no night has looked at it since it was last heard of; the next one does"
    )
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    day.run(NEXT_DAY)
    assert day.record(sealed).night == MATCHED
    assert claim(day).lines == 1


def test_what_comes_late_and_was_never_charged_is_found_by_the_next_night_and_not_claimed(day):
    sealed = late(day, charged=False)
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    day.run(NEXT_DAY)
    assert day.record(sealed).blocks == ("night:missing_in_file",)
    assert why(day) == "blocked: night:missing_in_file"


def test_what_comes_late_with_another_amount_than_the_file_has_is_found_by_the_next_night(day):
    sealed = day.hold()
    day.charge(sealed, fen=to_pay(sealed) - 1)
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    day.report_paid(sealed)
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    day.run(NEXT_DAY)
    assert why(day) == "blocked: night:amount"


def test_a_record_whose_file_has_not_come_waits_for_it_by_its_day(day):
    day.sell()
    day.pass_to(NEXT_DAY)
    assert not day.run().report.complete
    said = why(day)
    assert said.startswith("not matched: The file that should have it has not come")
    assert DAY in said
    # The night of another day does not help; the file does, in whatever night.
    day.write_files()
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    day.run(DAY)
    assert claim(day).lines == 1


def test_a_row_of_a_day_that_was_not_over_does_not_count_yet(day):
    sealed = day.sell()
    day.write_files()
    day.run()
    assert f"{ACQUIRER} {DAY}" in day.record(sealed).night
    day.pass_to(NEXT_DAY)
    assert why(day).startswith("not matched: the file was taken before its day was over")
    day.run()
    assert claim(day).lines == 1


def test_an_attempt_that_is_told_of_anew_is_looked_at_again(day):
    sealed = day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    assert day.record(sealed).night == MATCHED
    day.report(
        v1.Supplement(
            v=1,
            record_id=promised(sealed).record_id,
            attempt=day.attempt(sealed, 2, "NOT_PAID"),
            noted_ms=day.books.clock.now_ms(),
        )
    )
    assert why(day) == "not matched: entry 2 has told of it anew; the next night looks"
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    day.run(NEXT_DAY)
    assert claim(day).lines == 1


def test_what_the_files_found_paid_is_matched_and_its_shops_own_record_is_looked_at_again(day):
    sealed = day.hold()
    day.charge(sealed)
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to(LATER)
    day.run(DAY)
    day.run(NEXT_DAY)
    assert (day.record(sealed).recovered, day.record(sealed).night) == (True, MATCHED)
    built = claim(day)
    assert built.lines == 1
    day.report_paid(sealed)
    pay = PayClaim(built.claim, "bank 1")
    assert day.books.denied(pay) == "NOTHING_TO_PAY"
    day.write_files(LATER)
    day.pass_to("2026-03-04")
    day.run(LATER)
    assert day.books.done(pay).lines == 1


def test_a_line_that_is_not_matched_any_more_is_shown_as_held_back(books):
    device = books.enrol()
    sealed = books.sell(device)
    built = books.claim(device)
    said = device.supplement(promised(sealed).record_id, device.attempt(promised(sealed)))
    assert books.take(device, device.chain(said)) == ["accepted"]
    assert books.denied(PayClaim(built.claim, "bank 1")) == "NOTHING_TO_PAY"
    with reading(books.engine) as connection:
        shown = read_claims.claim(connection, built.claim)
        (summary,) = read_claims.claims(connection, "", 10)
    assert [line.held_back for line in shown.lines] == [
        ("not matched: entry 2 has told of it anew; the next night looks",)
    ]
    assert (shown.totals.open, shown.totals.held_back) == (Total(0, 0), Total(1, built.fen))
    assert summary.totals == shown.totals


def test_a_match_that_a_replaced_file_takes_away_counts_no_more(day):
    sealed = day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    built = claim(day)
    day.card.clear()
    day.write_files()
    day.run(replace_of=[ACQUIRER])
    assert day.record(sealed).blocks == ("night:missing_in_file",)
    assert day.books.denied(PayClaim(built.claim, "bank 1")) == "NOTHING_TO_PAY"


def test_a_match_in_the_next_days_file_counts_no_more_when_that_file_is_replaced(day):
    """UnionPay's day ends at 23:00: a sale of the evening stands in the file of the day after."""
    sealed = day.sell()
    day.card = [changed(one, at=f"{NEXT_DAY}T01:00:00+08:00") for one in day.card]
    day.write_files()
    day.write_files(NEXT_DAY)
    day.pass_to(LATER)
    for of_day in (DAY, NEXT_DAY):
        day.run(of_day)
    assert day.record(sealed).night == MATCHED
    day.card.clear()
    day.plain_sale()
    day.write_files(NEXT_DAY)
    tried = day.run(NEXT_DAY, replace_of=[ACQUIRER], dry_run=True)
    night = day.run(NEXT_DAY, replace_of=[ACQUIRER])
    assert tried.content == night.content
    assert day.record(sealed).blocks == ("night:missing_in_file",)
    assert why(day) == "blocked: night:missing_in_file"


def test_the_night_of_a_day_does_not_look_at_what_was_sold_after_it(day):
    day.pass_to(NEXT_DAY)
    sealed = day.sell()
    day.write_files()
    day.run(DAY)
    assert day.record(sealed).night == ""


def test_the_unmatched_are_found_by_their_index(books):
    c = tables.record.c
    query = select(c.record_id).where(tables.UNMATCHED, c.placed_at_ms < 9_999_999_999_999)
    (plan,) = books.sql_rows(f"EXPLAIN QUERY PLAN {query.compile(compile_kwargs={'literal_binds': True})}")
    assert "record_unmatched" in str(plan)
