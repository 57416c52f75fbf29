"""How does the emulated nexo terminal write and read messages?

Written from the protocol and from nothing else, as in `wire.py`: four bytes of length, then JSON.
"""

import json
import struct
from typing import Any

from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_IDENTITY, MADE_UP_PHONE, MADE_UP_TRACK
from terminal_agent.emulators.books import Line
from terminal_agent.emulators.wire import REFUND, SALE, Unreadable

Message = dict[str, Any]

_LONGEST = 65_536
_CONDITIONS = {
    "68": "UnreachableHost",
    "B1": "Busy",
    "54": "InvalidCard",
    "55": "WrongPIN",
    "13": "MessageFormat",
}


def wrap(message: Message) -> bytes:
    """Return a message with its length."""
    body = json.dumps(message, ensure_ascii=False).encode()
    return struct.pack(">I", len(body)) + body


def unwrap(held: bytearray) -> list[Message]:
    """Take whole messages off the front of `held`. Raises Unreadable."""
    found = []
    while len(held) >= 4:
        (size,) = struct.unpack(">I", held[:4])
        if size > _LONGEST:
            raise Unreadable
        if len(held) < 4 + size:
            break
        try:
            message = json.loads(bytes(held[4 : 4 + size]))
        except (ValueError, RecursionError):
            raise Unreadable from None
        del held[: 4 + size]
        if not isinstance(message, dict):
            raise Unreadable
        found.append(message)
    return found


def answer(header: Message, category: str, body: Message) -> Message:
    """Return the response to a request with this header."""
    own = {**header, "MessageType": "Response", "MessageCategory": category}
    return {"SaleToPOIResponse": {"MessageHeader": own, f"{category}Response": body}}


def failure(condition: str) -> Message:
    """Return a body that says no."""
    return {"Response": {"Result": "Failure", "ErrorCondition": condition}}


def progress(header: Message) -> Message:
    """Return what a terminal at work shows on the till."""
    own = {**header, "MessageClass": "Device", "MessageCategory": "Display", "MessageType": "Request"}
    own["DeviceID"] = own.pop("ServiceID")
    return {"SaleToPOIRequest": {"MessageHeader": own, "DisplayRequest": {"DisplayOutput": []}}}


def body_of(line: Line, number: str) -> Message:
    """Return the body of a PaymentResponse or ReversalResponse. `number` is what the till called it."""
    yuan = line.fen / 100
    body: Message = {
        "Response": _response(line.code),
        "SaleData": {"SaleTransactionID": {"TransactionID": number, "TimeStamp": line.at}},
        "POIData": {
            "POITransactionID": {"TransactionID": f"EMU{line.no:06d}.{line.trace}", "TimeStamp": line.at}
        },
    }
    if line.type != SALE:
        return {**body, "ReversedAmount": yuan} if line.type == REFUND or line.fen else body
    body["PaymentResult"] = {
        "PaymentInstrumentData": {"CardData": {"MaskedPan": "629999*********9384"}},
        "AmountsResp": {"Currency": "CNY", "AuthorizedAmount": yuan},
        "PaymentAcquirerData": {
            "MerchantID": line.mid,
            "AcquirerPOIID": line.tid,
            "AcquirerTransactionID": {"TransactionID": line.rrn, "TimeStamp": line.at},
            "ApprovalCode": line.auth,
        },
    }
    return body


def leak(body: Message) -> Message:
    """Return `body` with clear (made-up) card and personal data where a bad set-up might put it."""
    personal = f"{MADE_UP_CARD} {MADE_UP_PHONE} {MADE_UP_IDENTITY}"
    response = {**body["Response"], "AdditionalResponse": personal}
    result = dict(body.get("PaymentResult", {}))
    sensitive = {"PAN": MADE_UP_CARD, "TrackData": [{"TrackValue": MADE_UP_TRACK}]}
    result["PaymentInstrumentData"] = {
        "CardData": {
            "MaskedPan": MADE_UP_CARD,
            "SensitiveCardData": sensitive,
            "CardHolderName": MADE_UP_PHONE,
        }
    }
    acquirer = dict(result.get("PaymentAcquirerData", {}))
    result["PaymentAcquirerData"] = {**acquirer, "ApprovalCode": MADE_UP_CARD, "AcquirerID": MADE_UP_CARD}
    return {
        **body,
        "Response": response,
        "PaymentResult": result,
        "PaymentReceipt": [{"OutputContent": {"OutputText": [{"Text": personal}]}}],
    }


def _response(code: str) -> Message:
    if code == "00":
        return {"Result": "Success"}
    if code == "10":
        return {"Result": "Partial"}
    return {"Result": "Failure", "ErrorCondition": _CONDITIONS.get(code, "Refusal")}
