"""What of an exchange with a wallet may stand in a trace? Its words by name and shape, all else by size.

Pure. A body is JSON or a form; a form may hold JSON again. What is neither is not kept.
"""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from subsidy.masking import scrub
from terminal_agent.channels import unionpay_form
from terminal_agent.channels.unionpay_form import NoForm
from terminal_agent.traces.mask_json import masked, masked_name, masked_text
from terminal_agent.traces.write_trace import Note

WALLET = "wallet"
WECHAT, ALIPAY, UNIONPAY = "wechat", "alipay", "unionpay"
REQUEST, ANSWER = "request", "answer"

_KEPT = frozenset(
    {
        *(
            "action",
            "amount",
            "buyer_pay_amount",
            "code",
            "currency",
            "fund_change",
            "method",
            "msg",
            "orderId",
        ),
        *("orderNo", "out_refund_no", "out_request_no", "out_trade_no", "receipt_amount", "refund_amount"),
        *("refund_fee", "refund_status", "respCode", "retry_flag", "status", "sub_code", "success_time"),
        *("total_amount", "trade_no", "trade_state", "trade_status", "txnAmt", "txnType"),
        *("origRespCode", "origOrderId", "origTxnTime", "txnSubType", "txnTime", "currencyCode", "queryId"),
        *("settleDate", "traceNo", "traceTime"),
    }
)


def mask_http(content: bytes) -> bytes | None:
    """Return a body masked, None when it can be neither read as JSON nor as a form."""
    try:
        text = content.decode("utf-8")
        found = json.loads(text) if text.lstrip()[:1] == "{" else None
        if found is None:
            fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=200)
            form = urlencode([(masked_name(name), _in_form(name, value)) for name, value in fields])
        else:
            form = json.dumps(masked("", found, _KEPT), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
    return form.encode()


def mask_unionpay(content: bytes) -> bytes | None:
    """Return a message of UnionPay's masked, None when it is none. Its answers have no escapes."""
    try:
        fields = unionpay_form.read(content)
    except NoForm:
        return None
    return "&".join(
        f"{masked_name(name)}={masked_text(name, value, _KEPT)}" for name, value in fields.items()
    ).encode()


def _in_form(name: str, value: str) -> str:
    if value[:1] == "{":
        inner = mask_http(value.encode())
        return inner.decode() if inner is not None else "?" * len(value)
    return masked_text(name, value, _KEPT)


def http_note(note: Note) -> Callable[[str, bytes, str], None]:
    """Return what takes down one exchange after the other: (way, body, and what is said beside it)."""
    count = 0

    def take_down(way: str, body: bytes, said: str) -> None:
        nonlocal count
        count += way == REQUEST
        note.said(way, count, scrub(said))
        if body:
            note.frame(way, count, body)

    return take_down
