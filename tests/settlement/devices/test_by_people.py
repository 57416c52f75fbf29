"""What may people do with a device, and what stays impossible?"""

import pytest
import reference_data as reference
from fake_device import promised
from sqlalchemy.exc import IntegrityError

from settlement.claims.build import BuildClaim
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.funds.release_hold import ReleaseHold
from settlement.writer.step import Denied
from subsidy.wire import v1


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def freeze(device):
    return FreezeDevice(device.name, "stolen", "li")


def unfreeze(device):
    return UnfreezeDevice(device.name, "found again", by="wang, li")


def replace(device):
    return ReplaceDevice(device.name, "its disk is dead", by="wang, li")


def is_denied(books, device):
    """Whether the device's next upload is turned away."""
    (answer,) = books.write(books.uploaded(device, device.upload((), still_open=books.open_of(device))))
    return isinstance(answer, Denied) and answer.code == "DEVICE_FROZEN"


def test_a_device_that_people_froze_gets_no_hold_and_reports_nothing(books, device):
    sealed = books.hold(device)
    books.done(freeze(device))
    assert is_denied(books, device)
    answer = books.ask(device, device.hold_request(books.pack.hash))
    assert (answer.code, "stolen" in answer.detail) == ("DEVICE_FROZEN", True)
    assert books.record(sealed).state == "HELD"
    assert books.differences(device.name) == ["device_frozen"]


def test_a_device_that_people_let_go_goes_on_where_it_was_and_nothing_is_lost(books, device):
    sealed = books.hold(device)
    paid = device.chain(device.paid(sealed))
    books.done(freeze(device))
    books.done(unfreeze(device))
    row = books.device(device)
    assert (row.frozen, row.frozen_by, row.epoch) == (None, "", 1)
    assert books.differences(device.name) == []
    assert books.take(device, paid) == ["accepted"]
    books.hold(device)
    bodies = [body for (body,) in books.sql_rows("SELECT body FROM event WHERE kind LIKE 'device_%frozen'")]
    assert ['"by":"li"' in bodies[0], '"by":"wang, li"' in bodies[1]] == [True, True]


def test_freezing_and_letting_go_count_once(books, device):
    assert books.denied(unfreeze(device)) == "NOT_FROZEN"
    books.done(freeze(device))
    assert books.denied(freeze(device)) == "ALREADY_FROZEN"


def test_a_device_that_contradicted_itself_is_never_let_go(books, device):
    first = books.hold(device)
    copied = device.hold_request(books.pack.hash, hold_no=1, person=5)
    books.frozen(device, books.asked(device, copied))
    assert books.denied(unfreeze(device)) == "DEVICE_CONTRADICTED_ITSELF"
    assert books.denied(freeze(device)) == "ALREADY_FROZEN"
    books.done(replace(device))
    assert books.denied(unfreeze(device)) == "DEVICE_REPLACED"
    assert books.record(first).state == "HELD"


def test_a_contradiction_is_found_when_a_device_was_let_go_too_early(books, device):
    books.take(device, device.chain(device.paid(books.hold(device))))
    books.done(freeze(device))
    books.done(unfreeze(device))
    fork = device.at(1, "0" * 64, b"another story")
    books.frozen(device, books.uploaded(device, device.upload([fork])))
    assert books.device(device).frozen_by == ""
    assert books.denied(unfreeze(device)) == "DEVICE_CONTRADICTED_ITSELF"


def test_replacing_is_for_good_and_once(books, device):
    books.done(replace(device))
    assert books.denied(replace(device)) == "DEVICE_REPLACED"
    assert books.device(device).frozen == "replaced: its disk is dead"
    assert is_denied(books, device)
    for statement in (
        f"UPDATE device SET replaced = 0 WHERE device = '{device.name}'",
        f"UPDATE device SET frozen = NULL WHERE device = '{device.name}'",
    ):
        with pytest.raises(IntegrityError, match="stays frozen"):
            books.sql(statement)


@pytest.mark.parametrize("command", [freeze, unfreeze, replace])
def test_a_device_that_is_not_here_is_told(books, command):
    class Nobody:
        name = "nobody"

    assert books.denied(command(Nobody)) == "DEVICE_UNKNOWN"


def test_what_a_replaced_device_has_reported_is_claimed_once_its_last_hold_has_ended(books, device):
    sold, held = books.sell(device), books.hold(device)
    books.done(replace(device))
    day = books.next_day()
    waiting = books.done(BuildClaim(reference.MERCHANT, day))
    assert waiting.claim is None
    assert waiting.left_out[0].why.startswith("1 holds of its replaced device")
    books.done(ReleaseHold(promised(held).record_id, "it burnt", by="wang, li"))
    claimed = books.done(BuildClaim(reference.MERCHANT, day))
    assert (claimed.lines, claimed.left_out) == (1, ())
    assert books.record(sold).state == "IN_CLAIM"


def test_what_a_frozen_device_has_reported_waits_for_its_statement(books, device):
    books.sell(device)
    books.done(freeze(device))
    waiting = books.done(BuildClaim(reference.MERCHANT, books.next_day()))
    assert "has not stated" in waiting.left_out[0].why
    assert waiting.left_out[0].why.endswith("it is frozen")
    books.done(unfreeze(device))
    assert books.claim(device).lines == 1


def test_the_new_host_sells_beside_the_open_holds_of_the_old_one(books, device):
    old = books.hold(device, person=0)
    books.done(replace(device))
    new = books.enrol("new host")
    assert books.refusals(new, person=0) == ["QUALIFICATION_IN_USE", "PERSON_QUOTA_USED"]
    books.sell(new, person=1, item=v1.Item(gtin=reference.FRIDGE, serial_no="SN-NEW-01"))
    assert books.record(old).state == "HELD"
