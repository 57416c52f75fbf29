"""Do mutated answers of the wallets raise nothing but our own faults, cost little, and show no card?

`MUTATIONS=1000000` tries so many of each; without it a few thousand. What stands before the reading, the
signatures, has its own tests: nothing mutated passes them.
"""

import json
import os

import pytest
from mutated import understood_of

from terminal_agent.channels import alipay_answer, read_answer, unionpay, unionpay_form
from terminal_agent.channels.alipay_client import Believed
from terminal_agent.channels.signed_client import Reply

COUNT = int(os.environ.get("MUTATIONS", "2000"))

TRADE = {
    "mchid": "1900000109",
    "out_trade_no": "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01",
    "transaction_id": "4200001234202611230123456789",
    "trade_state": "SUCCESS",
    "success_time": "2026-11-23T10:34:56+08:00",
    "amount": {"total": 339_915, "payer_total": 338_915, "currency": "CNY"},
    "promotion_detail": [{"coupon_id": "109519", "wechatpay_contribute": 900, "other_contribute": 100}],
}
REFUND = {
    "out_refund_no": "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01R",
    "out_trade_no": "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01",
    "refund_id": "50000000382019052709732678859",
    "status": "SUCCESS",
    "amount": {"total": 339_915, "refund": 339_915, "currency": "CNY"},
}
ALIPAY = {
    "code": "10000",
    "out_trade_no": "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01",
    "trade_no": "2026112322001412345678901234",
    "total_amount": "3399.15",
    "buyer_pay_amount": "3392.15",
    "discount_amount": "5.00",
    "mdiscount_amount": "2.00",
    "gmt_payment": "2026-11-23 10:34:56",
    "fund_bill_list": [{"amount": "3399.15", "real_amount": 1.5}],
}
UNIONPAY = (
    b"respCode=00&orderId=AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01&txnAmt=339915&currencyCode=156&"
    b'couponInfo=[{"type":"DD01","spnsrId":"00010000","offstAmt":"500"}]&reserved={a=1&b=2}&signature=QUJD'
)
COUPONS = (
    b'[{"type":"DD01","spnsrId":"00010000","offstAmt":"500"},{"spnsrId":"777290058110048","offstAmt":"2"}]'
)


def wechat(body):
    """Return all that may be kept or shown of an answer of WeChat Pay's."""
    reply = Reply(200, body)
    trade = read_answer.read(reply, read_answer.Trade)
    evidence = trade and read_answer.evidence_of(
        code=trade.trade_state, channel_no=trade.transaction_id, success_time=trade.success_time
    )
    refund = read_answer.read(reply, read_answer.RefundSaid)
    more = (read_answer.read(reply, read_answer.NativeOrder), read_answer.offers_of(reply))
    return bool(trade or refund or more[0]), repr((evidence, read_answer.code_of(reply), more[1]))


def alipay(body):
    """Return the same of an answer of Alipay's."""
    said = alipay_answer.read(Believed(body))
    if said is None:
        return False, ""
    offers = alipay_answer.offers_of(said)
    return True, repr((alipay_answer.evidence_of(said, "app", said.reason), offers))


def form(body):
    """Return the same of a form of UnionPay's."""
    try:
        fields = unionpay_form.read(body)
    except unionpay_form.NoForm as fault:
        return False, str(fault)
    return True, repr(unionpay._offers(fields.get("couponInfo", ""), "777290058110048", 339_915))


def coupons(text):
    """Return what a coupon's text is read to be."""
    found = unionpay._offers(text.decode("utf-8", "replace"), "777290058110048", 339_915)
    return found != (0, 0), repr(found)


ANSWERS = {
    "a payment by WeChat": (wechat, json.dumps(TRADE).encode()),
    "a refund by WeChat": (wechat, json.dumps(REFUND).encode()),
    "a code of WeChat's": (wechat, b'{"code_url": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}'),
    "a payment by Alipay": (alipay, json.dumps(ALIPAY).encode()),
    "a form of UnionPay's": (form, UNIONPAY),
    "coupons of UnionPay's": (coupons, COUPONS),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_mutated_answer_raises_nothing_costs_little_and_shows_no_card(answer):
    read, right = ANSWERS[answer]
    assert read(right)[0]
    assert 0 < understood_of(answer, [(right, read)], COUNT) < COUNT
