"""Does a hold's explanation name the proof that is missing and the step that is next, as time goes on?"""

import pytest
from fake_device import promised
from night import DAY, NEXT_DAY, NightDay, to_pay

from settlement.db.connection import reading
from settlement.devices.by_people import FreezeDevice
from settlement.web.explained_hold import explained


@pytest.fixture
def day(tmp_path):
    """A day with a device, and the files that tell of it."""
    return NightDay(tmp_path)


def told(day, sealed, with_sources=True):
    """Return the explanation of a hold, its missing proofs by name."""
    sources = day.config() if with_sources else None
    with reading(day.books.engine) as connection:
        found = explained(connection, promised(sealed).record_id, sources, 300, day.books.clock.now_ms())
    return found, {one.proof: one.en for one in found.proofs}, found.next_step.en


def test_until_its_time_is_over_the_shop_may_be_taking_the_money(day):
    sealed = day.hold()
    day.books.clock.ahead_ms += 900_000
    found, missing, next_step = told(day, sealed)
    assert (found.over, "taking the money now" in next_step) == (False, True)
    assert missing["statement"] == "Its device has never stated its open holds."
    assert "may still end until 2026-03-01 12:20:00" in missing["files"]
    day.books.clock.ahead_ms += 1
    found, _, next_step = told(day, sealed)
    assert (found.over, "start its host" in next_step) == (True, True)


def test_a_device_that_reports_it_open_sends_people_to_the_shop(day):
    sealed = day.hold()
    day.books.clock.ahead_ms += 1_000_000
    day.report()
    _, missing, next_step = told(day, sealed)
    assert "said that it is open" in missing["statement"]
    assert "whether the sale is parked" in next_step


def test_a_device_that_has_not_stated_that_far_says_how_far(day):
    first = day.hold()
    day.report_paid(first)
    sealed = day.hold()
    _, missing, _ = told(day, sealed)
    assert "up to number 1" in missing["statement"]
    assert "this is 2" in missing["statement"]


def test_the_files_that_are_missing_are_named_one_by_one(day):
    sealed = day.hold()
    day.books.done(FreezeDevice(day.device.name, "stolen", "li"))
    day.pass_to(NEXT_DAY)
    _, missing, next_step = told(day, sealed)
    waited = f"acquirer {DAY}, acquirer {NEXT_DAY}, wechat {DAY}, wechat {NEXT_DAY}"
    assert missing["files"] == f"Files that are not here whole: {waited}."
    assert "frees nothing" in missing["statement"]
    assert "--only-person-and-serial" in next_step
    day.write_files(DAY)
    day.run(DAY)
    assert told(day, sealed)[1]["files"] == (
        f"Files that are not here whole: acquirer {NEXT_DAY}, wechat {NEXT_DAY}."
    )


def files_come(day):
    """Let both days' files come, and run their nights."""
    day.pass_to("2026-03-03")
    for one in (DAY, NEXT_DAY):
        day.write_files(one)
    for one in (DAY, NEXT_DAY):
        day.run(one)


def test_when_the_files_are_here_and_say_nothing_of_it_it_has_ended(day):
    sealed = day.hold()
    files_come(day)
    found, _, _ = told(day, sealed)
    assert (found.state, found.why, found.proofs) == ("RELEASED", f"files {DAY} to {NEXT_DAY}", ())
    assert found.next_step.en.startswith("Nothing")


def test_when_the_files_are_here_and_say_another_amount_it_is_said_to_differ(day):
    sealed = day.hold()
    day.charge(sealed, fen=to_pay(sealed) - 1)
    files_come(day)
    found, missing, next_step = told(day, sealed)
    assert (found.state, [one.kind for one in found.differences]) == ("HELD", ["amount"])
    assert "or they differ" in missing["files"]
    assert f"settlement night run --date {NEXT_DAY}" in next_step


def test_without_a_source_only_people_are_left(day):
    sealed = day.hold()
    day.books.done(FreezeDevice(day.device.name, "stolen", "li"))
    day.pass_to(NEXT_DAY)
    found, missing, next_step = told(day, sealed, with_sources=False)
    assert "files will not end it" in missing["files"]
    assert "two people release it" in next_step
    assert found.device.frozen_by == "li"


def test_a_return_that_was_heard_of_says_that_it_was_paid(day):
    sealed = day.hold()
    device = day.device
    day.books.take_early(device, device.chain(day.returning(sealed)))
    assert "so it was paid" in told(day, sealed)[2]
