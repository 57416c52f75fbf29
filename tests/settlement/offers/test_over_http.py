"""Who may say over HTTP who bore a part of a payment, and what is no such word?"""

import pytest

from settlement.offers.bearers import BorneBy
from settlement.reconcile.apply_night import ApplyNight, Find
from subsidy import ids

BODY = {"borne_by": "wechat", "fen": 500, "reference": "answer 12"}
NOWHERE = "A" * 26 + "01"


def test_two_people_settle_a_difference(centre):
    device = centre.enrol()
    promise = device.hold(person=3).promise
    pay_ref = ids.pay_ref(promise.record_id, 1)
    kind = "channel_discount"
    find = Find(
        pay_ref, kind, "2026-03-01", 500, pay_ref, promise.record_id, "HELD", "platform", "row", "ask"
    )
    centre.centre.writer(raise_it).write_now([ApplyNight((find,))])
    proposed = centre.post(f"/v1/payments/{pay_ref}/offer", BODY)
    assert proposed.status_code == 202, proposed.text
    shown = proposed.json()
    assert "borne by WeChat Pay" in shown["shown"]["says"]
    centre.approve(shown)
    again = centre.post(f"/v1/payments/{pay_ref}/offer", BODY)
    assert (again.status_code, again.json()["code"]) == (409, "NO_OFFER_TO_EXPLAIN")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 409),
        ({"borne_by": "the mayor"}, 400),
        ({"borne_by": None}, 400),
        ({"fen": 0}, 400),
        ({"fen": -1}, 400),
        ({"fen": "500"}, 400),
        ({"fen": 10**18}, 400),
        ({"reference": ""}, 400),
        ({"reference": "a\u202eb"}, 400),
        ({"by": "wang, li"}, 400),
    ],
)
def test_what_is_no_such_word_is_refused(centre, changes, status):
    answer = centre.post(f"/v1/payments/{NOWHERE}/offer", BODY | changes)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"]


def test_every_bearer_is_named_in_the_description(centre):
    described = centre.session.get(f"{centre.url}/openapi.json", timeout=10).json()
    named = described["components"]["schemas"]["BorneBy"]["enum"]
    assert set(named) == set(BorneBy)


def raise_it(wrong):
    raise wrong
