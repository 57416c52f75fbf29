"""Which records go into a merchant's claim?"""

import datetime

import pytest
import reference_data as reference
from fake_device import promised

from settlement.claims import build
from settlement.claims.build import BuildClaim
from settlement.claims.send_back import SendBack
from settlement.funds.matched import MATCHED
from settlement.reconcile.apply_night import ApplyNight, Look
from settlement.writer.rows import Claim, ClaimLine
from subsidy import calendar

DAY = datetime.date(2026, 3, 1)
GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def left_out(answer):
    """Return what was left out: record and why."""
    return {one.record_id: one.why for one in answer.left_out}


def test_what_was_sold_up_to_the_day_is_claimed(books, device):
    sold = [books.sell(device) for _ in range(3)]
    built = books.claim(device)
    assert (built.claim, built.lines, built.fen) == ("C-M001-2026-03-01", 3, 3 * GRANT_FEN)
    assert built.left_out == ()
    claim = books.row(Claim, built.claim)
    assert (claim.merchant, claim.day, claim.lines, claim.fen) == ("M001", "2026-03-01", 3, 3 * GRANT_FEN)
    for sealed in sold:
        record = books.record(sealed)
        assert (record.state, record.money) == ("IN_CLAIM", "in_claim")
        line = books.row(ClaimLine, built.claim, record.record_id)
        assert (line.state, line.fen) == ("SUBMITTED", GRANT_FEN)
    assert books.money() == {"in_claim": 3 * GRANT_FEN}


def test_building_again_builds_nothing(books, device):
    books.sell(device)
    books.claim(device)
    before = books.state_hash()
    again = books.done(BuildClaim("M001", DAY))
    assert (again.claim, again.lines, again.left_out) == (None, 0, ())
    assert books.state_hash() == before


def test_what_was_held_after_the_day_waits_for_its_own(books, device):
    books.sell(device)
    ended = books.next_day(device)
    books.sell(device)
    assert books.done(BuildClaim("M001", ended)).lines == 1
    assert books.claim(device).claim == "C-M001-2026-03-02"


@pytest.mark.parametrize(("before_midnight_ms", "lines"), [(1, 1), (0, 0)])
def test_the_day_ends_at_midnight_in_shanghai(books, device, before_midnight_ms, lines):
    books.clock.ahead_ms += calendar.end_ms(DAY) - before_midnight_ms - books.clock.now_ms()
    books.sell(device)
    books.next_day(device)
    assert books.done(BuildClaim("M001", DAY)).lines == lines


@pytest.mark.parametrize(("after_midnight_ms", "lines"), [(-1, 0), (0, 1)])
def test_a_device_must_have_stated_its_holds_since_the_day_ended(books, device, after_midnight_ms, lines):
    sold = promised(books.sell(device)).record_id
    books.clock.ahead_ms += calendar.end_ms(DAY) + after_midnight_ms - books.clock.now_ms()
    books.take(device)
    books.match()
    answer = books.done(BuildClaim("M001", DAY))
    assert answer.lines == lines
    assert (sold in left_out(answer)) is (lines == 0)
    if not lines:
        assert "has not stated" in left_out(answer)[sold]


def test_a_silent_device_holds_up_only_its_own_sales(books, device):
    silent = books.enrol("silent")
    theirs = promised(books.sell(silent, person=9)).record_id
    books.sell(device)
    answer = books.claim(device)
    assert answer.lines == 1
    assert list(left_out(answer)) == [theirs]
    books.take(silent)
    later = books.done(BuildClaim("M001", DAY))
    assert (later.claim, later.lines) == ("C-M001-2026-03-01-2", 1)


def test_a_frozen_devices_sales_are_named_with_the_reason(books, device):
    books.sell(device)
    books.sql("UPDATE device SET frozen = 'people said so'")
    books.clock.ahead_ms += 86_400_000
    assert "frozen" in str(books.done(BuildClaim("M001", DAY)).left_out)


def test_a_blocked_line_is_left_out_with_its_reasons(books, device):
    sealed = books.sell(device)
    books.take(device, device.chain(device.returning(promised(sealed))))
    answer = books.claim(device)
    assert (answer.claim, left_out(answer)) == (None, {promised(sealed).record_id: "blocked: returning"})


def test_what_is_held_kept_or_ended_is_not_claimed(books, device):
    books.hold(device)
    books.take(device, device.chain(device.paid(books.hold(device), paid_fen=1)))
    closed = promised(books.hold(device))
    books.take(device, device.chain(device.closed(closed.record_id, closed.hold_no)))
    answer = books.claim(device)
    assert (answer.claim, answer.left_out) == (None, ())


def test_a_line_to_correct_goes_into_another_claim_of_the_day(books, device):
    sealed = books.sell(device)
    first = books.claim(device).claim
    books.done(SendBack(first, promised(sealed).record_id, "no photo", to_correct=True))
    second = books.done(BuildClaim("M001", DAY))
    assert (second.claim, second.lines) == (f"{first}-2", 1)
    assert books.row(ClaimLine, first, promised(sealed).record_id).state == "CORRECTED"
    assert books.row(Claim, first).lines == 1


def test_another_merchants_records_are_not_in_it(books, device):
    books.sell(device)
    books.next_day(device)
    answer = books.done(BuildClaim("M002", DAY))
    assert (answer.claim, answer.lines) == (None, 0)


def test_shops_of_one_merchant_share_a_claim(books, device):
    other = books.enrol("other", reference.OTHER_SHOP)
    books.sell(device)
    books.sell(other, person=9, terminal_no=reference.TERMINAL_OF_OTHER_SHOP)
    assert books.claim(device, other).lines == 2


def test_no_claim_is_built_for_a_merchant_nobody_knows(books):
    assert books.denied(BuildClaim("M999", DAY)) == "MERCHANT_UNKNOWN"


@pytest.mark.parametrize("day", [datetime.date.min, datetime.date.max, datetime.date(2099, 1, 1)])
def test_any_day_of_the_calendar_may_be_asked(books, device, day):
    books.sell(device)
    assert books.done(BuildClaim("M001", day)).claim is None


def test_a_claim_that_is_full_leaves_the_rest_for_the_next(books, device, monkeypatch):
    monkeypatch.setattr(build, "MOST_LINES", 2)
    for _ in range(3):
        books.sell(device)
    first = books.claim(device)
    assert (first.lines, first.more, len(first.left_out)) == (2, True, 1)
    second = books.done(BuildClaim("M001", DAY))
    assert (second.lines, second.more, second.left_out) == (1, False, ())
    assert books.money() == {"in_claim": 3 * GRANT_FEN}


def test_two_commands_of_one_batch_do_not_claim_a_record_twice(books, device):
    books.sell(device)
    books.next_day(device)
    first, second = books.write(BuildClaim("M001", DAY), BuildClaim("M001", DAY))
    assert (first.lines, second.lines) == (1, 0)


def test_a_sale_matched_in_the_same_batch_is_claimed_with_it(books, device):
    record_id = promised(books.sell(device)).record_id
    books.clock.ahead_ms += 86_400_000
    books.take(device)
    night = ApplyNight((Look(record_id, "BOOKED", "", MATCHED),))
    _, built = books.write(night, BuildClaim("M001", DAY))
    assert built.lines == 1
