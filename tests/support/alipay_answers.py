"""What Alipay can answer, as it would, and a client that gives it."""

import json

from alipay import PROFILE_FILE, new_ask

from subsidy import ids
from terminal_agent.channels.alipay_client import Believed
from terminal_agent.channels.alipay_profile import read_profile
from terminal_agent.channels.one_exchange import Silence

PROFILE = read_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name, PROFILE_FILE.parent)
ASK = new_ask(339_915)
REFUND_NO = ids.refund_no(ASK.pay_ref)
ACCOUNT, PHONE, USER = "159****5620", "13800138000", "2088101117955611"
TRADE_NO = "2026112322001425131412345678"


class Told:
    """A client that gives prepared answers, in order, and notes what it was asked."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def call(self, method, content):
        self.asked.append((method, dict(content)))
        return self._answers.pop(0) if self._answers else Silence.NO_ANSWER


def said(code, **fields):
    """Return a signed answer; a field that is ... is left out."""
    fields = {"code": code, "msg": "Success", "out_trade_no": ASK.pay_ref, **fields}
    text = json.dumps({name: one for name, one in fields.items() if one is not ...}, ensure_ascii=False)
    return Believed(text.encode())


def paid(**changes):
    """Return the answer to a payment that is done."""
    fields = {
        "trade_no": TRADE_NO,
        "buyer_logon_id": ACCOUNT,
        "buyer_user_id": USER,
        "total_amount": "3399.15",
        "receipt_amount": 3399.15,
        "fund_bill_list": [{"fund_channel": "ALIPAYACCOUNT", "amount": 10.5}],
        "gmt_payment": "2026-11-23 10:34:56",
        "field_of_tomorrow": [1, None, {"x": 1e3}],
    }
    return said("10000", **{**fields, **changes})


def state(status, **changes):
    """Return what a question finds."""
    return paid(trade_status=status, gmt_payment=..., send_pay_date="2026-11-23 10:34:56", **changes)


def refunded(**changes):
    """Return what a question about a refund finds."""
    fields = {
        "out_request_no": REFUND_NO,
        "trade_no": TRADE_NO,
        "refund_status": "REFUND_SUCCESS",
        "refund_amount": "3399.15",
        "total_amount": "3399.15",
        "gmt_refund_pay": "2026-11-23 10:40:00",
    }
    return said("10000", **{**fields, **changes})


def no(reason, code="40004", **changes):
    """Return a refusal with its reason."""
    return said(code, msg="Business Failed", sub_code=reason, sub_msg=f"失败，请联系{PHONE}", **changes)
