"""Is an exchange (换货) a return and a new sale, with the quota free in between, in every book?

The shopper has a fridge and wants another one of its category. What moved is read from the terminal's books.
"""

from subsidy.policy.refusals import Refusal


def codes(sale):
    return [one["code"] for one in sale["reasons"]]


def test_goods_are_exchanged_by_a_return_and_a_new_sale_to_the_same_person(shop):
    body = shop.body()
    first = shop.post("/v1/sales", body)
    assert first["state"] == "paid"
    other = {**body, "item": {**body["item"], "serial_no": shop.centre.next_serial()}}
    shop.wait_for_record(first["record_id"], "PAYABLE")
    too_early = shop.post("/v1/sales", other)
    assert (too_early["state"], too_early["paid_fen"]) == ("refused", 0)
    assert Refusal.PERSON_QUOTA_USED in codes(too_early)
    back = shop.give_back(first["record_id"])
    assert (back["state"], back["return"]["state"]) == ("returned", "refunded")
    shop.wait_for_record(first["record_id"], "RETURNED")
    second = shop.post("/v1/sales", other)
    assert second["state"] == "paid", second["reasons"]
    assert second["record_id"] != first["record_id"]
    shop.wait_for_record(second["record_id"], "PAYABLE")
    assert shop.moved(first["record_id"]) == ["sale", "void"]
    assert shop.moved(second["record_id"]) == ["sale"]
    assert shop.standing().get(first["record_id"], []) == []
    assert shop.standing()[second["record_id"]] == [second["paid_fen"]]
