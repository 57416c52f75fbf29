"""What did the terminal say, and what of it may be kept?

Only the fields named here leave this file, each in its own shape; everything else that a terminal sends
(tracks, expiry, print text, whatever a badly set up one puts anywhere) is dropped unread. Nothing
clear is logged or put into an error.
"""

import re
import unicodedata
from collections.abc import Callable

import msgspec

from subsidy.masking import mask_pan, scrub
from subsidy.records.payment import Evidence
from terminal_agent.terminals.framing import FramingFault, unpack

_Unpack = Callable[[bytes], dict[int, bytes]]

SALE, VOID, REFUND, PROGRESS, LAST_TRANSACTION = 2, 3, 4, 7, 15

TYPE, AMOUNT, MERCHANT_NO, TERMINAL_NO, OPERATOR = 0x01, 0x02, 0x04, 0x05, 0x06
PAN, BATCH, TRACE, AUTH, RRN, DATE, TIME = 0x0B, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12
MEMO, CODE, TEXT, NONCE, ORIGINAL_TRACE, ORDER = 0x13, 0x14, 0x19, 0x1A, 0x20, 0xFF

NO_TRACE = "000000"  # what a terminal names before its first transaction
NONCE_LENGTH = 8

# An exact length wherever there is one, so that a phone or card number in the wrong field does not fit.
_SHAPES = {
    MERCHANT_NO: re.compile(r"[0-9A-Za-z]{15}", re.ASCII),
    TERMINAL_NO: re.compile(r"[0-9A-Za-z]{8}", re.ASCII),
    BATCH: re.compile(r"[0-9]{6}", re.ASCII),
    TRACE: re.compile(r"[0-9]{6}", re.ASCII),
    AUTH: re.compile(r"[0-9A-Za-z]{1,6}", re.ASCII),
    RRN: re.compile(r"[0-9A-Za-z]{12}", re.ASCII),
    DATE: re.compile(r"[0-9]{4}|[0-9]{8}", re.ASCII),
    TIME: re.compile(r"[0-9]{6}", re.ASCII),
    MEMO: re.compile(r"[0-9]{2}", re.ASCII),
    CODE: re.compile(r"[0-9A-Z]{2}", re.ASCII),
    NONCE: re.compile(r"[0-9A-Z]{8}", re.ASCII),
    ORDER: re.compile(r"[A-Z2-7]{26}[0-9]{2}R?", re.ASCII),
    AMOUNT: re.compile(r"[0-9]{12}", re.ASCII),
}
_MASKED_PAN = re.compile(r"[0-9*]{6}\*{2,9}[0-9*]{4}", re.ASCII)
_LONGEST_TEXT = 40
_MOST_DIGITS_IN_TEXT = 6  # a code and a time, never a phone, card or identity number
# Seven bytes in a row that could be a card number packed two digits to a byte. English words of the letters
# a to i and p to y look so too; such a text is not kept either, the code says the same.
_PACKED_DIGITS = re.compile(
    b"[" + re.escape(bytes(16 * high + low for high in range(10) for low in range(10))) + b"]{7}"
)
_NOT_TEXT = re.compile(r"[^\w .,:;!?()/\-。、]|_")


class Said(msgspec.Struct, frozen=True):
    """One frame from the terminal, without anything that may not be kept.

    A field that was missing or not of its shape is empty; an `order` that is no pay_ref or refund number of
    ours is "?". `memo` names, in the answer to a last-transaction query, the type of that transaction.
    """

    kind: int
    nonce: str
    order: str
    memo: str
    amount_fen: int | None
    evidence: Evidence


def read_answer(data: bytes, unpack: _Unpack = unpack) -> Said:
    """Return what DATA says, masked. Raises FramingFault when it does not consist of fields."""
    fields = unpack(data)
    kind = fields.get(TYPE, b"")
    if len(kind) != 1:
        raise FramingFault("no transaction type")
    amount = _shaped(fields, AMOUNT)
    return Said(
        kind=kind[0],
        nonce=_shaped(fields, NONCE),
        order=_shaped(fields, ORDER) or ("?" if fields.get(ORDER, b"").strip(b" \0") else ""),
        memo=_shaped(fields, MEMO),
        amount_fen=int(amount) if amount else None,
        evidence=Evidence(
            code=_shaped(fields, CODE),
            text=_free_text(fields.get(TEXT, b"")),
            terminal_no=_shaped(fields, TERMINAL_NO),
            merchant_no=_shaped(fields, MERCHANT_NO),
            batch=_shaped(fields, BATCH),
            trace=_shaped(fields, TRACE),
            rrn=_shaped(fields, RRN),
            auth=_shaped(fields, AUTH),
            masked_pan=masked_pan(fields.get(PAN, b"")),
            host_date=_shaped(fields, DATE),
            host_time=_shaped(fields, TIME),
        ),
    )


def kept_as_sent(tag: int, value: bytes) -> bool:
    """Whether a field may be written down as it came: it is allowed, and has the shape it should have."""
    if tag == PAN:
        return masked_pan(value) == value.decode("ascii", errors="replace")
    shape = _SHAPES.get(tag)
    return shape is not None and shape.fullmatch(value.decode("ascii", errors="replace")) is not None


def _shaped(fields: dict[int, bytes], tag: int) -> str:
    text = fields.get(tag, b"").strip(b" \0").decode("ascii", errors="replace")
    return text if _SHAPES[tag].fullmatch(text) else ""


def masked_pan(value: bytes) -> str:
    """Return a card number with first six and last four digits, or nothing when it does not look like one."""
    masked = mask_pan(value.decode("ascii", errors="replace"))
    return masked if _MASKED_PAN.fullmatch(masked) else ""


def _free_text(value: bytes) -> str:
    """Return what a person may read, or nothing when it could hide a number."""
    value = value.strip(b" \0")
    if len(value) > 2 * _LONGEST_TEXT or _PACKED_DIGITS.search(value):
        return ""
    try:
        # NFKC: full-width digits are digits too.
        text = unicodedata.normalize("NFKC", value.decode("gbk"))
    except UnicodeDecodeError:
        return ""
    if _NOT_TEXT.search(text) or sum(c.isnumeric() for c in text) > _MOST_DIGITS_IN_TEXT:
        return ""
    return scrub(text)[:_LONGEST_TEXT]
