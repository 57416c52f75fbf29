"""What goes on while a register cannot be asked?"""

import contextlib
import shutil
import time

import pytest
from fake_device import promised
from sharing import Sharing, waiting

from settlement.alarms.kinds import AlarmCode
from settlement.alarms.look import alarms
from settlement.db.connection import reading
from settlement.registers.database import RegisterDown
from settlement.registers.tries import TRY_AGAIN_MS
from settlement.system import Promised
from subsidy.wire import v1


def place_of(sharing):
    """Return where the register lies."""
    return sharing.settings.places[0].database


def let_go(books):
    """Let connections end that a test is about to make useless."""
    for database in books.registers.databases:
        database.close()


def test_nothing_is_granted_and_paid_records_are_booked(one, other, sharing):
    device, there = one.enrol("here"), other.enrol("there")
    paid, closed, back = one.hold(device, person=1), one.hold(device, person=2), one.sell(device, person=3)
    let_go(one)
    let_go(other)
    with sharing.away(place_of(sharing)):
        before = one.state_hash()
        with pytest.raises(RegisterDown, match="register of person and serial at"):
            one.hold(device, person=4)
        assert one.state_hash() == before
        assert one.take_early(device, device.chain(device.paid(paid))) == ["accepted"]
        promise = promised(closed)
        ended = device.chain(device.closed(promise.record_id, promise.hold_no))
        assert one.take_early(device, ended) == ["accepted"]
        one.give_back(device, back)
        assert [one.record(sealed).state for sealed in (paid, closed, back)] == [
            "PAYABLE",
            "RELEASED",
            "RETURNED",
        ]
        assert len(waiting(one)) == 4
    let_go(one)
    assert other.refusals(there, person=2) == ["PERSON_QUOTA_USED"]
    one.start_and_stop()
    assert waiting(one) == []
    assert {line[2] for line in sharing.taken("TRAINING-A")} == {promised(paid).record_id}
    other.hold(there, person=2)
    other.hold(there, person=3)
    assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]


def test_what_a_register_has_not_been_told_for_longer_than_a_shop_may_be_silent_is_an_alarm(one, sharing):
    def untold():
        with reading(one.engine) as connection:
            found = alarms(connection, one.pack, None, 300, one.clock.now_ms(), None)
        return [alarm.about for alarm in found if alarm.code == AlarmCode.REGISTER_NOT_TOLD]

    device = one.enrol("here")
    held = one.hold(device)
    promise = promised(held)
    let_go(one)
    with sharing.away(place_of(sharing)):
        one.take_early(device, device.chain(device.closed(promise.record_id, promise.hold_no)))
        assert untold() == []
        one.clock.ahead_ms += 301_000
        assert untold() == [(f"person of {promise.record_id}", f"serial of {promise.record_id}")]
    let_go(one)
    one.start_and_stop()
    assert untold() == []


def test_the_service_says_it_once_and_goes_on_by_itself_when_the_register_is_back(one, sharing):
    device = one.enrol("here")
    request = device.hold_request(one.pack.hash, person=1)
    promise = promised(one.sealed(one.ask(device, request)))
    let_go(one)
    writer = one.new_writer()
    writer.start()
    try:
        # The start has settled, so the writer has the register open: let it lose that.
        deadline = time.monotonic() + 10
        while writer._tries.owes and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not writer._tries.owes
        # It has said so before it is done; what it answers after that tells that it is.
        writer.submit(one.asked(device, request))
        connections = writer._tries._connections
        with contextlib.ExitStack() as down:
            for connection in list(connections.values()):
                connection.invalidate()
                connection.close()
            connections.clear()
            let_go(one)
            down.enter_context(sharing.away(place_of(sharing)))
            asked = [one.asked(device, device.hold_request(one.pack.hash, person=9)) for _ in range(3)]
            for command in asked:
                with pytest.raises(RegisterDown):
                    writer.submit(command)
            closed = device.chain(device.closed(promise.record_id, promise.hold_no))
            writer.submit(one.uploaded(device, device.upload([closed]), stated=False))
            assert len(waiting(one)) == 2
            assert [type(failure) for failure in one.failures] == [RegisterDown]
        # It does not ask again before its time, so that a dead register costs little.
        with pytest.raises(RegisterDown):
            writer.submit(asked[0])
        one.wake_ms.at_ms += TRY_AGAIN_MS
        assert writer.submit(asked[0]).typ == v1.PROMISE
        assert waiting(one) == []
        assert {line[2] for line in sharing.taken()} == {asked[0].request.record_id}
    finally:
        writer.stop()


def test_one_that_needs_no_register_is_not_spoiled_by_those_of_its_batch_that_do(one, sharing):
    device = one.enrol("here")
    held = one.hold(device, person=1)
    let_go(one)
    writer = one.new_writer()
    with sharing.away(place_of(sharing)):
        commands = [
            one.asked(device, device.hold_request(one.pack.hash, person=2)),
            one.uploaded(device, device.upload([device.chain(device.paid(held))]), stated=False),
        ]
        batch = [(command, Promised()) for command in commands]
        writer._take(batch)
        with pytest.raises(RegisterDown):
            batch[0][1].wait(0)
        assert batch[1][1].wait(0)
        assert one.record(held).state == "PAYABLE"
    writer._forget()
    writer._tries.close()


def test_an_older_copy_of_a_register_is_not_taken_from(tmp_path):
    with Sharing(tmp_path, on="sqlite") as sharing:
        books = sharing.programme("TRAINING-A")
        device = books.enrol("here")
        let_go(books)
        file = place_of(sharing).path
        shutil.copy(file, tmp_path / "copy")
        books.hold(device, person=1)
        let_go(books)
        shutil.copy(tmp_path / "copy", file)
        with pytest.raises(RegisterDown, match="Put the newest one back"):
            books.hold(device, person=2)


def test_another_register_in_its_place_is_not_taken_from(tmp_path):
    with Sharing(tmp_path / "a", on="sqlite") as sharing, Sharing(tmp_path / "b", on="sqlite") as foreign:
        books = sharing.programme("TRAINING-A")
        device = books.enrol("here")
        let_go(books)
        shutil.copy(place_of(foreign).path, place_of(sharing).path)
        with pytest.raises(RegisterDown, match="Put that one back"):
            books.hold(device, person=1)
