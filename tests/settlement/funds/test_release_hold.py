"""Does a decision by people end a hold, or free its goods first, so that nothing is given back twice?"""

import msgspec
import pytest
import reference_data as reference
from books import changed_pack
from fake_device import promised

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.devices.by_people import FreezeDevice, ReplaceDevice
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.reconcile.apply_night import ApplyNight, EndHold, Recover
from settlement.writer.rows import OpenCount, Qualification, Quota, Serial
from subsidy import ids
from subsidy.wire import v1

GRANT_FEN = 43_500
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no="SN-SAME-1")
PEOPLE = "wang, li"


def release(record_id):
    """Return the decision to end a hold."""
    return ReleaseHold(record_id, "the shop burnt down", by=PEOPLE)


def free(record_id):
    """Return the decision to free person and serial number."""
    return FreeGoods(record_id, "the shopper waits", by=PEOPLE)


def goods(books, sealed):
    """Return who has the serial number and the code, and how much of the quota is used."""
    record = books.record(sealed)
    return (
        books.row(Serial, record.brand, record.serial_no).taken_by,
        books.row(Qualification, record.qualification).used_by,
        books.row(Quota, record.person, record.category, record.year).used,
    )


def open_holds(books):
    """Return how many holds are counted open for the terminal and the shop."""
    rows = (
        books.row(OpenCount, "terminal", reference.TERMINAL),
        books.row(OpenCount, "shop", reference.SHOP),
    )
    return tuple(row.open for row in rows)


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def held(books, device):
    """A hold of person 0 on a serial number."""
    return books.hold(device, person=0, item=ITEM)


def test_a_released_hold_gives_everything_back_and_names_the_decision(books, held):
    name = promised(held).record_id
    books.done(release(name))
    record = books.record(held)
    assert (record.state, record.money, record.why) == (
        "RELEASED",
        None,
        "decided by people: the shop burnt down",
    )
    assert goods(books, held) == (None, None, 0)
    assert open_holds(books) == (0, 0)
    assert books.money() == {}
    ((body,),) = books.sql_rows("SELECT body FROM event WHERE kind = 'hold_ended'")
    assert '"by":"wang, li"' in body


def test_a_hold_is_released_once(books, held):
    name = promised(held).record_id
    books.done(release(name))
    assert books.denied(release(name)) == "NOT_HELD"
    assert books.denied(free(name)) == "NOT_HELD"


@pytest.mark.parametrize("command", [release, free])
def test_only_a_hold_that_is_open_is_released(books, device, held, command):
    assert books.denied(command("0192f4a0-0000-7000-8000-000000000000")) == "RECORD_UNKNOWN"
    books.take(device, device.chain(device.paid(held)))
    assert books.denied(command(promised(held).record_id)) == "NOT_HELD"


@pytest.mark.parametrize("command", [release, free])
def test_a_hold_whose_return_was_heard_of_was_paid_and_stays(books, device, held, command):
    books.take_early(device, device.chain(device.returning(promised(held))))
    assert books.denied(command(promised(held).record_id)) == "RETURN_HEARD"


def test_a_return_that_is_only_said_of_an_unpaid_hold_does_not_outlast_its_device(books, device, held):
    name = promised(held).record_id
    books.take_early(device, device.chain(device.returning(promised(held))))
    books.done(FreezeDevice(device.name, "its key was copied", "li"))
    assert books.denied(release(name)) == "RETURN_HEARD"
    books.done(ReplaceDevice(device.name, "another host sells now", by=PEOPLE))
    books.done(free(name))
    assert goods(books, held) == (None, None, 0)
    assert books.record(held).money == "held"
    books.done(release(name))
    assert (books.record(held).state, books.money(), open_holds(books)) == ("RELEASED", {}, (0, 0))


def test_what_a_replaced_device_sold_is_claimed_once_its_hold_with_a_return_is_released(books, device):
    sold = books.sell(device, person=1)
    held = books.hold(device, person=0, item=ITEM)
    books.take_early(device, device.chain(device.returning(promised(held))))
    day = books.next_day(device)
    books.match()
    books.done(ReplaceDevice(device.name, "its disk is dead", by=PEOPLE))
    assert books.done(BuildClaim(reference.MERCHANT, day)).claim is None
    books.done(release(promised(held).record_id))
    claimed = books.done(BuildClaim(reference.MERCHANT, day))
    assert (claimed.lines, books.record(sold).state) == (1, "IN_CLAIM")


def test_a_paid_record_that_comes_after_the_decision_is_a_late_grant(books, device, held):
    name = promised(held).record_id
    books.done(release(name))
    assert books.take(device, device.chain(device.paid(held))) == ["accepted"]
    assert books.record(held).state == "RELEASED"
    assert books.money()["late_grants_claimed"] == GRANT_FEN
    assert goods(books, held) == (None, None, 0)


def test_a_release_makes_room_under_the_cap_for_one_hold_and_no_more(books, device, held):
    books.pack = changed_pack(books.pack, open_holds_per_terminal=2, open_holds_per_shop=2)
    books.hold(device, person=1)
    assert books.refusals(device, person=2) == ["TOO_MANY_OPEN_HOLDS"]
    books.done(free(promised(held).record_id))
    assert books.refusals(device, person=2) == ["TOO_MANY_OPEN_HOLDS"]
    books.done(release(promised(held).record_id))
    books.hold(device, person=2)
    assert books.refusals(device, person=3) == ["TOO_MANY_OPEN_HOLDS"]


def test_the_caps_hold_to_the_last_one_per_terminal_and_per_shop(books, device):
    books.pack = changed_pack(books.pack, open_holds_per_terminal=3, open_holds_per_shop=5)
    for number in range(3):
        books.hold(device, person=number)
    assert books.refusals(device, person=9) == ["TOO_MANY_OPEN_HOLDS"]
    for number in range(3, 5):
        books.hold(device, person=number, terminal_no=reference.OTHER_TERMINAL)
    assert open_holds(books) == (3, 5)
    over = books.refusals(device, person=9, terminal_no=reference.OTHER_TERMINAL)
    assert over == ["TOO_MANY_OPEN_HOLDS"]


def test_goods_are_freed_while_the_money_stays_held(books, held):
    books.done(free(promised(held).record_id))
    record = books.record(held)
    assert (record.state, record.goods_freed) == ("HELD", True)
    assert goods(books, held) == (None, None, 0)
    assert books.money() == {"held": GRANT_FEN}
    assert open_holds(books) == (1, 1)
    assert books.denied(free(promised(held).record_id)) == "GOODS_FREED"


def test_person_and_serial_number_buy_again_at_once(books, device, held):
    books.done(free(promised(held).record_id))
    again = books.hold(device, person=0, item=ITEM)
    mine = promised(again).record_id
    assert goods(books, again) == (mine, mine, 1)
    assert books.money() == {"held": 2 * GRANT_FEN}


def closed(books, device, held):
    promise = promised(held)
    books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no)))


def stated(books, device, held):
    mine = promised(held).record_id
    books.take(device, still_open=[one for one in books.open_of(device) if one.record_id != mine])


def filed(books, device, held):
    books.clock.ahead_ms += 2
    over_ms = books.clock.now_ms() - 1
    books.done(ApplyNight((EndHold(promised(held).record_id, over_ms, "files"),)))


def released(books, device, held):
    books.done(release(promised(held).record_id))


@pytest.mark.parametrize("end", [closed, stated, filed, released])
@pytest.mark.parametrize("sold_again", [False, True])
def test_whatever_ends_the_hold_then_gives_back_the_money_alone(books, device, held, end, sold_again):
    books.done(free(promised(held).record_id))
    expected = (None, None, 0)
    if sold_again:
        mine = promised(books.hold(device, person=0, item=ITEM)).record_id
        expected = (mine, mine, 1)
    end(books, device, held)
    assert books.record(held).state == "RELEASED"
    assert goods(books, held) == expected
    assert books.money() == ({"held": GRANT_FEN} if sold_again else {})


def test_a_paid_record_takes_again_what_is_still_free(books, device, held):
    name = promised(held).record_id
    books.done(free(name))
    assert books.take(device, device.chain(device.paid(held))) == ["accepted"]
    assert (books.record(held).state, books.record(held).goods_freed) == ("PAYABLE", False)
    assert goods(books, held) == (name, name, 1)
    books.give_back(device, held)
    assert goods(books, held) == (None, None, 0)


def test_a_paid_record_leaves_others_what_they_took_and_its_line_waits(books, device, held):
    books.done(free(promised(held).record_id))
    again = books.hold(device, person=0, item=ITEM)
    mine = promised(again).record_id
    assert books.take(device, device.chain(device.paid(held))) == ["accepted"]
    record = books.record(held)
    assert (record.state, record.blocks) == ("BLOCKED", ("decision_differs",))
    assert "serial number was granted to another" in record.why
    assert "qualification was used by another" in record.why
    assert "quota" in record.why
    assert goods(books, again) == (mine, mine, 2)
    assert books.take(device, device.chain(device.paid(again))) == ["accepted"]
    assert books.record(again).state == "PAYABLE"
    books.give_back(device, held)
    assert goods(books, again) == (mine, mine, 1)


def recover(books, held):
    """Let the night find a hold paid in the files."""
    promise = promised(held)
    books.clock.ahead_ms += 2
    pay_ref = ids.pay_ref(promise.record_id, 1)
    over_ms = books.clock.now_ms() - 1
    books.done(
        ApplyNight((Recover(promise.record_id, over_ms, pay_ref, promise.amounts.to_pay_fen, "files"),))
    )


@pytest.mark.parametrize("sold_again", [False, True])
def test_a_hold_that_the_files_find_paid_does_the_same(books, device, held, sold_again):
    name = promised(held).record_id
    books.done(free(name))
    if sold_again:
        books.hold(device, person=0, item=ITEM)
    recover(books, held)
    record = books.record(held)
    assert record.state == ("BLOCKED" if sold_again else "PAYABLE")
    if not sold_again:
        assert goods(books, held) == (name, name, 1)
    assert books.take(device, device.chain(device.paid(held))) == ["accepted"]
    assert books.record(held).state == record.state


def test_a_late_grant_after_freed_goods_enters_and_takes_them_once(books, device, held):
    name = promised(held).record_id
    books.done(free(name))
    books.done(release(name))
    books.take(device, device.chain(device.paid(held)))
    books.done(EnterLate(name, "decision 1"))
    assert goods(books, held) == (name, name, 1)
    books.give_back(device, held)
    assert goods(books, held) == (None, None, 0)


def test_a_record_that_does_not_fit_is_kept_and_its_goods_stay_free(books, device, held):
    books.done(free(promised(held).record_id))
    books.take(device, device.chain(device.paid(held, paid_fen=1)))
    assert books.record(held).state == "KEPT"
    assert goods(books, held) == (None, None, 0)


def test_the_same_request_again_is_still_the_same_hold(books, device):
    command = books.asked(device, device.hold_request(books.pack.hash, person=0, item=ITEM))
    (first,) = books.write(command)
    promise = msgspec.json.decode(first.payload, type=v1.Promise)
    books.done(free(promise.record_id))
    assert books.write(command) == [first]
    assert books.money() == {"held": GRANT_FEN}


def test_a_record_that_names_nobody_and_nothing_has_nothing_to_free(books, device, held):
    name = promised(held).record_id
    books.sql(f"UPDATE record SET person = '', serial_no = NULL WHERE record_id = '{name}'")
    assert books.denied(free(name)) == "NOTHING_TO_FREE"
