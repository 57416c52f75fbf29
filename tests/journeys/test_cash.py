"""Shoppers pay in cash at a running shop whose pack allows it, and their sales are claimed by their invoices.

What lies in the drawer is counted by the hands that put it there; journal and centre must say the same, to
the fen. The cashier forgets, hurries, says it twice, and the host dies in between.
"""

import time
import uuid

import pytest
import requests
from audit import disagreements, personal_data
from cash_drawer import IN_CASH, Drawer, word
from centre import POLICIES
from real_centre import RealCentre
from shop import PRICES, Shop
from story.processes import wait_for

ALLOWED, WITH_CASH = "value: [card, qr_scan, qr_show]", "value: [card, qr_scan, qr_show, cash]"

# The night waits for the acquirer's file of the day, and it does not come: no sale in cash needs it.
SOURCES = """\
files: incoming
sources:
  - source: acquirer
    layout: acquirer_csv
    file: "acquirer-{date}.csv"
    tenders: [card]
    merchants: {"EMU000000000001": every_shop}
    longest_payment_s: 300
    names_orders: true
"""


@pytest.fixture(scope="module")
def cash_centre(tmp_path_factory):
    """The centre of a programme that allows cash."""
    policies = tmp_path_factory.mktemp("policies")
    for file in POLICIES.glob("TRAINING*.yaml"):
        text = file.read_text(encoding="utf-8")
        assert file.name != "TRAINING.yaml" or ALLOWED in text
        (policies / file.name).write_text(text.replace(ALLOWED, WITH_CASH), encoding="utf-8")
    with RealCentre(tmp_path_factory.mktemp("centre"), policies=policies) as centre:
        yield centre


@pytest.fixture(scope="module")
def shop(tmp_path_factory, cash_centre, moves_taken):
    """A shop that takes cash. At the end drawer, journal and centre agree to the fen."""
    with Shop.open(tmp_path_factory.mktemp("shop"), cash_centre, moves_taken, cash=True) as shop:
        yield shop
        shop.proxy.clear()
        shop.wait_for_empty_outbox()
        shop.agent.stop()
        must_agree(shop)


def must_agree(shop):
    """Say that drawer, journal and centre have the same money, sale by sale and in all."""
    journal = shop.journal()
    assert disagreements(shop, journal) == []
    assert personal_data(shop) == []
    states = {one["record_id"]: one["state"] for one in journal.sales}
    noted = [
        one
        for one in journal.attempts
        if (one["tender"], one["state"], states[one["record_id"]]) == ("cash", "PAID", "PAID")
    ]
    assert noted
    at_centre = [shop.centre_record(one["record_id"])["paid_fen"] for one in noted]
    in_journal = [one["approved_fen"] for one in noted]
    assert (at_centre, sum(in_journal)) == (in_journal, Drawer(shop).fen)


@pytest.fixture(scope="module")
def drawer(shop):
    return Drawer(shop)


def in_cash(shop, **more):
    return shop.sell(tender=IN_CASH, **more)


def record_is_held_back(shop, sale):
    """Say that the centre has the sale, and that nothing but an invoice lets it be claimed."""
    record = shop.wait_for_record(sale["record_id"], "BLOCKED")
    assert (record["paid_fen"], record["blocks"]) == (sale["to_pay_fen"], ["no_invoice"])


def refused(shop, path, body, status, code, **more):
    """Say that the till is refused so, and that nothing of it is kept."""
    answer = shop.call(path, body, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return answer.json()


def test_a_sale_is_paid_when_its_cashier_says_so_and_not_before(shop, drawer):
    asked = in_cash(shop)
    assert (asked["state"], asked["next_action"], asked["receipt"]) == ("paying", "TAKE_CASH", None)
    assert shop.centre_record(asked["record_id"])["state"] == "HELD"
    sold = drawer.take(asked)
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    assert "现金" in sold["receipt"]
    record_is_held_back(shop, sold)


def test_it_is_claimed_when_two_people_have_its_invoice_and_a_night_has_looked(shop, drawer, cash_centre):
    sold = drawer.take(in_cash(shop))
    other = drawer.take(in_cash(shop, category="AC"))
    for one in (sold, other):
        record_is_held_back(shop, one)
    day = cash_centre.let_a_day_pass().isoformat()
    shop.post("/v1/sales", shop.body())  # the shop has stated since what it holds open
    shop.wait_for_empty_outbox()
    held_back = claim(cash_centre, day)
    assert held_back[sold["record_id"]] == held_back[other["record_id"]] == "blocked: no_invoice"

    number, price = "25322000000012345678", f"{PRICES['FRIDGE'] / 100:.2f}"
    take = ["invoices", "take", sold["record_id"], "--number", number, "--reference", "query 2026-03-02/17"]
    with pytest.raises(AssertionError, match="the final price"):
        cash_centre.agreed_command(*take, "--total", "4598.99")
    alone = cash_centre.tell(f"/v1/records/{sold['record_id']}/invoice", invoice("FRIDGE", number))
    approve = f"/v1/proposals/{alone.json()['proposal']}/approve"
    said = cash_centre.tell(approve, {"shown_hash": alone.json()["shown_hash"]})
    assert said.status_code in (403, 409), said.text
    assert cash_centre.record(sold["record_id"])["blocks"] == ["no_invoice"]
    cash_centre.agreed_command(*take, "--total", price)
    wait_for("the line is free", lambda: cash_centre.record(sold["record_id"])["blocks"] == [])

    used = cash_centre.tell(f"/v1/records/{other['record_id']}/invoice", invoice("AC", number))
    assert "INVOICE_USED" in used.text
    held_back = claim(cash_centre, day)
    assert held_back[sold["record_id"]].startswith("not matched: no night has looked at it")
    report = cash_centre.run_night(day, SOURCES)
    assert report["differences"] == []
    held_back = claim(cash_centre, day)
    assert sold["record_id"] not in held_back
    assert held_back[other["record_id"]] == "blocked: no_invoice"
    assert cash_centre.record(sold["record_id"])["state"] == "IN_CLAIM"


def claim(centre, day):
    """Build the claims of a day; return why each line that is left out is."""
    answer = centre.tell("/v1/claims", {"date": day})
    assert answer.status_code == 200, answer.text
    return {one["record_id"]: one["why"] for built in answer.json()["claims"] for one in built["left_out"]}


def invoice(category, number):
    return {"invoice_no": number, "total_fen": PRICES[category], "reference": "query 2026-03-02/18"}


def test_goods_come_back_for_cash_once(shop, drawer):
    sold = drawer.take(in_cash(shop))
    record_is_held_back(shop, sold)
    assert shop.get(f"/v1/sales/{sold['record_id']}/return")["goes_back"]["way"] == "cash"
    asked = shop.give_back(sold["record_id"])
    assert (asked["return"]["state"], asked["next_action"]) == ("refunding", "GIVE_CASH_BACK")
    back = drawer.hand_back(asked)
    assert (back["state"], back["next_action"]) == ("returned", "TAKE_THE_GOODS_BACK")
    shop.wait_for_record(sold["record_id"], "RETURNED")
    path = f"/v1/sales/{sold['record_id']}/cash"
    refused(shop, path, word("with_shopper"), 409, "NO_CASH_ASKED_ABOUT")


def test_cash_that_stayed_in_the_drawer_leaves_the_sale_paid_and_is_given_back_at_the_next_try(shop, drawer):
    sold = drawer.take(in_cash(shop))
    kept = drawer.say(shop.give_back(sold["record_id"]), "in_till")
    assert (kept["state"], kept["next_action"]) == ("paid", "REFUND_REFUSED")
    back = drawer.hand_back(shop.give_back(sold["record_id"]))
    assert (back["state"], back["return"]["tries"]) == ("returned", 2)
    shop.wait_for_record(sold["record_id"], "RETURNED")


# What a cashier does wrong.


def test_cash_where_the_pack_does_not_allow_it_is_refused_before_any_is_asked_for(open_shop):
    other = open_shop(cash=True)
    sale = in_cash(other)
    assert (sale["state"], sale["reasons"][0]["code"]) == ("refused", "TENDER_NOT_ALLOWED")
    refused(other, f"/v1/sales/{sale['record_id']}/cash", word("in_till"), 409, "NO_CASH_ASKED_ABOUT")
    first = other.sell()
    assert first["state"] == "paid"  # by card, at the same till


def test_a_sum_that_does_not_match_what_the_cashier_has_counted_is_not_asked_for(shop, drawer):
    before = drawer.fen
    body = shop.body(tender=IN_CASH, expected_paid_fen=1)
    sale = shop.post("/v1/sales", body)
    assert (sale["state"], sale["attempts"]) == ("refused", [])
    assert drawer.fen == before


def test_money_that_was_taken_is_not_asked_for_a_second_time(shop, drawer):
    body, key = shop.body(tender=IN_CASH), uuid.uuid4().hex
    asked = shop.post("/v1/sales", body, key=key)
    sold = drawer.take(asked, key=f"word-{key}")
    again = shop.post("/v1/sales", body, key=key)
    assert (again["record_id"], again["state"]) == (sold["record_id"], "paid")
    same = shop.post("/v1/sales", body)
    assert (same["record_id"], same["already"], same["state"]) == (sold["record_id"], True, "paid")
    repeated = drawer.say(sold, "in_till", key=f"word-{key}")
    assert (repeated["state"], repeated["paid_fen"]) == ("paid", sold["paid_fen"])
    path = f"/v1/sales/{sold['record_id']}/cash"
    refused(shop, path, word("with_shopper"), 409, "NO_CASH_ASKED_ABOUT")


def test_while_nobody_has_said_no_other_cash_is_taken_at_that_till_and_every_card_is(shop, drawer):
    first = in_cash(shop)
    said = refused(shop, "/v1/sales", shop.body(tender=IN_CASH), 409, "CASH_NOT_ANSWERED")
    assert (said["record_id"], said["next_action"]) == (first["record_id"], "SAY_WHERE_THE_CASH_IS")
    assert shop.sell()["state"] == "paid"
    other_till = drawer.take(in_cash(shop, till="02"))
    assert other_till["state"] == "paid"
    assert drawer.take(shop.sale(first["record_id"]))["state"] == "paid"


def test_a_shopper_without_enough_cash_pays_by_card(shop, drawer):
    asked = in_cash(shop)
    none = drawer.say(asked, "with_shopper")
    assert (none["state"], none["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    sold = shop.pay(asked["record_id"])
    assert [one["state"] for one in sold["attempts"]] == ["NOT_PAID", "PAID"]
    shop.wait_for_record(sold["record_id"], "PAYABLE")


def test_a_sale_given_up_with_the_money_in_the_drawer_ends_when_that_is_back(shop, drawer):
    asked = in_cash(shop)
    drawer.put_in(asked)
    stopped = shop.stop(asked["record_id"])
    assert stopped["next_action"] == "SAY_WHERE_THE_CASH_IS"
    drawer.say(stopped, "in_till")
    told = shop.wait_for_sale(asked["record_id"], lambda sale: sale["next_action"] == "GIVE_CASH_BACK")
    ended = drawer.hand_back(told)
    assert ended["state"] == "not_paid"
    shop.wait_for_record(asked["record_id"], "RELEASED")


# The host dies.


def test_a_host_that_dies_before_the_word_asks_again_and_takes_nothing_by_itself(shop, drawer):
    asked = in_cash(shop)
    drawer.put_in(asked)
    shop.kill()
    with pytest.raises(requests.ConnectionError):
        drawer.say(asked, "in_till")
    shop.restart()
    found = shop.wait_for_sale(asked["record_id"], lambda sale: sale["state"] == "unknown")
    assert found["next_action"] == "SAY_WHERE_THE_CASH_IS"
    sold = drawer.say(found, "in_till")
    assert (sold["state"], sold["paid_fen"]) == ("paid", asked["to_pay_fen"])
    record_is_held_back(shop, sold)


@pytest.mark.parametrize("after_ms", [0, 3, 8, 20])
def test_a_host_that_dies_around_the_word_has_it_or_is_told_again(after_ms, shop, drawer):
    asked = in_cash(shop)
    drawer.put_in(asked)
    key = uuid.uuid4().hex
    saying = shop.submit(lambda: drawer.say(asked, "in_till", key=key))
    time.sleep(after_ms / 1000)
    shop.kill()
    saying.exception(timeout=30)
    shop.restart()
    drawer.say(asked, "in_till", key=key)
    sold = shop.wait_for_sale(asked["record_id"], lambda sale: sale["state"] == "paid")
    assert sold["paid_fen"] == asked["to_pay_fen"]
    record_is_held_back(shop, sold)


def test_a_host_that_dies_in_a_return_asks_whether_the_money_went_back_and_gives_none_by_itself(shop, drawer):
    sold = drawer.take(in_cash(shop))
    record_is_held_back(shop, sold)
    asked = shop.give_back(sold["record_id"])
    drawer.take_out(asked)
    shop.kill()
    shop.restart()
    found = shop.wait_for_sale(sold["record_id"], lambda sale: sale["next_action"] == "GIVE_CASH_BACK")
    back = drawer.say(found, "with_shopper")
    assert (back["state"], back["return"]["tries"]) == ("returned", 1)
    shop.wait_for_record(sold["record_id"], "RETURNED")
