"""Goods come back to a running shop: by card and by phone, with and without a line, refused and unclear.

What moved is read from the terminal's and WeChat Pay's own books, what was booked from the centre's.
"""

import uuid

import pytest
from killing_proxy import cut, lose_answer
from shop import RETURN
from story.processes import wait_for

from subsidy import ids
from subsidy.policy.next_action import NextAction
from terminal_agent.journal.open import open_journal


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True)


@pytest.fixture(autouse=True)
def wechat_is_well(shop):
    yield
    shop.wechat.clear_faults()


def is_over(sale):
    return sale["return"] is not None and sale["return"]["ended_at"] is not None


def came_back(shop, sale):
    """Say that a sale's goods came back, once, in every book."""
    assert (sale["state"], sale["return"]["state"]) == ("returned", "refunded")
    assert sale["next_action"] == NextAction.TAKE_THE_GOODS_BACK
    assert sale["return"]["refund_no"] == ids.refund_no(sale["attempts"][-1]["pay_ref"])
    assert shop.standing().get(sale["record_id"], []) == []
    shop.wait_for_record(sale["record_id"], "RETURNED")
    return sale


def stays_sold(shop, sale):
    """Say that a sale stays paid, in every book."""
    assert sale["state"] == "paid"
    assert shop.standing()[sale["record_id"]] == [sale["paid_fen"]]
    shop.wait_for_empty_outbox()
    assert shop.centre_record(sale["record_id"])["state"] == "PAYABLE"


def test_a_card_is_voided_while_its_batch_is_open(shop):
    sold = shop.sell()
    came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved(sold["record_id"]) == ["sale", "void"]


def test_a_card_is_refunded_when_its_batch_was_settled(shop):
    sold = shop.sell()
    shop.terminal().settle()
    came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved(sold["record_id"]) == ["sale", "refund"]


def test_a_card_is_voided_after_other_sales_on_its_terminal(shop):
    sold = shop.sell()
    other = shop.sell("AC")
    came_back(shop, shop.give_back(sold["record_id"]))
    stays_sold(shop, shop.sale(other["record_id"]))


def test_a_phone_is_refunded_by_wechat_pay(shop):
    sold = shop.sell(tender=shop.by_phone())
    back = came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved_by_phone(sold["record_id"]) == ["charge", "refund"]
    assert "微信支付原路退回" in back["receipt"]


def test_an_item_that_came_back_is_sold_again_to_the_same_person(shop):
    body = shop.body()
    came_back(shop, shop.give_back(shop.post("/v1/sales", body)["record_id"]))
    shop.wait_for_empty_outbox()
    again = shop.post("/v1/sales", body)
    assert again["state"] == "paid", again["reasons"]


def test_the_preview_is_what_then_goes_back(shop):
    sold = shop.sell()
    shown = shop.get(f"/v1/sales/{sold['record_id']}/return")
    assert shown["goes_back"]["to_shopper_fen"] == sold["paid_fen"] == sold["to_pay_fen"]
    assert sum(one["fen"] for one in shown["goes_back"]["to_funders"]) == sold["subsidy_fen"]
    stays_sold(shop, shop.sale(sold["record_id"]))
    back = came_back(shop, shop.give_back(sold["record_id"]))
    assert back["return"]["goes_back"] == shown["goes_back"]


def test_receipts_name_the_clauses_and_are_printed_again(shop):
    sold = shop.sell()
    assert "依据" in sold["receipt"]
    assert "训练" in sold["receipt"] or "TRAIN" in sold["receipt"]
    again = shop.post(f"/v1/sales/{sold['record_id']}/reprint", {})
    assert again["receipt"].replace("*** 重打印 ***\n", "") == sold["receipt"]
    back = came_back(shop, shop.give_back(sold["record_id"]))
    again = shop.post(f"/v1/sales/{sold['record_id']}/reprint", {})
    assert again["receipt"].replace("*** 重打印 ***\n", "") == back["receipt"]


def test_two_returns_at_once_are_one(shop):
    sold = shop.sell()
    calls = [shop.submit(lambda: shop.give_back(sold["record_id"])) for _ in range(4)]
    for call in calls:
        came_back(shop, call.result())
    assert shop.moved(sold["record_id"]) == ["sale", "void"]


def test_a_return_does_not_keep_another_till_waiting(shop):
    sold = shop.sell()
    shop.terminal().fault("late_answer", on="void", ms=800)
    back = shop.submit(lambda: shop.give_back(sold["record_id"]))
    assert shop.sell("AC", till="02")["state"] == "paid"
    came_back(shop, back.result())


# Refused and unclear.


def test_a_refused_refund_leaves_the_sale_paid_and_claimable_and_can_be_tried_again(shop):
    sold = shop.sell(tender=shop.by_phone())
    shop.wechat.fault("declined", on="refund", code="NOT_ENOUGH")
    refused = shop.give_back(sold["record_id"])
    assert (refused["return"]["state"], refused["next_action"]) == ("refused", NextAction.REFUND_REFUSED)
    stays_sold(shop, refused)

    back = came_back(shop, shop.give_back(sold["record_id"]))
    assert back["return"]["tries"] == 2
    assert shop.moved_by_phone(sold["record_id"]) == ["charge", "refund"]


def test_a_card_that_is_neither_voided_nor_refunded_stays_charged_and_can_be_tried_again(shop):
    sold = shop.sell()
    shop.terminal().fault("void_declined")
    shop.terminal().fault("declined", on="refund")
    refused = shop.give_back(sold["record_id"])
    assert (refused["return"]["state"], refused["next_action"]) == ("refused", NextAction.REFUND_REFUSED)
    stays_sold(shop, refused)
    came_back(shop, shop.give_back(sold["record_id"]))
    assert len(shop.moved(sold["record_id"])) == 2


@pytest.mark.parametrize("fault", ["lost_answer", "doubled_answer", "bad_lrc"])
def test_a_void_whose_answer_is_lost_is_found_out(shop, fault):
    sold = shop.sell()
    shop.terminal().fault(fault, on="void")
    shop.give_back(sold["record_id"])
    came_back(shop, shop.wait_for_sale(sold["record_id"], is_over))
    assert shop.moved(sold["record_id"]) == ["sale", "void"]


def test_a_refund_of_which_wechat_pay_says_nothing_is_found_out(shop):
    sold = shop.sell(tender=shop.by_phone())
    shop.wechat.fault("refund_unknown", ms=1200)
    pending = shop.give_back(sold["record_id"], wait_s=0)
    assert pending["state"] == "returned"
    came_back(shop, shop.wait_for_sale(sold["record_id"], is_over))
    assert shop.moved_by_phone(sold["record_id"]) == ["charge", "refund"]


def test_a_terminal_that_is_not_there_refunds_nothing(shop):
    sold = shop.sell()
    shop.terminal().unplug(2500)
    refused = shop.give_back(sold["record_id"])
    assert (refused["return"]["state"], refused["return"]["said"]["code"]) == ("refused", "TERMINAL_SILENT")
    stays_sold(shop, refused)
    wait_for("the cable is back", shop.terminal().link.exists)
    came_back(shop, shop.give_back(sold["record_id"]))


# The line.


def test_with_the_line_down_nothing_is_begun_and_the_till_says_when_to_come_back(shop):
    sold = shop.sell()
    shop.wait_for_empty_outbox()
    shop.proxy.always("any", cut)
    said = shop.give_back(sold["record_id"])
    assert (said["state"], said["return"], said["next_action"]) == ("paid", None, NextAction.RETURN_LATER)
    assert said["reasons"][0]["code"] == "CENTRE_UNREACHABLE"
    assert shop.waiting() == 0
    shop.proxy.clear()
    came_back(shop, shop.give_back(sold["record_id"]))


def test_a_payment_that_the_centre_has_not_heard_of_is_reported_first(shop):
    shop.proxy.always("records", cut)
    sold = shop.sell()
    said = shop.give_back(sold["record_id"])
    assert (said["state"], said["next_action"]) == ("paid", NextAction.RETURN_LATER)
    shop.proxy.clear()
    came_back(shop, shop.give_back(sold["record_id"]))


@pytest.mark.parametrize("behaviour", [cut, lose_answer])
def test_when_the_centres_word_is_lost_the_till_goes_on_with_the_same_return(shop, behaviour):
    sold = shop.sell()
    shop.wait_for_empty_outbox()
    shop.proxy.always("records", cut)
    shop.proxy.next("returns", behaviour)
    said = shop.give_back(sold["record_id"])
    assert (said["return"]["state"], said["next_action"]) == ("waiting_for_centre", NextAction.RETURN_AGAIN)
    assert shop.moved(sold["record_id"]) == ["sale"]
    back = came_back_after(shop, sold)
    assert back["return"]["tries"] == 1


def came_back_after(shop, sold):
    back = shop.give_back(sold["record_id"])
    shop.proxy.clear()
    return came_back(shop, back)


def test_what_goes_up_by_itself_is_not_refunded_by_itself(shop):
    sold = shop.sell()
    shop.wait_for_empty_outbox()
    shop.proxy.next("returns", cut)
    shop.give_back(sold["record_id"])
    shop.wait_for_empty_outbox()
    shop.wait_for_record(sold["record_id"], "BLOCKED")
    shop.kill()
    shop.restart()
    assert shop.sell("AC")["state"] == "paid"  # the terminal has had its time
    assert shop.moved(sold["record_id"]) == ["sale"]
    assert shop.sale(sold["record_id"])["return"]["state"] == "waiting"
    came_back(shop, shop.give_back(sold["record_id"]))


def test_a_line_that_is_down_afterwards_delays_only_the_books(shop):
    sold = shop.sell()
    shop.wait_for_empty_outbox()
    shop.proxy.always("records", cut)
    back = shop.give_back(sold["record_id"])
    assert back["return"]["state"] == "refunded"
    assert shop.centre_record(sold["record_id"])["state"] == "BLOCKED"
    shop.proxy.clear()
    came_back(shop, back)


# The supervisor.


def test_five_wrong_pins_lock_over_restarts_and_change_nothing(shop):
    sold = shop.sell()
    path = f"/v1/sales/{sold['record_id']}/return"
    nobody = {**RETURN, "supervisor": f"nobody-{uuid.uuid4().hex[:8]}"}
    left = []
    for one in range(7):
        answer = shop.call(path, nobody)
        assert answer.status_code == 403
        left.append(answer.json()["tries_left"])
        if one == 2:
            shop.kill()
            shop.restart()
    assert left == [4, 3, 2, 1, 0, 0, 0]
    stays_sold(shop, shop.sale(sold["record_id"]))
    came_back(shop, shop.give_back(sold["record_id"]))


# Found paid late, and slips.


def test_a_sale_found_paid_late_is_refunded_when_its_goods_never_left(shop):
    sold = shop.sell()
    shop.wait_for_empty_outbox()
    shop.kill()
    open_earlier(shop, sold, by_ms=6 * 60_000)
    shop.restart()
    late = shop.sale(sold["record_id"])
    assert late["next_action"] == NextAction.ASK_HANDED_OVER_OR_REFUND
    came_back(
        shop,
        shop.post(f"/v1/sales/{sold['record_id']}/answer", {"operator": "cashier-1", "answer": "refund"}),
    )


def open_earlier(shop, sold, by_ms):
    """Let a sale have begun earlier than it has: nobody waits five minutes here."""
    journal = open_journal(shop.folder / "agent-data" / "journal.db")
    journal.execute("BEGIN IMMEDIATE")
    journal.execute(
        "UPDATE sale SET opened_ms = opened_ms - ? WHERE record_id = ?", (by_ms, sold["record_id"])
    )
    journal.commit()
    journal.close()


def test_a_slip_that_was_keyed_in_reaches_the_centre_and_pays_nothing(shop):
    terminal = shop.terminal()
    terminal.fault("lost_request")
    body = shop.body()
    selling = shop.selling(body)
    shop.wait_until_at_work()
    terminal.fault("silent_query", times=1000)
    parked = selling.result().json()
    parked = shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "unknown")
    slip = {
        "operator": "cashier-1",
        "voucher_no": "000042",
        "rrn": "123456789012",
        "amount_fen": parked["to_pay_fen"],
        "approved": True,
    }
    after = shop.post(f"/v1/sales/{parked['record_id']}/slip", slip)
    assert after["state"] == "unknown"
    shop.wait_for_empty_outbox()
    assert shop.get("/v1/status")["outbox"]["quarantined"] == 0
    assert shop.centre_record(parked["record_id"])["state"] == "HELD"
    terminal.clear_faults()
    shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] in ("not_paid", "paid"))
