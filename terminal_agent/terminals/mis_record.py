"""What does a fixed-width record of a MIS client (银联商务 bankall) look like, and what of it may be kept?

    request, 59 bytes: POS no 8 | operator 8 | trans 2 | amount 12 | original date 8 | original reference 12 |
                       original voucher 6 | nonce 3
    answer, 148 bytes: code 2 | bank 4 | card 20 | voucher 6 | amount 12 | text 40 | merchant 15 |
                       terminal 8 | batch 6 | date 4 | time 6 | reference 12 | auth 6 | settle date 4 |
                       nonce 3

Text is GBK, filled with blanks; numbers are filled with zeros. The nonce, three digits, comes back as it
was sent. Pure. Nothing raises but `RecordFault`, which never carries what was received.
"""

import re

import msgspec

from subsidy.records.payment import Evidence
from terminal_agent.terminals.read_answer import free_text, masked_pan

REQUEST_BYTES = 59
ANSWER_BYTES = 148

REQUEST_LAYOUT = (
    *(("pos_no", 8), ("operator", 8), ("trans", 2), ("amount", 12), ("original_date", 8)),
    *(("original_rrn", 12), ("original_trace", 6), ("nonce", 3)),
)
ANSWER_LAYOUT = (
    *(("code", 2), ("bank", 4), ("pan", 20), ("trace", 6), ("amount", 12), ("text", 40), ("merchant_no", 15)),
    *(("terminal_no", 8), ("batch", 6), ("date", 4), ("time", 6), ("rrn", 12), ("auth", 6)),
    *(("settle_date", 4), ("nonce", 3)),
)
"""The fields of the records by their names, with their widths in bytes."""

_SHAPES = {
    "trans": re.compile(r"[0-9A-Z]{2}", re.ASCII),
    "original_date": re.compile(r"[0-9]{8}", re.ASCII),
    "original_rrn": re.compile(r"[0-9A-Za-z]{12}", re.ASCII),
    "original_trace": re.compile(r"[0-9]{6}", re.ASCII),
    "code": re.compile(r"[0-9A-Z]{2}", re.ASCII),
    "trace": re.compile(r"[0-9]{6}", re.ASCII),
    "amount": re.compile(r"[0-9]{12}", re.ASCII),
    "merchant_no": re.compile(r"[0-9A-Za-z]{15}", re.ASCII),
    "terminal_no": re.compile(r"[0-9A-Za-z]{8}", re.ASCII),
    "batch": re.compile(r"[0-9]{6}", re.ASCII),
    "date": re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", re.ASCII),
    "time": re.compile(r"([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", re.ASCII),
    "rrn": re.compile(r"[0-9A-Za-z]{12}", re.ASCII),
    "auth": re.compile(r"[0-9A-Za-z]{1,6}", re.ASCII),
    "nonce": re.compile(r"[0-9]{3}", re.ASCII),
}


class RecordFault(Exception):
    """Bytes that are no answer. Says what is wrong, never what was received."""


class Request(msgspec.Struct, frozen=True):
    """One call. Of the original only what the transaction needs."""

    trans: str
    pos_no: str
    operator: str
    nonce: str
    fen: int = 0
    original_date: str = ""
    original_rrn: str = ""
    original_trace: str = ""


class Slip(msgspec.Struct, frozen=True):
    """One answer, without anything that may not be kept. What was missing or out of shape is empty."""

    nonce: str
    amount_fen: int | None
    evidence: Evidence


def write_request(request: Request) -> bytes:
    """Return the record of one call. `fen` is below 10**12."""
    record = (
        _text(request.pos_no, 8)
        + _text(request.operator, 8)
        + request.trans.encode("ascii")
        + f"{request.fen:012d}".encode("ascii")
        + _number(request.original_date, 8)
        + _number(request.original_rrn, 12)
        + _number(request.original_trace, 6)
        + request.nonce.encode("ascii")
    )
    assert len(record) == REQUEST_BYTES
    return record


def read_answer(record: bytes) -> Slip:
    """Return what an answer says, masked. Raises RecordFault."""
    if len(record) != ANSWER_BYTES:
        raise RecordFault("an answer of another size")
    code, _, pan, trace, amount, text, mid, tid, batch, date, time, rrn, auth, _, nonce = _parts(
        record, ANSWER_LAYOUT
    )
    fen = _shaped("amount", amount)
    return Slip(
        nonce=_shaped("nonce", nonce),
        amount_fen=int(fen) if fen else None,
        evidence=Evidence(
            code=_shaped("code", code),
            text=free_text(text),
            terminal_no=_shaped("terminal_no", tid),
            merchant_no=_shaped("merchant_no", mid),
            batch=_shaped("batch", batch),
            trace=_shaped("trace", trace),
            rrn=_shaped("rrn", rrn),
            auth=_shaped("auth", auth),
            masked_pan=masked_pan(pan.strip(b" \0")),
            host_date=_shaped("date", date),
            host_time=_shaped("time", time),
        ),
    )


def read_request(record: bytes) -> Request:
    """Return what a request asks for, without who asks. Raises RecordFault."""
    if len(record) != REQUEST_BYTES:
        raise RecordFault("a request of another size")
    _, _, trans, amount, date, rrn, trace, nonce = _parts(record, REQUEST_LAYOUT)
    return Request(
        trans=_shaped("trans", trans),
        pos_no="",
        operator="",
        nonce=_shaped("nonce", nonce),
        fen=int(_shaped("amount", amount) or 0),
        original_date=_shaped("original_date", date),
        original_rrn=_shaped("original_rrn", rrn),
        original_trace=_shaped("original_trace", trace),
    )


def is_in_shape(name: str, value: bytes) -> bool:
    """Whether a field may be written down as it came: it names nobody, and has the shape it should have."""
    return name in _SHAPES and _shaped(name, value) != ""


def _parts(record: bytes, layout: tuple[tuple[str, int], ...]) -> list[bytes]:
    parts = []
    at = 0
    for _, width in layout:
        parts.append(record[at : at + width])
        at += width
    return parts


def _text(text: str, width: int) -> bytes:
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:width])
    return plain.encode("ascii").ljust(width)


def _number(digits: str, width: int) -> bytes:
    assert len(digits) <= width
    return digits.encode("ascii").rjust(width, b"0")


def _shaped(shape: str, value: bytes) -> str:
    text = value.strip(b" \0").decode("ascii", errors="replace")
    return text if _SHAPES[shape].fullmatch(text) else ""
