"""What of a nexo message may stand in a trace? Who speaks to whom, what for, the amounts and how it ended.

Pure. Cards, receipts, tokens and names are masked, and the masked message can be read like the real one.
"""

import json

from terminal_agent.traces.mask_json import masked

NEXO = "nexo"

_KEPT = frozenset(
    {
        *(
            "ProtocolVersion",
            "MessageClass",
            "MessageCategory",
            "MessageType",
            "ServiceID",
            "SaleID",
            "POIID",
        ),
        *("Result", "ErrorCondition", "GlobalStatus", "ReversalReason", "AbortReason", "EventToNotify"),
        *("TransactionID", "TimeStamp", "DateTime", "AcquirerPOIID", "MerchantID", "ApprovalCode"),
        *("Currency", "RequestedAmount", "AuthorizedAmount", "ReversedAmount"),
    }
)
_AMOUNTS = ("RequestedAmount", "AuthorizedAmount", "ReversedAmount")


def mask_nexo(body: bytes) -> bytes | None:
    """Return a message masked, without its length; None when it cannot be read."""
    try:
        tree = json.loads(body.decode("utf-8"), object_pairs_hook=_amounts_only)
        if not isinstance(tree, dict):
            return None
        return json.dumps(masked("", tree, _KEPT), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None


def _amounts_only(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object with zeros for all numbers that are no amounts, which nothing here reads."""
    return {name: value if name in _AMOUNTS or not _is_number(value) else 0 for name, value in pairs}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
