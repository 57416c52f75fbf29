"""A cashier's finger slips, a till loses its mind: one item is charged, held and booked once all the same."""

from collections import Counter

from audit import bookings

FIFTY = 50


def test_one_key_posted_fifty_times_at_once_is_one_sale(shop):
    body, key = shop.body(), "one-key-for-them-all"

    posted = [shop.selling(body, key=key) for _ in range(FIFTY)]
    answers = [one.result() for one in posted]

    assert Counter(answer.status_code for answer in answers).keys() <= {200, 409}
    documents = [answer.json() for answer in answers]
    (record_id,) = {document["record_id"] for document in documents}
    for answer, document in zip(answers, documents, strict=True):
        if answer.status_code == 409:
            assert (document["code"], document["retryable"]) == ("IN_PROGRESS", True)
        else:
            assert document["already"] is False
    sale = shop.post("/v1/sales", body, key=key)
    assert (sale["record_id"], sale["state"]) == (record_id, "paid")
    assert len(sale["attempts"]) == shop.charges(record_id) == 1
    assert bookings(shop.wait_for_record(record_id, "PAYABLE")) == 1


def test_fifty_keys_for_one_item_at_once_are_one_charge_and_one_hold(shop):
    body = shop.body()
    holds_before = shop.proxy.heard("holds")

    posted = [shop.selling(body) for _ in range(FIFTY)]
    documents = [one.result().json() for one in posted]

    (record_id,) = {document["record_id"] for document in documents}
    already = [document for document in documents if document["already"]]
    assert len(already) == FIFTY - 1
    assert {document["next_action"] for document in already} == {"DO_NOT_CHARGE"}
    assert shop.proxy.heard("holds") - holds_before == 1
    assert shop.moved(record_id) == ["sale"]
    assert bookings(shop.wait_for_record(record_id, "PAYABLE")) == 1


def test_a_key_with_another_body_is_refused_and_changes_nothing(shop):
    body, key = shop.body(), "this-key-came-before"
    sold = shop.post("/v1/sales", body, key=key)

    answer = shop.call("/v1/sales", {**body, "operator": "cashier-2"}, key=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "KEY_REUSED")
    assert shop.post("/v1/sales", body, key=key)["record_id"] == sold["record_id"]


def test_two_tills_sell_at_once_each_on_its_terminal(shop):
    posted = [shop.selling(shop.body(till=till)) for till in ("01", "02") for _ in range(5)]
    sales = [one.result().json() for one in posted]

    assert {sale["state"] for sale in sales} == {"paid"}
    assert len({sale["record_id"] for sale in sales}) == len(sales)
    assert all(shop.charges(sale["record_id"]) == 1 for sale in sales)
