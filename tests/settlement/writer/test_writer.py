"""When is a command's answer given, and what if something fails?"""

import threading

import msgspec
import pytest
from fake_device import promised

from settlement.db.connection import writing
from settlement.funds.top_up import TopUp
from settlement.system import Promised
from settlement.writer import apply
from settlement.writer.step import Denied, Done
from settlement.writer.writer import Writer
from subsidy.policy.split import Part
from subsidy.wire import v1


@pytest.fixture
def failures():
    """What the writer has said that failed."""
    return []


@pytest.fixture
def started(books, failures):
    """A writer that takes commands in its own thread."""
    writer = Writer(books.engine, books.setting, books.clock.now_ms, failures.append)
    writer.start()
    yield writer
    writer.stop()


def test_commands_from_many_threads_are_all_answered_and_booked_once(books, started):
    device = books.enrol()
    asked = [books.asked(device, device.hold_request(books.pack.hash)) for _ in range(30)]
    answers = {}

    def ask(number):
        answers[number] = started.submit(asked[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = {number: answer.typ for number, answer in answers.items()}
    assert kinds == dict.fromkeys(range(30), v1.PROMISE)
    for number, answer in answers.items():
        promise = msgspec.json.decode(answer.payload, type=v1.Promise)
        assert promise.record_id == asked[number].request.record_id
    books.check()
    assert books.money() == {"held": 30 * 43_500}


def test_a_command_that_fails_spoils_no_other_of_its_batch(books, failures, monkeypatch):
    device = books.enrol()
    good = books.asked(device, device.hold_request(books.pack.hash))
    bad = TopUp(2026, (Part("central", 1),), "bad")
    run = apply.run

    def failing(command, *more):
        if command is bad:
            raise ZeroDivisionError("a bug")
        return run(command, *more)

    monkeypatch.setattr(apply, "run", failing)
    writer = Writer(books.engine, books.setting, books.clock.now_ms, failures.append)
    batch = [(command, Promised()) for command in (good, bad, good)]
    writer._take(batch)
    first, failed, again = (waiting for _, waiting in batch)
    assert first.wait(0).typ == v1.PROMISE
    assert again.wait(0) == first.wait(0)
    with pytest.raises(ZeroDivisionError):
        failed.wait(0)
    assert [type(one) for one in failures] == [ZeroDivisionError]
    books.check()


def test_a_hold_is_not_placed_after_the_device_gave_up_while_another_process_had_the_database(books):
    device = books.enrol()
    command = books.asked(device, device.hold_request(books.pack.hash, give_up_after_ms=5_000))
    answers = []
    with writing(books.engine):
        waiting = threading.Thread(target=lambda: answers.extend(books.write(command)))
        waiting.start()
        # Held for longer than the device waits; the writer asks for the lock all the while.
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        books.clock.ahead_ms += 5_001
    waiting.join()
    assert b"HOLD_OVER" in answers[0].payload
    assert books.money() == {}


def test_an_answer_is_given_only_when_it_is_committed(books, monkeypatch):
    device = books.enrol()
    before = books.state_hash()

    def cut(*_rows):
        raise KeyboardInterrupt

    monkeypatch.setattr("settlement.writer.store.write", cut)
    with pytest.raises(KeyboardInterrupt):
        books.writer.write_now([books.asked(device, device.hold_request(books.pack.hash))])
    assert books.state_hash() == before


def test_every_event_names_the_record_it_is_about(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.take(device, device.chain(device.paid(sealed)))
    name = promised(sealed).record_id
    kinds = books.sql_rows(f"SELECT kind FROM event WHERE record_id = '{name}' ORDER BY event_no")
    assert [kind for (kind,) in kinds] == ["hold_placed", "record_booked", "entry_taken"]


def test_a_document_gives_its_money_once(books):
    command = TopUp(2026, (Part("central", 100),), "示例财建〔2026〕9号")
    assert books.write(command) == [Done()]
    (answer,) = books.write(command)
    assert isinstance(answer, Denied)
    assert answer.code == "ALREADY_BOOKED"
    assert [type(one) for one in books.write(msgspec.structs.replace(command, year=2025))] == [Done]


def test_a_document_twice_in_one_batch_counts_once(books):
    command = TopUp(2026, (Part("central", 100),), "one")
    assert [type(one) for one in books.write(command, command)] == [Done, Denied]
