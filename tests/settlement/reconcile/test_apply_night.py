"""Is a proposal passed over when what it saw has changed before the writer came to it?"""

import pytest
from fake_device import promised
from night import DAY, NEXT_DAY, NightDay, changed, pay_ref, to_pay, triples

from settlement.funds.matched import MATCHED
from settlement.reconcile import run
from settlement.reconcile.apply_night import ApplyNight, EndHold, Find, Recover, Settle
from settlement.reconcile.kinds import Kind
from settlement.writer.rows import Difference
from subsidy.wire import v1

LONG_AGO = 1


@pytest.fixture
def day(tmp_path):
    return NightDay(tmp_path)


def night_with(day, meanwhile, of_day=DAY):
    """Run a night during which something happens between its proposal and its application."""
    waiting = [meanwhile]

    def submit(command):
        if waiting:
            waiting.pop()()
        return day.books.write(command)[0]

    return run.run_night(day.parts(submit), of_day)


def two_days(day):
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to("2026-03-03")
    run.run_night(day.parts(), DAY)


def test_a_hold_that_the_shop_has_closed_meanwhile_is_not_ended_again(day):
    held = day.hold()
    two_days(day)
    night_with(day, lambda: day.report_closed(held), NEXT_DAY)
    assert day.record(held).why == "closed: stopped"
    assert day.books.happened.count("hold_ended") == 1


def test_a_hold_that_the_shop_reports_paid_meanwhile_is_booked_once(day):
    held = day.hold()
    day.charge(held)
    two_days(day)
    night = night_with(day, lambda: day.report_paid(held), NEXT_DAY)
    record = day.record(held)
    assert (record.state, record.recovered) == ("PAYABLE", False)
    assert day.books.money() == {"payable": record.subsidy_fen}
    assert "record_recovered" not in day.books.happened
    assert night.report.differences == ()


def test_a_hold_found_unpaid_that_the_shop_reports_paid_meanwhile_stays_paid(day):
    """The files do not end a record; the night that comes next makes it a difference, and its owner looks."""
    held = day.hold()
    two_days(day)
    night_with(day, lambda: day.report_paid(held), NEXT_DAY)
    assert day.record(held).state == "PAYABLE"
    day.write_files("2026-03-03")
    day.pass_to("2026-03-04")
    found = triples(day.run("2026-03-03").report)  # the day on which its shop says that it was paid
    assert found == [(Kind.MISSING_IN_FILE, pay_ref(held), to_pay(held))]
    assert day.record(held).state == "BLOCKED"


def test_a_difference_whose_record_has_come_meanwhile_is_not_opened(day):
    held = day.hold()
    day.charge(held)
    day.report_closed(held)
    day.write_files()
    day.pass_to(NEXT_DAY)
    night = night_with(day, lambda: day.report_paid(held))
    # Found and settled in one night: the tombstone was RELEASED before and is RELEASED now.
    assert night.report.differences == ()
    item = day.books.row(Difference, pay_ref(held), "missing_in_record")
    assert item is None or item.closed_ms is not None


def test_a_return_that_comes_meanwhile_is_looked_at_again(day):
    sold = day.sell()
    day.refund(sold)  # past the till, as it seems
    day.write_files()
    day.pass_to(NEXT_DAY)
    night = night_with(day, lambda: day.report(day.returning(sold), day.returned(sold)))
    assert night.report.differences == ()
    record = day.record(sold)
    assert (record.state, record.blocks) == ("RETURNED", ())


@pytest.mark.parametrize("looked_before", [False, True])
def test_an_attempt_told_of_anew_meanwhile_is_not_covered_by_the_match_before_it(day, looked_before):
    sold = day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    if looked_before:
        day.card_file().rename(day.folder / "late.csv")
        day.run()
        assert day.record(sold).night
        (day.folder / "late.csv").rename(day.card_file())
    anew = v1.Supplement(
        v=1,
        record_id=promised(sold).record_id,
        attempt=day.attempt(sold, 2, "UNKNOWN"),
        noted_ms=day.books.clock.now_ms(),
    )
    night_with(day, lambda: day.report(anew))
    assert day.record(sold).night != MATCHED


def test_a_proposal_about_a_record_at_another_stage_changes_nothing(day):
    sold = day.record(day.sell())
    before = day.books.state_hash()
    find = Find(
        subject=sold.pay_ref,
        kind="amount",
        day=DAY,
        fen=1,
        pay_ref=sold.pay_ref,
        record_id=sold.record_id,
        seen="HELD",
        owner="platform",
        detail="",
        next_step="",
    )
    day.books.write(
        ApplyNight(
            (
                EndHold(sold.record_id, LONG_AGO, "files"),
                Recover(sold.record_id, LONG_AGO, sold.pay_ref, 1, "files"),
                find,
                Settle(sold.pay_ref, "amount", sold.record_id, "BOOKED", True),
                EndHold("01900000-0000-7000-8000-000000000001", LONG_AGO, "files"),
            )
        )
    )
    assert day.books.state_hash() == before


def test_no_hold_is_ended_before_its_time_by_the_writers_own_clock(day):
    held = day.record(day.hold())
    day.books.write(ApplyNight((EndHold(held.record_id, day.books.clock.now_ms(), "files"),)))
    assert day.books.record(held.record_id).state == "HELD"
    day.books.clock.ahead_ms += 1
    day.books.write(ApplyNight((EndHold(held.record_id, day.books.clock.now_ms() - 1, "files"),)))
    assert day.books.record(held.record_id).state == "RELEASED"


def test_a_line_in_a_claim_is_blocked_where_it_is(day):
    sold = day.sell()
    day.books.sql("UPDATE record SET state = 'IN_CLAIM' WHERE state = 'PAYABLE'")
    day.card = []
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    record = day.record(sold)
    assert (record.state, record.blocks) == ("IN_CLAIM", ("night:missing_in_file",))


def test_a_line_that_came_after_its_difference_is_blocked_by_the_next_night(day):
    held = day.hold()
    day.charge(held, fen=to_pay(held) - 1)
    two_days(day)
    day.run(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.AMOUNT, pay_ref(held), 1)]
    day.report_paid(held)  # the shop says that it was the whole amount
    assert day.record(held).blocks == ()
    day.run()
    assert day.record(held).blocks == ("night:amount",)


def test_many_proposals_go_to_the_writer_in_chunks(day, monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 3)
    for _ in range(7):
        day.sell()
    day.card = [changed(one, mid="9" * 15) for one in day.card]
    day.write_files()
    day.pass_to(NEXT_DAY)
    sizes = []

    def submit(command):
        sizes.append(len(command.proposals))
        return day.books.write(command)[0]

    night = run.run_night(day.parts(submit), DAY)
    assert sizes == [3, 3, 1]
    assert (len(night.report.differences), night.applied) == (7, 7)
