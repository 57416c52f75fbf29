"""Is a mutated body of a till's refused with our own error, or read, and never at length?

`MUTATIONS=1000000` tries so many of them all together; without it a few thousand. What a till is answered
over HTTP has tests beside this one.
"""

import json
import os

from mutated import understood_of

from subsidy.problem import Problem
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from terminal_agent.till.guard import MOST_BYTES
from terminal_agent.till.requests import PayBody, QuoteBody, SaleBody, StopBody, item_of
from terminal_agent.till.returns import AnswerBody, ReprintBody, ReturnBody, SlipBody

COUNT = int(os.environ.get("MUTATIONS", "5000"))
ITEM = {
    "gtin": "6901234567892",
    "serial_no": "AB-12345",
    "initial_price_fen": 459_900,
    "merchant_discount_fen": 60_000,
    "trade_in_fen": 10_000,
}
BY = {"operator": "cashier-1"}
BODIES = (
    (QuoteBody, {"item": ITEM, "qualification_code": "Q-000001"}),
    (
        SaleBody,
        {
            **BY,
            "item": ITEM,
            "qualification_code": "Q-000001",
            "till_no": "01",
            "tender": {"kind": "qr_scan", "pay_code": "130000000000001234"},
            "expected_paid_fen": 329_915,
        },
    ),
    (PayBody, {**BY, "tender": {"kind": "qr_show", "wallet": "wechat"}}),
    (StopBody, BY),
    (ReturnBody, {**BY, "supervisor": "chief", "supervisor_pin": "482913", "reason": "不喜欢颜色"}),
    (AnswerBody, {**BY, "answer": "refund"}),
    (
        SlipBody,
        {**BY, "voucher_no": "000123", "rrn": "260301000123", "amount_fen": 329_915, "approved": True},
    ),
    (ReprintBody, {}),
)


def reading(of):
    """Return what reads a body as the till's address does."""

    def read(content):
        try:
            body = json_bytes.decode(content, of, MOST_BYTES)
            if isinstance(body, QuoteBody | SaleBody):
                item_of(body.item)
        except (NotStrict, Problem) as refused:
            return False, str(refused)
        return True, ""

    return read


def test_a_mutated_body_is_refused_with_our_own_error_and_costs_little():
    bodies = [(json.dumps(right, ensure_ascii=False).encode(), reading(of)) for of, right in BODIES]
    assert all(read(content)[0] for content, read in bodies)
    assert 0 < understood_of("till", bodies, COUNT) < COUNT
