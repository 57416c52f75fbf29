"""What does each answer of WeChat Pay mean, and is nothing else ever raised, kept or shown?"""

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechat import PROFILE_FILE, RealClock, new_ask

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.profile import read_profile
from terminal_agent.channels.signed_client import Reply
from terminal_agent.channels.wechat import WechatPay, open_wechat
from terminal_agent.checkout.ports import Answer, Back, Payment, Say

PROFILE = read_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name, PROFILE_FILE.parent)
ASK = new_ask(339_915)
REFUND_NO = ids.refund_no(ASK.pay_ref)
BACK = Back(REFUND_NO, 339_915, Evidence())
OPENID, PHONE = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "13800138000"


class Told:
    """A client that gives prepared answers, in order, and notes what it was asked."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def call(self, method, path, body=b""):
        self.asked.append((method, path, json.loads(body or b"{}")))
        return self._answers.pop(0) if self._answers else Silence.NO_ANSWER


def told(*answers):
    client = Told(*answers)
    return WechatPay(PROFILE, client, lambda: None, PROFILE.states), client


def reply(status=200, /, **fields):
    return Reply(status, json.dumps(fields).encode())


def trade(state="SUCCESS", /, status=200, **changes):
    fields = {
        "appid": PROFILE.appid,
        "mchid": PROFILE.mchid,
        "out_trade_no": ASK.pay_ref,
        "transaction_id": "4200001234202611230123456789",
        "trade_state": state,
        "trade_state_desc": f"支付成功 {PHONE}",
        "success_time": "2026-11-23T10:34:56+08:00",
        "payer": {"openid": OPENID},
        "amount": {"total": 339_915, "payer_total": 300_000, "currency": "CNY"},
        "field_of_tomorrow": [1, None, {"x": "y"}],
        **changes,
    }
    return reply(status, **{name: value for name, value in fields.items() if value is not ...})


def refund(status="SUCCESS", **changes):
    fields = {
        "refund_id": "50300012342026112301234567890",
        "out_refund_no": REFUND_NO,
        "out_trade_no": ASK.pay_ref,
        "user_received_account": "招商银行信用卡0403",
        "status": status,
        "success_time": "2026-11-23T10:40:00+08:00",
        "amount": {"total": 339_915, "refund": 339_915, "currency": "CNY"},
        **changes,
    }
    return reply(**fields)


def problem(status, code):
    return reply(status, code=code, message=f"{code}，请联系{PHONE}", detail={"field": "/payer"})


DONE = reply(appid=PROFILE.appid, mchid=PROFILE.mchid, out_trade_no=ASK.pay_ref)

SAME_IN_BOTH = [
    (trade(), Say.APPROVED),
    (trade(amount={"total": 1, "currency": "CNY"}), Say.APPROVED),  # of 1 fen, which the checkout undoes
    (trade("USERPAYING"), Say.PENDING),
    (trade("USERPAYING", status=202), Say.PENDING),
    (trade("USERPAYING", amount=..., transaction_id=..., success_time=...), Say.PENDING),
    (trade("NOTPAY", status=202), Say.PENDING),
    (trade("ACCEPT"), Say.PENDING),
    (trade("NOTPAY"), Say.PENDING),  # not paid yet
    (trade("CLOSED"), Say.DECLINED),
    (trade("REVOKED"), Say.DECLINED),
    (trade("PAYERROR"), Say.DECLINED),
    (trade("REFUND"), Say.UNCLEAR),
    (trade("STATE_OF_TOMORROW"), Say.UNCLEAR),
    (trade("success"), Say.UNCLEAR),
    (trade(trade_state=...), Say.UNCLEAR),
    # An answer that is not ours, or not whole, says nothing.
    (trade(mchid="1999999999"), Say.UNCLEAR),
    (trade(mchid=...), Say.UNCLEAR),
    (trade(out_trade_no=ASK.pay_ref.lower()), Say.UNCLEAR),
    (trade("NOTPAY", out_trade_no="OTHER"), Say.UNCLEAR),
    (trade("USERPAYING", mchid="1999999999"), Say.UNCLEAR),
    (trade(amount={"total": 339_915, "currency": "USD"}), Say.UNCLEAR),
    (trade(amount={"total": 339_915}), Say.UNCLEAR),
    (trade(amount={"currency": "CNY"}), Say.UNCLEAR),
    (trade(amount={"total": 0, "currency": "CNY"}), Say.UNCLEAR),
    (trade(amount={"total": -339_915, "currency": "CNY"}), Say.UNCLEAR),
    (trade(amount={"total": 339_915.0, "currency": "CNY"}), Say.UNCLEAR),
    (trade(amount={"total": "339915", "currency": "CNY"}), Say.UNCLEAR),
    (trade(amount={"total": True, "currency": "CNY"}), Say.UNCLEAR),
    (trade(amount=None), Say.UNCLEAR),
    (trade(amount=...), Say.UNCLEAR),
    # Success is said with 200 and nothing else.
    (trade(status=202), Say.UNCLEAR),
    (trade(status=201), Say.UNCLEAR),
    (trade(status=404), Say.UNCLEAR),
    (trade("PAYERROR", status=202), Say.UNCLEAR),
    (problem(500, "SYSTEM_ERROR"), Say.UNCLEAR),
    (problem(500, "NOT_ENOUGH"), Say.UNCLEAR),
    (problem(502, "BANK_ERROR"), Say.UNCLEAR),
    (problem(429, "FREQUENCY_LIMITED"), Say.UNCLEAR),
    (problem(400, "USERPAYING"), Say.PENDING),
    (problem(400, "ORDER_PAID"), Say.UNCLEAR),
    (problem(400, "TRADE_ERROR"), Say.UNCLEAR),
    (problem(400, "INVALID_REQUEST"), Say.UNCLEAR),
    (problem(403, "OUT_TRADE_NO_USED"), Say.UNCLEAR),
    (problem(400, "not_enough"), Say.UNCLEAR),
    (problem(400, ""), Say.UNCLEAR),
    (Reply(404, b""), Say.UNCLEAR),
    (Reply(204, b""), Say.UNCLEAR),
    (Reply(200, b"<html>"), Say.UNCLEAR),
    (Reply(200, b"[]"), Say.UNCLEAR),
    (Reply(200, b'{"trade_state":"NOTPAY","trade_state":"SUCCESS"}'), Say.UNCLEAR),
    *((silence, Say.UNCLEAR) for silence in Silence if silence is not Silence.NO_KEYS),
]


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        *SAME_IN_BOTH,
        (problem(404, "ORDER_NOT_EXIST"), Say.UNCLEAR),
        (problem(403, "NOT_ENOUGH"), Say.DECLINED),
        (problem(400, "AUTH_CODE_INVALID"), Say.DECLINED),
        (problem(400, "AUTH_CODE_EXPIRE"), Say.DECLINED),
        (problem(400, "PARAM_ERROR"), Say.DECLINED),
        (Silence.NO_KEYS, Say.DECLINED),
    ],
)
def test_what_an_answer_to_a_payment_means(answer, say):
    channel, client = told(answer)
    found = channel.take(ASK)
    assert found.say is say
    assert (found.approved_fen is not None) == (say is Say.APPROVED)
    assert not client.asked or client.asked[0][:2] == ("POST", "/v3/pay/transactions/codepay")
    assert sum(method == "POST" for method, _, _ in client.asked) == 1  # money is asked for once


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        *SAME_IN_BOTH,
        (problem(404, "ORDER_NOT_EXIST"), Say.NOT_FOUND),
        (problem(404, "ORDERNOTEXIST"), Say.NOT_FOUND),
        (problem(400, "ORDER_NOT_EXIST"), Say.UNCLEAR),
        (problem(404, "NOT_FOUND"), Say.UNCLEAR),
        (problem(403, "NOT_ENOUGH"), Say.UNCLEAR),  # a refusal of the payment is no answer to a question
        (Silence.NO_KEYS, Say.UNCLEAR),
    ],
)
def test_what_an_answer_to_a_question_means(answer, say):
    channel, client = told(answer)
    found = channel.query(ASK)
    assert found.say is say
    assert {method for method, _, _ in client.asked} == {"GET"}
    path = f"/v3/pay/transactions/out-trade-no/{ASK.pay_ref}?mchid={PROFILE.mchid}"
    assert client.asked[0][1] == path


@pytest.mark.parametrize(
    ("refunded", "say"),
    [
        (refund(), Say.DECLINED),
        (refund(amount={"total": 339_915, "refund": 339_914, "currency": "CNY"}), Say.UNCLEAR),
        (refund("PROCESSING"), Say.PENDING),
        (refund("ABNORMAL"), Say.UNCLEAR),
        (refund("CLOSED"), Say.UNCLEAR),
        (refund(out_trade_no="OTHER"), Say.UNCLEAR),
        (problem(404, "RESOURCE_NOT_EXISTS"), Say.UNCLEAR),
        (Silence.NO_ANSWER, Say.UNCLEAR),
    ],
)
def test_a_given_back_payment_is_a_no_only_when_all_of_it_is_back(refunded, say):
    channel, client = told(trade("REFUND"), refunded)
    assert channel.query(ASK).say is say
    assert client.asked[1][:2] == ("GET", f"/v3/refund/domestic/refunds/{REFUND_NO}")


GONE = problem(404, "ORDER_NOT_EXIST")


@pytest.mark.parametrize(
    ("answers", "say"),
    [
        ((DONE, trade("REVOKED")), Say.APPROVED),
        ((DONE, trade("CLOSED")), Say.APPROVED),
        ((DONE, trade("PAYERROR")), Say.APPROVED),
        ((Reply(204, b""), trade("REVOKED")), Say.APPROVED),
        ((problem(400, "ORDER_REVERSED"), trade("REVOKED")), Say.APPROVED),
        ((problem(500, "SYSTEM_ERROR"), trade("PAYERROR")), Say.APPROVED),
        ((DONE, trade("REFUND"), refund()), Say.APPROVED),
        # A confirmation alone is not believed.
        ((DONE, trade()), Say.UNCLEAR),
        ((DONE, GONE), Say.NOT_FOUND),
        ((DONE, Silence.NO_ANSWER), Say.UNCLEAR),
        ((DONE, trade("USERPAYING")), Say.PENDING),
        ((DONE, trade("NOTPAY")), Say.PENDING),  # what is not paid yet could still be
        ((problem(500, "SYSTEM_ERROR"), trade("NOTPAY")), Say.PENDING),
        ((reply(mchid="1999999999", out_trade_no=ASK.pay_ref), trade("NOTPAY")), Say.PENDING),
        ((problem(400, "USERPAYING"),), Say.PENDING),
        ((Silence.NO_ANSWER,), Say.UNCLEAR),
        ((Silence.NO_KEYS,), Say.UNCLEAR),
        # A refund is safe only after a final no and while the payment stands.
        ((problem(400, "REVERSE_EXPIRE"), trade()), Say.DECLINED),
        ((problem(400, "REVERSE_EXPIRE"), Silence.NO_ANSWER), Say.UNCLEAR),
        ((problem(500, "REVERSE_EXPIRE"), trade()), Say.UNCLEAR),
        ((problem(400, "PARAM_ERROR"), trade()), Say.UNCLEAR),
        # Who refuses to reverse an order may know it, though a question does not find it yet.
        ((problem(400, "REVERSE_EXPIRE"), GONE), Say.UNCLEAR),
        ((problem(500, "SYSTEM_ERROR"), GONE), Say.UNCLEAR),
        ((problem(404, "ORDER_NOT_EXIST"), GONE), Say.NOT_FOUND),
        ((Reply(204, b""), GONE), Say.NOT_FOUND),
    ],
)
def test_what_answers_to_a_reversal_mean(answers, say):
    channel, client = told(*answers)
    assert channel.reverse(ASK, Evidence()).say is say
    assert client.asked[0] == (
        "POST",
        f"/v3/pay/transactions/out-trade-no/{ASK.pay_ref}/reverse",
        {"appid": PROFILE.appid, "mchid": PROFILE.mchid},
    )


@pytest.mark.parametrize(
    ("answers", "say"),
    [
        ((refund(),), Say.APPROVED),
        ((refund("PROCESSING"),), Say.PENDING),
        ((refund("CLOSED"),), Say.DECLINED),
        ((refund("ABNORMAL"),), Say.UNCLEAR),
        ((refund(out_refund_no="OTHER"),), Say.UNCLEAR),
        ((refund(amount={"refund": 339_915, "currency": "USD"}),), Say.UNCLEAR),
        ((problem(500, "SYSTEM_ERROR"),), Say.UNCLEAR),
        ((problem(404, "RESOURCE_NOT_EXISTS"),), Say.UNCLEAR),  # said of paid orders too
        ((problem(429, "FREQUENCY_LIMITED"),), Say.UNCLEAR),
        ((Silence.NO_ANSWER,), Say.UNCLEAR),
        ((problem(403, "NOT_ENOUGH"), problem(404, "RESOURCE_NOT_EXISTS")), Say.DECLINED),
        ((problem(400, "INVALID_REQUEST"), refund()), Say.APPROVED),  # an earlier try was taken
        ((problem(403, "NOT_ENOUGH"), Silence.NO_ANSWER), Say.UNCLEAR),
    ],
)
def test_what_answers_to_a_refund_mean(answers, say):
    channel, client = told(*answers)
    found = channel.refund(ASK, BACK)
    assert found.say is say
    assert found.approved_fen == (339_915 if say is Say.APPROVED else None)
    assert client.asked[0] == (
        "POST",
        "/v3/refund/domestic/refunds",
        {
            "out_trade_no": ASK.pay_ref,
            "out_refund_no": REFUND_NO,
            "amount": {"refund": 339_915, "total": 339_915, "currency": "CNY"},
        },
    )


def test_an_unknown_refund_is_not_a_no():
    channel, _ = told(problem(404, "RESOURCE_NOT_EXISTS"))
    assert channel.refund_query(ASK, REFUND_NO).say is Say.NOT_FOUND


def test_the_payment_is_asked_for_as_documented():
    channel, client = told()
    channel.take(ASK)
    assert client.asked[0][2] == {
        "appid": PROFILE.appid,
        "mchid": PROFILE.mchid,
        "description": "以旧换新",
        "out_trade_no": ASK.pay_ref,
        "payer": {"auth_code": ASK.pay_code.reveal()},
        "amount": {"total": 339_915, "currency": "CNY"},
        "scene_info": {"device_ip": "192.0.2.10", "store_info": {"out_id": "0001"}},
    }


def test_what_is_kept_of_a_payment():
    channel, _ = told(trade())
    found = channel.take(ASK)
    assert found.approved_fen == 339_915
    assert found.evidence == Evidence(
        code="SUCCESS",
        merchant_no=PROFILE.mchid,
        channel_no="4200001234202611230123456789",
        host_date="20261123",
        host_time="103456",
    )


def test_a_refusal_is_told_in_our_own_words():
    channel, _ = told(problem(403, "NOT_ENOUGH"))
    assert channel.take(ASK).evidence == Evidence(code="NOT_ENOUGH", text="余额不足")


@pytest.mark.parametrize("put", [PHONE, "6222021234567890123", "11010519491231002X", OPENID, "', --"])
def test_what_stands_where_it_does_not_belong_is_not_kept(put):
    answers = [
        trade(transaction_id=put, success_time=put),
        trade(put),
        problem(400, put),
        refund(put, refund_id=put, success_time=put),
    ]
    for answer in answers:
        for call in calls(told(answer)[0]):
            assert put not in repr(call())


def test_without_a_code_nothing_is_sent():
    channel, client = told(trade())
    found = channel.take(msgspec.structs.replace(ASK, pay_code=None))
    assert (found.say, found.evidence.code) == (Say.DECLINED, "NO_PAY_CODE")
    assert client.asked == []


def test_without_keys_there_is_no_payment_to_begin(tmp_path):
    keys = msgspec.structs.replace(PROFILE.keys, private_key=tmp_path / "none.pem")
    profile = msgspec.structs.replace(PROFILE, keys=keys)
    channel = open_wechat(profile, RealClock(), bytes)
    assert channel.prepare(ASK) is None
    assert channel.take(ASK).say is Say.DECLINED


def test_it_fits_the_port():
    payment: Payment = told()[0]
    assert (payment.not_found_is_no, payment.reverses_blind) == (False, True)
    assert payment.prepare(ASK) == "-"
    assert payment.refund(ASK, BACK).say is Say.UNCLEAR


def calls(channel) -> list[Callable[[], Answer]]:
    return [
        lambda: channel.take(ASK),
        lambda: channel.query(ASK),
        lambda: channel.reverse(ASK, Evidence()),
        lambda: channel.refund(ASK, BACK),
        lambda: channel.refund_query(ASK, REFUND_NO),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("SUCCESS"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PAYMENT_FIELDS = ("mchid", "out_trade_no", "transaction_id", "trade_state", "success_time", "amount", "code")
REFUND_FIELDS = ("out_refund_no", "refund_id", "status")
MANGLED = st.dictionaries(st.sampled_from(PAYMENT_FIELDS + REFUND_FIELDS), JSON).map(
    lambda fields: json.dumps(fields).encode()
)
REPLIES = st.builds(
    Reply,
    st.sampled_from([200, 201, 202, 204, 400, 401, 403, 404, 429, 500, 502, 999]),
    MANGLED | st.binary(),
)


@given(st.lists(REPLIES | st.sampled_from(Silence), min_size=3, max_size=3), st.integers(0, 4))
def test_no_answer_however_malformed_raises_or_becomes_a_yes(answers, which):
    channel, _ = told(*answers)
    found = calls(channel)[which]()
    assert found.say is not Say.APPROVED
    json.dumps(msgspec.to_builtins(found)).encode()
    assert ASK.pay_code.reveal() not in repr(found)


@given(st.data())
def test_a_right_answer_with_any_one_field_spoilt_is_never_a_yes_of_another_order(data):
    fields = json.loads(trade().body)
    name = data.draw(st.sampled_from(["mchid", "out_trade_no", "trade_state", "amount"]))
    fields[name] = data.draw(JSON.filter(lambda value: value != fields[name]))
    channel, _ = told(Reply(200, json.dumps(fields).encode()))
    assert channel.query(ASK).say is not Say.APPROVED


def coupon(**parts):
    return {
        "coupon_id": "109519",
        "name": f"单品惠 {PHONE}",
        "scope": "SINGLE",
        "amount": sum(parts.values()),
        **parts,
    }


@pytest.mark.parametrize(
    ("coupons", "payer", "kept"),
    [
        ([coupon(wechatpay_contribute=900, other_contribute=100)], 338_915, (1000, 0)),
        ([coupon(merchant_contribute=300), coupon(wechatpay_contribute=700)], 338_915, (700, 300)),
        ([coupon(wechatpay_contribute=1000)], 338_914, (0, 0)),  # does not add up
        ([coupon(wechatpay_contribute=-1000, merchant_contribute=2000)], 338_915, (0, 0)),
        ([coupon(wechatpay_contribute=1000)], None, (0, 0)),
        (None, 339_915, (0, 0)),
        ("coupon", 338_915, (0, 0)),
        ([{"wechatpay_contribute": "1000"}], 338_915, (0, 0)),
    ],
)
def test_what_a_coupon_bore_is_kept_where_it_adds_up_and_never_spoils_a_yes(coupons, payer, kept):
    amount = {"total": 339_915, "payer_total": payer, "currency": "CNY"}
    channel, _ = told(trade(amount=amount, promotion_detail=coupons))
    answer = channel.query(ASK)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, 339_915)
    assert (answer.evidence.offer_fen, answer.evidence.shop_offer_fen) == kept
    assert PHONE not in repr(answer)
