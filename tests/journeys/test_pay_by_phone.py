"""Shoppers pay by phone at a running shop: by code, from card to phone and back, and through kills."""

import json
import re
from contextlib import contextmanager

import pytest
from audit import bookings
from story.processes import run, wait_for


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True)


@pytest.fixture(autouse=True)
def wechat_is_well(shop):
    shop.wechat.clear_faults()
    yield
    shop.wechat.clear_faults()


def sell(shop, **more):
    return shop.sell(tender=shop.by_phone(), **more)


def test_a_shopper_types_a_password_and_has_paid_once(shop):
    sold = sell(shop)
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    assert shop.moved_by_phone(sold["record_id"]) == ["charge"]
    record = shop.wait_for_record(sold["record_id"], "PAYABLE")
    assert bookings(record) == 1


def test_another_wallets_code_is_refused_and_charges_nothing(shop):
    for code in ("283456789012345678", "6212345678901234567", "99"):
        sold = shop.sell(tender={"kind": "qr_scan", "pay_code": code})
        assert (sold["state"], sold["reasons"][0]["code"]) == ("refused", "TENDER_NOT_ALLOWED")
        assert sold["next_action"] == "USE_ANOTHER_TENDER"


def test_a_code_that_was_not_scanned_is_a_malformed_request(shop):
    answer = shop.call("/v1/sales", shop.body(tender={"kind": "qr_scan"}))
    assert (answer.status_code, answer.json()["code"]) == (422, "PAY_CODE_MISSING")


def test_tills_do_not_wait_for_each_others_shoppers(shop):
    overtook = []
    for _ in range(5):  # on a busy machine a sale may take longer than the other shopper's password
        shop.wechat.fault("userpaying", ms=700)
        slow = shop.selling(shop.body(till="01", tender=shop.by_phone()))
        wait_for("its code is with WeChat Pay", lambda: not shop.wechat.call("GET", "/faults")["faults"])
        assert sell(shop, till="02")["state"] == "paid"
        overtook.append(not slow.done())
        assert slow.result().json()["state"] == "paid"
        if overtook[-1]:
            return
    pytest.fail("the second till always waited")


def test_from_phone_to_card(shop):
    shop.wechat.fault("declined", code="NOT_ENOUGH")
    first = sell(shop)
    assert (first["state"], first["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    sold = shop.pay(first["record_id"])
    assert [one["state"] for one in sold["attempts"]] == ["NOT_PAID", "PAID"]
    assert (shop.moved_by_phone(sold["record_id"]), shop.moved(sold["record_id"])) == ([], ["sale"])


def test_from_card_to_phone(shop):
    shop.terminal().fault("declined")
    first = shop.sell()
    sold = shop.pay(first["record_id"], tender=shop.by_phone())
    assert (sold["state"], [one["tender"] for one in sold["attempts"]]) == ("paid", ["card", "qr_scan"])
    assert (shop.moved_by_phone(sold["record_id"]), shop.moved(sold["record_id"])) == (["charge"], [])


def test_the_card_pays_at_once_while_the_phone_is_undone_and_a_late_yes_is_given_back(shop):
    """Another amount was taken by phone; the reversal is refused for ever, so it is refunded."""
    shop.wechat.fault("wrong_amount", fen=100)
    shop.wechat.fault("declined", on="reverse", code="SYSTEM_BUSY", times=1000)
    first = shop.post("/v1/sales", shop.body(tender=shop.by_phone()), wait_s=0)
    first = shop.wait_for_sale(first["record_id"], lambda sale: sale["next_action"] == "PAY_ANOTHER_WAY")
    assert first["state"] == "unknown"
    sold = shop.pay(first["record_id"])
    assert (sold["state"], sold["attempts"][0]["state"]) == ("paid", "REVERSING")

    shop.wechat.clear_faults()
    shop.wechat.fault("declined", on="reverse", code="REVERSE_EXPIRE", times=1000)

    sold = shop.wait_for_sale(
        sold["record_id"], lambda sale: sale["attempts"][0]["state"] in ("GIVEN_BACK", "NOT_PAID")
    )
    assert shop.moved_by_phone(sold["record_id"])[0] == "charge"
    assert shop.charges(sold["record_id"]) == 1
    shop.wait_for_empty_outbox()


def test_a_shopper_who_walks_off_while_paying_has_paid_nothing(shop):
    shop.wechat.fault("late_answer", on="pay", ms=400)
    body = shop.body(tender=shop.by_phone())
    selling = shop.selling(body)
    sale = shop.wait_for_attempt(body["item"]["serial_no"], "INTENDED")
    shop.stop(sale["record_id"])
    stopped = selling.result().json()
    assert stopped["state"] == "not_paid"
    assert shop.charges(stopped["record_id"]) == 0
    shop.wait_for_record(stopped["record_id"], "RELEASED")


def test_what_is_too_late_to_be_reversed_is_refunded(shop):
    shop.wechat.fault("late_answer", on="pay", ms=400)
    shop.wechat.fault("declined", on="reverse", code="REVERSE_EXPIRE", times=1000)
    body = shop.body(tender=shop.by_phone())
    selling = shop.selling(body)
    sale = shop.wait_for_attempt(body["item"]["serial_no"], "INTENDED")
    shop.stop(sale["record_id"])
    stopped = selling.result().json()
    assert (stopped["state"], stopped["attempts"][0]["state"]) == ("not_paid", "GIVEN_BACK")
    assert shop.moved_by_phone(stopped["record_id"]) == ["charge", "refund"]
    shop.wait_for_record(stopped["record_id"], "RELEASED")


@pytest.mark.parametrize("point", ["request_received", "after_booking", "after_answer"])
def test_killed_around_the_charge_it_is_paid_once_or_not_at_all(point, shop):
    shop.wechat.fault("kill", point=point, pid=shop.agent.pid)
    body = shop.body(tender=shop.by_phone())
    shop.selling(body, key=(key := f"killed-by-phone-{point}"))
    shop.agent.wait_dead()
    shop.restart()

    sale = shop.call("/v1/sales", body, key=key).json()
    sale = shop.wait_for_sale(
        sale["record_id"], lambda sale: sale["state"] == "paid" or sale["closed_because"]
    )

    charges = shop.charges(sale["record_id"])
    assert charges == (1 if sale["state"] == "paid" else 0)
    assert len(sale["attempts"]) == 1
    shop.wait_for_empty_outbox()


def test_shop_it_sees_the_channel(shop):
    assert shop.get("/v1/status")["channels"] == [{"channel": "wechat", "open_attempts": 0}]
    checks = json.loads(run(shop.folder, ["terminal-agent", "doctor", "--config", "agent.yaml", "--json"]))
    (found,) = [one for one in checks["checks"] if one["check"] == "channel wechat"]
    assert found["well"], found


def test_a_channel_that_is_taken_out_of_the_configuration_is_missed_while_money_may_move_on_it(shop):
    shop.wechat.fault("lost_answer", on="pay")
    shop.wechat.fault("lost_answer", on="query", times=1000)
    shop.wechat.fault("lost_request", on="reverse", times=1000)
    parked = sell(shop)
    assert parked["state"] == "unknown"
    link = parked["attempts"][0]["terminal_no"]
    with without_channels(shop):
        assert shop.get("/v1/status")["links_missing"] == [link]
        words = ["terminal-agent", "status", "--config", "agent.yaml"]
        assert f"{link} is not in the configuration" in run(shop.folder, words, 4)
    assert shop.get("/v1/status")["links_missing"] == []
    shop.wechat.clear_faults()
    sold = shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] != "unknown")
    assert shop.charges(sold["record_id"]) == int(sold["state"] == "paid")


@contextmanager
def without_channels(shop):
    """Run the agent on a configuration that has no channels, and then on its own again."""
    config = shop.folder / "agent.yaml"
    own = config.read_text()
    shop.kill()
    config.write_text(re.sub(r"(?m)^channels:\n(  .*\n)+", "", own))
    shop.restart()
    yield
    shop.kill()
    config.write_text(own)
    shop.restart()


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "wrong_key", "system_error"])
def test_without_a_believable_answer_it_is_asked_about_and_settled(fault, shop):
    shop.wechat.fault(fault, on="pay")
    sold = sell(shop)
    charged = shop.moved_by_phone(sold["record_id"])[:1] == ["charge"]
    sold = shop.wait_for_sale(sold["record_id"], lambda sale: sale["state"] in ("paid", "not_paid"))
    assert (sold["state"] == "paid") == charged == (fault != "lost_request")
    assert shop.charges(sold["record_id"]) == int(charged)
