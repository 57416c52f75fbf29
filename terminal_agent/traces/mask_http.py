"""What of an exchange with a wallet may stand in a trace? Its words by name and shape, all else by size.

Pure. A body is JSON or a form; a form may hold JSON again. What is neither is not kept.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from subsidy.masking import scrub
from terminal_agent.traces.write_trace import Note

WALLET = "wallet"
REQUEST, ANSWER = "request", "answer"

_KEPT = frozenset(
    {
        *(
            "amount",
            "buyer_pay_amount",
            "code",
            "currency",
            "fund_change",
            "method",
            "msg",
            "orderId",
            "orderNo",
        ),
        *("out_refund_no", "out_request_no", "out_trade_no", "receipt_amount", "refund_amount", "refund_fee"),
        *("refund_status", "respCode", "status", "sub_code", "success_time", "total_amount", "trade_no"),
        *("trade_state", "trade_status", "txnAmt", "txnType"),
    }
)
_PLAIN = re.compile(r"[0-9A-Za-z_.:+\-]{0,40}", re.ASCII)
_LARGEST = 10**10 - 1  # fen: a phone number has one digit more
_MOST_DEEP = 8


def mask_http(content: bytes) -> bytes | None:
    """Return a body masked, None when it can be neither read as JSON nor as a form."""
    try:
        text = content.decode("utf-8")
        found = json.loads(text) if text.lstrip()[:1] == "{" else None
        if found is None:
            fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=200)
            masked = urlencode([(_name(name), _in_form(name, value)) for name, value in fields])
        else:
            masked = json.dumps(_masked("", found, 0), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
    return masked.encode()


def _in_form(name: str, value: str) -> str:
    if value[:1] == "{":
        inner = mask_http(value.encode())
        return inner.decode() if inner is not None else "?" * len(value)
    return str(_masked(name, value, 0))


def _masked(name: str, value: object, depth: int) -> object:
    if depth > _MOST_DEEP:
        return "?"
    if isinstance(value, dict):
        return {_name(key): _masked(key, one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(name, one, depth + 1) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else 0
    text = str(value)
    kept = name in _KEPT and _PLAIN.fullmatch(text) and scrub(text) == text
    return text if kept else "?" * len(text)


def _name(key: str) -> str:
    """Return the name of a field, unless somebody has put something else there."""
    return key if _PLAIN.fullmatch(key) and scrub(key) == key else "?" * len(key)


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
