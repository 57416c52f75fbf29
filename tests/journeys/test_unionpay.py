"""Shoppers pay with UnionPay QR at a running shop, by their code and by the till's, and bring goods back.

What moved is read from UnionPay's own books, what was booked from the centre's; at last the night reads
UnionPay's own file, and it has every payment of these sales.
"""

import datetime
from collections import Counter

import pytest

from settlement.reconcile.sources import unionpay_zm
from settlement.reconcile.sources.text import Place
from subsidy import ids
from terminal_agent.emulators.unionpay_books import settle_day_of

SIGNS = {"charge": 1, "reversal": -1, "refund": -1}


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True, unionpay=True)


@pytest.fixture(autouse=True)
def unionpay_is_well(shop):
    shop.unionpay.clear_faults()
    yield
    shop.unionpay.clear_faults()


def came_back(shop, sale):
    """Say that a sale's goods came back, once, in every book."""
    assert (sale["state"], sale["return"]["state"]) == ("returned", "refunded")
    assert sale["return"]["refund_no"] == ids.refund_no(sale["attempts"][-1]["pay_ref"])
    assert shop.standing().get(sale["record_id"], []) == []
    shop.wait_for_record(sale["record_id"], "RETURNED")
    return sale


def test_a_shopper_has_paid_once_and_gets_back_what_was_paid(shop):
    sold = shop.sell(tender=shop.by_unionpay())
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    assert "云闪付" in sold["receipt"]
    assert shop.moved_by_unionpay(sold["record_id"]) == ["charge"]
    shop.wait_for_record(sold["record_id"], "PAYABLE")
    back = came_back(shop, shop.give_back(sold["record_id"]))
    assert "云闪付原路退回" in back["receipt"]


def test_a_declined_wallet_and_then_a_card(shop):
    shop.unionpay.fault("declined", code="37")
    first = shop.sell(tender=shop.by_unionpay())
    assert (first["state"], first["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    sold = shop.pay(first["record_id"])
    assert [one["state"] for one in sold["attempts"]] == ["NOT_PAID", "PAID"]
    assert shop.moved_by_unionpay(sold["record_id"]) == []


def test_a_payment_whose_answer_is_lost_is_asked_about(shop):
    shop.unionpay.fault("lost_answer", on="pay")
    sold = shop.sell(tender=shop.by_unionpay())
    sold = shop.wait_for_sale(sold["record_id"], lambda one: one["state"] == "paid")
    assert shop.moved_by_unionpay(sold["record_id"]) == ["charge"]


def test_what_unionpay_bore_is_shown_and_owed_beside_the_pool(shop):
    shop.unionpay.fault("offer", on="pay", fen=500)
    sold = shop.sell(tender=shop.by_unionpay())
    assert (sold["state"], sold["paid_fen"], sold["offer_fen"]) == ("paid", sold["to_pay_fen"], 500)
    shop.wait_for_record(sold["record_id"], "PAYABLE")
    record = shop.centre_record(sold["record_id"])
    owed = [
        (one["funder"], one["account"], one["fen"])
        for one in record["postings"]
        if one["happening"] == "bank_offer_taken"
    ]
    assert sorted(owed) == [
        ("offer:unionpay", "bank_offer_due", -500),
        ("offer:unionpay", "bank_offer_receivable", 500),
    ]


def test_a_code_that_the_till_shows_is_scanned_and_paid(shop):
    sale = shop.sell(tender=shop.by_shown_code("unionpay"))
    assert shop.unionpay.scan(shop.wait_for_code(sale["record_id"]))
    sold = shop.wait_for_sale(sale["record_id"], lambda one: one["state"] == "paid")
    assert shop.moved_by_unionpay(sold["record_id"]) == ["charge"]


def test_killed_around_the_charge_it_is_paid_once_or_not_at_all(shop):
    body = shop.body(tender=shop.by_unionpay())
    shop.unionpay.fault("kill", point="after_booking", pid=shop.agent.pid)
    shop.selling(body).exception(timeout=60)
    shop.agent.wait_dead()
    shop.restart()
    sale = shop.open_sale_of(body["item"]["serial_no"])
    if sale is not None:
        shop.wait_for_sale(sale["record_id"], lambda one: one["state"] in ("paid", "not_paid"))
    charged = [one for one in shop.unionpay.books() if one["kind"] == "charge" and one["fen"]]
    assert len({one["order_id"] for one in charged}) == len(charged)


def test_the_nights_file_has_every_payment_that_stands(shop):
    """The last of them: its day is read as the night reads it, or both when one has ended meanwhile."""
    moved = [one for one in shop.unionpay.books() if one["kind"] in SIGNS and one["fen"]]
    in_file, in_books = Counter(), Counter()
    for day in sorted({settle_day_of(datetime.datetime.fromisoformat(one["at"])) for one in moved}):
        raw = shop.unionpay.file(day).encode("ascii")
        for line in unionpay_zm.read(raw, Place("unionpay", day, f"unionpay-{day}.zm")).lines:
            in_file[line.pay_ref] += line.net_fen
    for one in moved:
        in_books[(one["orig"] or one["order_id"])[:28]] += SIGNS[one["kind"]] * one["fen"]
    assert {order: fen for order, fen in in_file.items() if fen} == {
        order: fen for order, fen in in_books.items() if fen
    }
    assert any(in_books.values())
