"""What does one programme see of what another has granted?"""

import contextlib
import threading

import msgspec
import pytest
import reference_data as reference
from books import ENGINES
from fake_device import promised
from sharing import Sharing, waiting

from settlement.claims.enter_late import EnterLate
from settlement.claims.settle_record import RejectRecord
from settlement.db.connection import reading
from settlement.funds import gather_facts
from settlement.funds.release_hold import FreeGoods
from settlement.registers import shared
from settlement.writer.step import Denied
from subsidy.wire import v1


def item(serial_no):
    """Return a fridge with this serial number."""
    return v1.Item(gtin=reference.FRIDGE, serial_no=serial_no)


def record_of(sealed):
    """Return the record's id."""
    return promised(sealed).record_id


def test_a_person_has_one_quota_in_all_programmes_and_gets_it_back_with_the_goods(one, other, sharing):
    here, there = one.enrol("here"), other.enrol("there")
    sold = one.sell(here, person=1)
    assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]
    # Another category is another quota.
    other.hold(there, person=1, category="AC")
    one.give_back(here, sold)
    assert waiting(one) == []
    again = other.sell(there, person=1)
    assert one.refusals(here, person=1) == ["PERSON_QUOTA_USED"]
    assert ("person", "TRAINING-B", record_of(again)) in sharing.taken()
    assert record_of(sold) not in {line[2] for line in sharing.taken()}


def test_a_serial_number_is_granted_once_in_all_programmes(one, other):
    here, there = one.enrol("here"), other.enrol("there")
    held = one.hold(here, person=1, item=item("SN-1"))
    assert other.refusals(there, person=2, item=item("SN-1")) == ["SERIAL_ALREADY_SUBSIDISED"]
    assert one.take(here, still_open=()) == []
    assert one.record(held).state == "RELEASED"
    other.hold(there, person=2, item=item("SN-1"))
    assert one.refusals(here, person=3, item=item("SN-1")) == ["SERIAL_ALREADY_SUBSIDISED"]


def test_the_programmes_own_books_hold_neither(one):
    one.sell(one.enrol("here"))
    assert one.sql_rows("SELECT * FROM quota") == []
    assert one.sql_rows("SELECT * FROM serial") == []


def test_a_quote_tells_of_what_another_programme_has_granted(one, other):
    one.hold(one.enrol("here"), person=1, item=item("SN-1"))
    there = other.enrol("there")
    question = other.asked(there, there.hold_request(other.pack.hash, person=1, item=item("SN-1"))).question
    rows = shared.empty_rows(other.registers)
    with reading(other.engine) as connection:
        for wanted in gather_facts.asks(question, rows, other.pack, other.clock.now_ms()):
            shared.load(other.registers, connection, wanted, rows)
    facts = gather_facts.gather(question, rows, other.pack, other.clock.now_ms())
    assert (facts.used_in_category, facts.serial_taken) == (1, True)


def test_what_was_freed_and_taken_in_one_batch_is_in_the_register_as_it_is_in_the_books(one, sharing):
    device = one.enrol("here")
    first = one.hold(device, person=1, item=item("SN-1"))
    closed = device.chain(device.closed(record_of(first), promised(first).hold_no))
    released = one.uploaded(device, device.upload([closed]), stated=False)
    again = one.asked(device, device.hold_request(one.pack.hash, person=2, item=item("SN-1")))
    answers = one.write(released, again)
    assert answers[1].typ == v1.PROMISE
    name = again.request.record_id
    assert sharing.taken() == [("person", "TRAINING-A", name), ("serial", "TRAINING-A", name)]
    assert waiting(one) == []


def test_what_was_taken_and_freed_in_one_batch_leaves_nothing(one, sharing):
    device = one.enrol("here")
    one.write(
        one.asked(device, device.hold_request(one.pack.hash)),
        one.uploaded(device, device.upload([], still_open=())),
    )
    assert one.sql_rows("SELECT state FROM record") == [("RELEASED",)]
    assert sharing.taken() == []
    assert waiting(one) == []


def test_a_late_grant_enters_only_when_no_other_programme_has_granted_meanwhile(one, other, sharing):
    here, there = one.enrol("here"), other.enrol("there")
    late = []
    for person in (1, 2, 3):
        sealed = one.hold(here, person=person)
        one.take(here, still_open=())
        assert one.take(here, here.chain(here.paid(sealed))) == ["accepted"]
        late.append(sealed)
    other.hold(there, person=1)
    serial_no = promised(late[1]).item.serial_no
    other.hold(there, person=9, item=item(serial_no))
    assert one.denied(EnterLate(record_of(late[0]), "decision")) == "QUOTA_USED"
    assert one.denied(EnterLate(record_of(late[1]), "decision")) == "SERIAL_TAKEN"
    one.done(EnterLate(record_of(late[2]), "decision"))
    assert other.refusals(there, person=3) == ["PERSON_QUOTA_USED"]
    assert len(sharing.taken("TRAINING-A")) == 2


def test_a_rejected_late_grant_frees_nothing_of_what_another_programme_has_granted(one, other, sharing):
    here, there = one.enrol("here"), other.enrol("there")
    late = one.hold(here, person=1)
    one.take(here, still_open=())
    one.take(here, here.chain(here.paid(late)))
    again = other.hold(there, person=1, item=item(promised(late).item.serial_no))
    taken = sharing.taken()
    one.done(RejectRecord(record_of(late), False, "not to be paid", by="wang, li"))
    one.give_back(here, late)
    assert one.record(late).state == "AVAILABLE_AGAIN"
    assert waiting(one) == []
    assert sharing.taken() == taken
    assert {name for _, _, name in taken} == {record_of(again)}


def test_goods_that_people_freed_are_taken_again_by_a_late_payment_unless_another_programme_has_them(
    one, other, sharing
):
    here, there = one.enrol("here"), other.enrol("there")
    free, gone = one.hold(here, person=1), one.hold(here, person=2)
    for sealed in (free, gone):
        one.done(FreeGoods(by="li, wang", record_id=record_of(sealed), reason="nobody answers"))
    assert sharing.taken() == []
    other.hold(there, person=2, item=item(promised(gone).item.serial_no))
    for sealed in (free, gone):
        assert one.take(here, here.chain(here.paid(sealed))) == ["accepted"]
    assert (one.record(free).state, one.record(gone).state) == ("PAYABLE", "BLOCKED")
    assert "serial number was granted to another" in one.record(gone).why
    assert "used the quota" in one.record(gone).why
    assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]


def test_books_that_were_restored_free_nothing_but_what_their_shops_say_has_ended(tmp_path):
    with Sharing(tmp_path, on="sqlite") as sharing:
        books, other = sharing.programme("TRAINING-A"), sharing.programme("TRAINING-B")
        device, there = books.enrol("here"), other.enrol("there")
        books.hold(device, person=7)
        lost = [books.hold(device, person=person) for person in (1, 2, 3)]
        books.hold(device, person=8)
        # As after a restore: the books know nothing of what was held last.
        names = ", ".join(f"'{record_of(one)}'" for one in lost)
        with contextlib.closing(books.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            for (trigger,) in cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                cursor.execute(f"DROP TRIGGER {trigger}")
            cursor.execute(f"DELETE FROM hold_number WHERE record_id IN ({names})")
            cursor.execute(f"DELETE FROM record WHERE record_id IN ({names})")
            cursor.execute(f"UPDATE qualification SET used_by = NULL WHERE used_by IN ({names})")
        books.start_and_stop()
        assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]
        # One was paid, and comes back after; one was never paid; of one nothing is heard.
        paid_one, never = promised(lost[0]), promised(lost[1])
        told = [
            device.chain(device.paid(lost[0])),
            device.chain(device.closed(never.record_id, never.hold_no)),
        ]
        assert books.writer.write_now([books.uploaded(device, device.upload(told), stated=False)])
        assert books.record(lost[0]).state == "PAYABLE"
        assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]
        other.hold(there, person=2)
        assert other.refusals(there, person=3) == ["PERSON_QUOTA_USED"]
        back = [device.chain(one) for one in (device.returning(paid_one), device.returned(paid_one))]
        books.writer.write_now([books.uploaded(device, device.upload(back), stated=False)])
        other.hold(there, person=1, item=promised(lost[0]).item)


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("apart", [False, True])
def test_two_programmes_that_sell_to_one_person_and_one_serial_number_at_once_grant_once(tmp_path, on, apart):
    with Sharing(tmp_path, on=on, apart=apart) as sharing:
        programmes = [sharing.programme("TRAINING-A"), sharing.programme("TRAINING-B")]
        asked = []
        for books in programmes:
            device = books.enrol(books.pack.programme)
            # Half of them are of one person, the other half of one serial number.
            asked += [
                (books, books.asked(device, device.hold_request(books.pack.hash, **changes)))
                for number in range(25)
                for changes in ({"person": 1}, {"person": 2 + number, "item": item("SN-1")})
            ]
        writers = {id(books): books.new_writer() for books in programmes}
        for writer in writers.values():
            writer.start()
        answers = [None] * len(asked)
        barrier = threading.Barrier(len(asked))

        def ask(number):
            books, command = asked[number]
            barrier.wait()
            answers[number] = writers[id(books)].submit(command)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for writer in writers.values():
            writer.stop()
        assert [books.failures for books in programmes] == [[], []]
        for at in (0, 1):
            granted = [one for one in answers[at::2] if one.typ == v1.PROMISE]
            assert len(granted) == 1
            reasons = {
                reason.value
                for one in answers[at::2]
                if one.typ == v1.REFUSAL
                for reason in msgspec.json.decode(one.payload, type=v1.Refused).reasons
            }
            # Within one programme the code itself is in use too.
            expected = {"PERSON_QUOTA_USED"} if at == 0 else {"SERIAL_ALREADY_SUBSIDISED"}
            assert expected <= reasons <= expected | {"QUALIFICATION_IN_USE", "PERSON_QUOTA_USED"}
        held = [row for books in programmes for row in books.sql_rows("SELECT record_id FROM record")]
        assert len(held) == 2
        assert sorted({line[2] for line in sharing.taken()}) == sorted(name for (name,) in held)
        for books in programmes:
            books.check()


@pytest.mark.parametrize("on", ENGINES)
def test_returns_free_for_the_other_programme_while_both_sell(tmp_path, on):
    with Sharing(tmp_path, on=on) as sharing:
        programmes = [sharing.programme("TRAINING-A"), sharing.programme("TRAINING-B")]
        devices = [books.enrol(books.pack.programme) for books in programmes]
        writers = [books.new_writer() for books in programmes]
        for writer in writers:
            writer.start()
        wrong, most, sold = [], threading.Lock(), [0, 0]
        holders = set()

        def sell(at):
            books, device, writer = programmes[at], devices[at], writers[at]
            for _ in range(12):
                command = books.asked(device, device.hold_request(books.pack.hash, person=1))
                answer = writer.submit(command)
                if isinstance(answer, Denied) or answer.typ != v1.PROMISE:
                    continue
                with most:
                    holders.add(at)
                    sold[at] += 1
                    if len(holders) > 1:
                        wrong.append("two at once")
                promise = promised(books.sealed(answer))
                closed = device.chain(device.closed(promise.record_id, promise.hold_no))
                with most:
                    holders.discard(at)
                writer.submit(books.uploaded(device, device.upload([closed]), stated=False))

        threads = [threading.Thread(target=sell, args=(at,)) for at in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for writer in writers:
            writer.stop()
        for books in programmes:
            books.start_and_stop()
            books.check()
        assert wrong == []
        assert [books.failures for books in programmes] == [[], []]
        states = {row for books in programmes for row in books.sql_rows("SELECT state FROM record")}
        assert states == {("RELEASED",)}
        assert sharing.taken() == []
        assert sum(sold) > 1
