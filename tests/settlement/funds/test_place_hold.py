"""Does the fund give its word to this sale?"""

import msgspec
import pytest
import reference_data as reference
from books import changed_pack
from fake_device import promised

from settlement.funds.top_up import TopUp
from settlement.ledger.accounts import Account
from settlement.writer.rows import Qualification, Quota, Serial
from settlement.writer.step import Denied, Signed
from subsidy import seal
from subsidy.money import MOST_FEN
from subsidy.policy.facts import Facts
from subsidy.policy.split import Part
from subsidy.wire import v1


def test_a_hold_takes_money_serial_number_qualification_and_quota_together(books):
    device = books.enrol()
    promise = promised(books.hold(device))
    record = books.record(promise.record_id)
    assert (record.state, record.money, record.subsidy_fen) == ("HELD", "held", 43_500)
    assert books.money() == {"held": 43_500}
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    assert books.row(Qualification, record.qualification).used_by == record.record_id
    assert books.row(Quota, record.person, "FRIDGE", 2026).used == 1


def test_the_promise_says_all_that_a_record_is_held_against(books):
    device = books.enrol()
    request = device.hold_request(books.pack.hash)
    sealed = books.sealed(books.ask(device, request))
    promise = promised(sealed)
    facts = msgspec.json.decode(promise.facts, type=Facts)
    assert seal.unseal(sealed, v1.PROMISE, books.centre.keys.public()) == sealed.payload_bytes()
    assert (promise.record_id, promise.hold_no, promise.item) == (request.record_id, 1, request.item)
    assert (promise.device, promise.epoch, promise.terminal_no) == (device.name, 1, request.terminal_no)
    assert promise.facts_hash == seal.sha256_hex(bytes(promise.facts))
    assert (facts.fund_left_fen, facts.filed_price_fen) == (100_000_000, reference.FILED_FEN)
    assert promise.amounts == v1.Amounts(
        initial_price_fen=300_000,
        merchant_discount_fen=10_000,
        final_price_fen=290_000,
        subsidy_fen=43_500,
        trade_in_fen=5_000,
        to_pay_fen=241_500,
    )
    assert promise.split == (
        Part("central", 36_975),
        Part("province", 2_175),
        Part("city", 2_175),
        Part("county", 2_175),
    )
    assert promise.payee.shop == reference.SHOP
    assert (promise.placed_at_ms, promise.held_for_s) == (books.clock.now_ms(), 900)


def test_the_same_request_again_gets_the_same_promise_and_holds_once(books):
    device = books.enrol()
    command = books.asked(device, device.hold_request(books.pack.hash))
    (first,) = books.write(command)
    books.clock.ahead_ms += 60_000
    assert books.write(command) == [first]
    assert books.write(command, command) == [first, first]
    assert books.happened.count("hold_placed") == 1
    assert books.money() == {"held": 43_500}


def test_a_repeat_is_sealed_to_the_same_bytes(books):
    device = books.enrol()
    command = books.asked(device, device.hold_request(books.pack.hash))
    first, again = (books.sealed(books.write(command)[0]) for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(again)


def test_one_record_id_with_two_contents_freezes_the_device(books):
    device = books.enrol()
    request = device.hold_request(books.pack.hash)
    books.ask(device, request)
    other = msgspec.structs.replace(request, terminal_no=reference.OTHER_TERMINAL)
    assert "two contents" in books.frozen(device, books.asked(device, other))
    assert books.money() == {"held": 43_500}


def test_one_hold_number_for_two_sales_freezes_the_device(books):
    device = books.enrol()
    books.hold(device)
    copied = device.hold_request(books.pack.hash, hold_no=1, person=5)
    assert "hold number 1" in books.frozen(device, books.asked(device, copied))


def test_another_devices_record_is_never_told_and_freezes_who_asks_for_it(books):
    victim, thief = books.enrol("victim"), books.enrol("thief")
    request = victim.hold_request(books.pack.hash)
    books.ask(victim, request)
    books.frozen(thief, books.asked(thief, request))
    assert books.device(victim).frozen is None
    assert books.record(request.record_id).device == victim.name


def test_a_frozen_device_gets_no_hold(books):
    device = books.enrol()
    books.sql(f"UPDATE device SET frozen = 'people said so' WHERE device = '{device.name}'")
    answer = books.ask(device, device.hold_request(books.pack.hash))
    assert isinstance(answer, Denied)
    assert answer.code == "DEVICE_FROZEN"
    assert books.money() == {}


def test_a_hold_is_placed_until_the_device_gives_up_and_not_a_millisecond_later(books):
    device = books.enrol()
    in_time = device.hold_request(books.pack.hash, give_up_after_ms=5_000)
    late = device.hold_request(books.pack.hash, give_up_after_ms=5_000)
    books.clock.ahead_ms += 5_000
    assert books.ask(device, in_time).typ == v1.PROMISE
    books.clock.ahead_ms += 1
    answer = books.ask(device, late)
    assert b"HOLD_OVER" in answer.payload
    assert books.money() == {"held": 43_500}


def test_giving_up_is_counted_by_the_centres_clock_with_the_devices_measured_skew(books):
    device = books.enrol()
    behind = books.clock.now_ms() - 3_600_000
    request = device.hold_request(books.pack.hash, created_ms=behind, skew_ms=3_600_000)
    assert books.ask(device, request).typ == v1.PROMISE
    unknown = device.hold_request(books.pack.hash, created_ms=behind, skew_ms=0)
    assert b"HOLD_OVER" in books.ask(device, unknown).payload


def test_a_promise_already_given_is_repeated_even_when_its_time_to_give_up_is_past(books):
    device = books.enrol()
    command = books.asked(device, device.hold_request(books.pack.hash))
    (first,) = books.write(command)
    books.clock.ahead_ms += 60_000
    assert books.write(command) == [first]


def test_prices_under_another_pack_are_quoted_again(books):
    device = books.enrol()
    assert books.refusals(device, pack_hash="0" * 64) == ["QUOTE_CHANGED"]


def test_a_discount_above_the_price_is_the_requests_fault_and_not_ours(books):
    device = books.enrol()
    prices = v1.Prices(initial_price_fen=100, merchant_discount_fen=101, trade_in_fen=0)
    answer = books.ask(device, device.hold_request(books.pack.hash, prices=prices))
    assert isinstance(answer, Denied)
    assert (answer.status, answer.code) == (422, "CONTRADICTION")


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"terminal_no": reference.TERMINAL_OF_OTHER_SHOP}, ["TERMINAL_NOT_REGISTERED"]),
        ({"terminal_no": "NOSUCH01"}, ["TERMINAL_NOT_REGISTERED"]),
        ({"qualification_code": "NO-SUCH"}, ["QUALIFICATION_UNKNOWN"]),
        ({"person": 999}, ["QUALIFICATION_EXPIRED"]),
        ({"qualification_code": reference.code(7, "AC")}, ["QUALIFICATION_WRONG_CATEGORY"]),
        ({"item": v1.Item(gtin=reference.NOT_FILED, serial_no="SN-1")}, ["PRICE_NOT_FILED"]),
        (
            {"item": v1.Item(gtin=reference.LEVEL_3, serial_no="SN-1")},
            ["ENERGY_LEVEL_NOT_COVERED", "PRICE_ABOVE_FILING"],
        ),
        (
            {"prices": v1.Prices(initial_price_fen=459_901, merchant_discount_fen=0, trade_in_fen=0)},
            ["PRICE_ABOVE_FILING"],
        ),
        (
            {"prices": v1.Prices(initial_price_fen=100_000, merchant_discount_fen=0, trade_in_fen=85_000)},
            ["TRADE_IN_TOO_HIGH"],
        ),
        ({"item": v1.Item(gtin=reference.FRIDGE, serial_no=None)}, ["SERIAL_MISSING"]),
    ],
)  # fmt: skip
def test_a_refusal_names_every_reason_in_order_and_holds_nothing(books, changes, reasons):
    device = books.enrol()
    before = books.state_hash()
    found = books.refusals(device, **changes)
    assert sorted(found) == sorted(reasons)
    assert books.state_hash() == before


def test_a_qualification_counts_to_the_last_millisecond_of_its_time_and_from_the_first(books):
    device = books.enrol()
    name = books.centre.keys.qualification_index(reference.code(5))
    row = books.row(Qualification, name)
    for now_ms, counts in (
        (row.valid_from_ms - 1, False),
        (row.valid_from_ms, True),
        (row.valid_until_ms - 1, True),
        (row.valid_until_ms, False),
    ):
        books.clock.at_ms = now_ms
        request = device.hold_request(books.pack.hash, person=5)
        answer = books.ask(device, request)
        assert (answer.typ == v1.PROMISE) == counts
        if counts:
            books.take(device, device.chain(device.closed(request.record_id, request.hold_no)))


def test_a_product_that_is_not_listed_is_refused(books):
    device = books.enrol()
    found = books.refusals(device, item=v1.Item(gtin=reference.NOT_LISTED, serial_no="SN-1"))
    assert "PRODUCT_NOT_LISTED" in found


def test_a_merchant_that_is_not_active_gets_no_grant(books):
    device = books.enrol(shop="S0041")
    found = books.refusals(device, terminal_no="EMU00004")
    assert found[0] == "MERCHANT_NOT_ACTIVE"


def test_a_serial_number_is_granted_once_whoever_sells_it(books):
    one, two = books.enrol("one"), books.enrol("two")
    item = v1.Item(gtin=reference.FRIDGE, serial_no="SN-SAME")
    books.hold(one, item=item)
    assert books.refusals(two, item=item, person=9) == ["SERIAL_ALREADY_SUBSIDISED"]


def test_a_qualification_holds_one_sale_at_a_time(books):
    device = books.enrol()
    books.hold(device, person=3)
    assert books.refusals(device, person=3) == ["QUALIFICATION_IN_USE", "PERSON_QUOTA_USED"]


def test_the_quota_is_the_persons_over_all_their_codes(books):
    device = books.enrol()
    books.hold(device, person=1)
    person = books.row(Qualification, books.centre.keys.qualification_index(reference.code(1))).person
    second = books.centre.keys.qualification_index(reference.code(2))
    books.sql(f"UPDATE qualification SET person = '{person}' WHERE qualification = '{second}'")
    assert books.refusals(device, person=2) == ["PERSON_QUOTA_USED"]


def test_open_holds_are_capped_for_each_terminal(books):
    device = books.enrol()
    books.pack = changed_pack(books.pack, open_holds_per_terminal=2)
    first, _ = books.hold(device), books.hold(device)
    assert books.refusals(device) == ["TOO_MANY_OPEN_HOLDS"]
    books.hold(device, terminal_no=reference.OTHER_TERMINAL)
    promise = promised(first)
    books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no)))
    books.hold(device)


def test_open_holds_are_capped_for_each_shop(books):
    one, two = books.enrol("one"), books.enrol("two")
    other = books.enrol("three", reference.OTHER_SHOP)
    books.pack = changed_pack(books.pack, open_holds_per_shop=2)
    books.hold(one, person=1)
    books.hold(two, person=2, terminal_no=reference.OTHER_TERMINAL)
    assert books.refusals(one, person=3) == ["TOO_MANY_OPEN_HOLDS"]
    books.hold(other, person=4, terminal_no=reference.TERMINAL_OF_OTHER_SHOP)


def test_the_cap_counts_the_holds_of_the_same_batch(books):
    device = books.enrol()
    books.pack = changed_pack(books.pack, open_holds_per_terminal=3)
    asked = [books.asked(device, device.hold_request(books.pack.hash)) for _ in range(5)]
    answers = books.write(*asked)
    kinds = [answer.typ for answer in answers if isinstance(answer, Signed)]
    assert kinds == [v1.PROMISE] * 3 + [v1.REFUSAL] * 2


def test_the_pool_grants_to_its_last_fen_and_no_further(books):
    device = books.enrol()
    price = v1.Prices(initial_price_fen=400_000, merchant_discount_fen=0, trade_in_fen=0)
    # County bears 5 %: leave it enough for one grant of 60 000 fen and one fen too little for another.
    books.sql("UPDATE balance SET fen = 5999 WHERE funder = 'county' AND account = 'available'")
    books.sql("UPDATE balance SET fen = -5999 WHERE funder = 'county' AND account = 'appropriated'")
    books.check = lambda *_rows: None  # the balances were changed behind the books' back
    books.hold(device, prices=price)
    assert books.refusals(device, prices=price) == ["FUND_EXHAUSTED"]
    assert books.total(Account.HELD) == 60_000


def test_a_fund_larger_than_facts_can_say_pays_what_it_promises(books):
    device = books.enrol()
    funders = ("central", "province", "city", "county")
    for number in (1, 2):
        books.done(TopUp(2026, tuple(Part(name, MOST_FEN) for name in funders), f"a province's {number}"))
    sealed = books.sell(device)
    assert msgspec.json.decode(promised(sealed).facts, type=Facts).fund_left_fen == MOST_FEN
    assert books.record(sealed).state == "PAYABLE"


def test_a_batch_answers_each_command_in_its_order(books):
    device = books.enrol()
    good = device.hold_request(books.pack.hash)
    bad = device.hold_request("0" * 64)
    answers = books.write(books.asked(device, good), books.asked(device, bad), books.asked(device, good))
    assert [answer.typ for answer in answers] == [v1.PROMISE, v1.REFUSAL, v1.PROMISE]
    assert answers[0] == answers[2]
