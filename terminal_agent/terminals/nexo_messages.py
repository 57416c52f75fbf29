"""What does a nexo Sale-to-POI message look like, and what of an answer may be kept?

    4 bytes, big endian: how many follow | JSON, one SaleToPOIRequest or SaleToPOIResponse

Only the fields named here leave this file, each in its own shape; a terminal sends much more (receipts,
tokens, names), which is dropped unread. Pure. Nothing raises but `NexoFault`, which never carries what was
received.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from subsidy.calendar import SHANGHAI
from subsidy.masking import scrub
from subsidy.records.payment import Evidence
from terminal_agent.terminals.read_answer import masked_pan

LARGEST_BODY = 65_536
CURRENCY = "CNY"
SUCCESS, PARTIAL, FAILURE = "Success", "Partial", "Failure"

_LENGTH = 4
_MOST_FEN = 10**12 - 1
_LONGEST_NUMBER = 20
_SHAPES = {
    "result": re.compile(r"Success|Partial|Failure"),
    "condition": re.compile(r"[A-Za-z]{1,30}", re.ASCII),
    "service": re.compile(r"[0-9A-Za-z]{1,10}", re.ASCII),
    "order": re.compile(r"[A-Z2-7]{26}[0-9]{2}R?", re.ASCII),
    "poi": re.compile(r"[0-9A-Za-z.-]{1,40}", re.ASCII),
    "terminal_no": re.compile(r"[0-9A-Za-z]{8}", re.ASCII),
    "merchant_no": re.compile(r"[0-9A-Za-z]{15}", re.ASCII),
    "trace": re.compile(r"[0-9]{6}", re.ASCII),
    "rrn": re.compile(r"[0-9A-Za-z]{12}", re.ASCII),
    "auth": re.compile(r"[0-9A-Za-z]{1,6}", re.ASCII),
}
_ENCODER = msgspec.json.Encoder(decimal_format="number")

Tree = dict[str, Any]


class NexoFault(Exception):
    """Bytes that are no message of this protocol. Says what is wrong, never what was received."""


class Address(msgspec.Struct, frozen=True):
    """Who talks to whom, in every header."""

    sale_id: str
    poi_id: str


class Said(msgspec.Struct, frozen=True):
    """One answer, without anything that may not be kept. What was missing or out of shape is empty."""

    category: str
    service_id: str
    result: str = ""
    condition: str = ""
    order: str = ""
    amount_fen: int | None = None
    evidence: Evidence = Evidence()
    repeated: "Said | None" = None
    """What a status request was asked about, as it was answered then."""
    is_progress: bool = False


class Decoder:
    """Cuts what arrives into bodies. Lives as long as one connection."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield each body that `received` completes. Raises NexoFault for a length that cannot be."""
        self._held += received
        while len(self._held) >= _LENGTH:
            size = int.from_bytes(self._held[:_LENGTH])
            if not 1 < size <= LARGEST_BODY:
                raise NexoFault("a length that no message has")
            if len(self._held) < _LENGTH + size:
                return
            body = bytes(self._held[_LENGTH : _LENGTH + size])
            del self._held[: _LENGTH + size]
            yield body


def request(
    address: Address, category: str, service_id: str, body: Tree, message_class: str = "Service"
) -> bytes:
    """Return a request as it goes over the line."""
    header = {
        "ProtocolVersion": "3.0",
        "MessageClass": message_class,
        "MessageCategory": category,
        "MessageType": "Request",
        "ServiceID": service_id,
        "SaleID": address.sale_id,
        "POIID": address.poi_id,
    }
    message = {"SaleToPOIRequest": {"MessageHeader": header, f"{category}Request": body}}
    encoded = _ENCODER.encode(message)
    return len(encoded).to_bytes(_LENGTH) + encoded


def yuan(fen: int) -> Decimal:
    """Return fen as the number of yuan that goes into a message."""
    return Decimal(fen).scaleb(-2)


def time_text(evidence: Evidence) -> str:
    """Return when the terminal says that it was, in Shanghai's time."""
    date, time = evidence.host_date, evidence.host_time
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}+08:00"


def read_message(body: bytes, address: Address) -> Said:
    """Return what a message from this terminal to us says, masked. Raises NexoFault."""
    tree = _read_json(body)
    if _at(tree, "SaleToPOIRequest", "MessageHeader", "POIID") == address.poi_id:
        # A terminal that shows something or tells an event is at work.
        return Said(category="", service_id="", is_progress=True)
    return _read_response(_dict(tree, "SaleToPOIResponse"), address)


def _read_response(response: Tree, address: Address) -> Said:
    header = _dict(response, "MessageHeader")
    if header.get("POIID") != address.poi_id or header.get("SaleID") != address.sale_id:
        raise NexoFault("a message of another terminal or till")
    category = header.get("MessageCategory")
    if header.get("MessageType") != "Response" or category not in _READERS:
        raise NexoFault("a message that is no answer to anything we ask")
    said = _read_body(category, _shaped("service", header.get("ServiceID")), response)
    if category != "TransactionStatus":
        return said
    found = _at(response, "TransactionStatusResponse", "RepeatedMessageResponse")
    if not isinstance(found, dict):
        return said
    first = _dict(found, "MessageHeader")
    of = first.get("MessageCategory")
    if of not in ("Payment", "Reversal"):
        raise NexoFault("a repeated message of another kind")
    inner = _read_body(
        of, _shaped("service", first.get("ServiceID")), _dict(found, "RepeatedResponseMessageBody")
    )
    return msgspec.structs.replace(said, repeated=inner)


def _read_body(category: str, service_id: str, around: Tree) -> Said:
    body = _dict(around, f"{category}Response")
    response = _dict(body, "Response")
    result = _shaped("result", response.get("Result"))
    condition = _shaped("condition", response.get("ErrorCondition"))
    code = result if result in (SUCCESS, PARTIAL) else condition
    if category == "Diagnosis":
        condition = condition or _shaped("condition", _at(body, "POIStatus", "GlobalStatus"))
    return Said(
        category=category,
        service_id=service_id,
        result=result,
        condition=condition,
        order=_shaped("order", _at(body, "SaleData", "SaleTransactionID", "TransactionID")),
        amount_fen=_amount(category, body),
        evidence=_evidence(body, code),
    )


def _amount(category: str, body: Tree) -> int | None:
    if category == "Reversal":
        # The answer has no currency of its own: it is the original's.
        return _fen(body.get("ReversedAmount"))
    amounts = _at(body, "PaymentResult", "AmountsResp")
    if not isinstance(amounts, dict) or amounts.get("Currency") != CURRENCY:
        return None
    return _fen(amounts.get("AuthorizedAmount"))


def _evidence(body: Tree, code: str) -> Evidence:
    poi = _at(body, "POIData", "POITransactionID")
    poi = poi if isinstance(poi, dict) else {}
    acquirer = _at(body, "PaymentResult", "PaymentAcquirerData")
    acquirer = acquirer if isinstance(acquirer, dict) else {}
    number = _at(acquirer, "AcquirerTransactionID", "TransactionID")
    date, time = _when(poi.get("TimeStamp"))
    channel_no = _shaped("poi", poi.get("TransactionID"))
    pan = _at(body, "PaymentResult", "PaymentInstrumentData", "CardData", "MaskedPan")
    return Evidence(
        code=code,
        terminal_no=_shaped("terminal_no", acquirer.get("AcquirerPOIID")),
        merchant_no=_shaped("merchant_no", acquirer.get("MerchantID")),
        trace=_shaped("trace", number),
        rrn=_shaped("rrn", number),
        auth=_shaped("auth", acquirer.get("ApprovalCode")),
        masked_pan=masked_pan(pan.encode("ascii", "replace")) if isinstance(pan, str) else "",
        host_date=date if channel_no else "",
        host_time=time if channel_no else "",
        channel_no=channel_no,
    )


def _when(text: object) -> tuple[str, str]:
    if not isinstance(text, str) or len(text) > 40:
        return "", ""
    try:
        at = datetime.fromisoformat(text)
        local = at.astimezone(SHANGHAI) if at.tzinfo else at
    except (ValueError, OverflowError):
        return "", ""
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")


def _fen(number: object) -> int | None:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        return None
    fen = Decimal(number).scaleb(2)
    if not 0 <= fen <= _MOST_FEN or fen != fen.to_integral_value():
        return None
    return int(fen)


def _shaped(shape: str, value: object) -> str:
    if not isinstance(value, str) or not _SHAPES[shape].fullmatch(value):
        return ""
    return value if shape == "order" or scrub(value) == value else ""


def _dict(tree: Tree, key: str) -> Tree:
    found = tree.get(key)
    if not isinstance(found, dict):
        raise NexoFault(f"no {key}")
    return found


def _at(tree: object, *path: str) -> object:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _read_json(body: bytes) -> Tree:
    if len(body) > LARGEST_BODY:
        raise NexoFault("a message longer than any may be")
    try:
        tree = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_float=_number,
            parse_int=_whole,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise NexoFault("no JSON in UTF-8") from None
    if not isinstance(tree, dict):
        raise NexoFault("no JSON object")
    return tree


def _once_each(pairs: list[tuple[str, Any]]) -> Tree:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two amounts: nobody can say which one counts.
        raise NexoFault("a key that stands twice")
    return found


def _number(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER or "e" in text or "E" in text:
        raise NexoFault("a number that cannot be meant")
    return Decimal(text)


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise NexoFault("a number that cannot be meant")
    return int(text)


def _no_constant(_text: str) -> NoReturn:
    raise NexoFault("a number that is none")


_READERS = frozenset({"Payment", "Reversal", "TransactionStatus", "Login", "Diagnosis"})
