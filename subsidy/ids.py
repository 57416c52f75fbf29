"""How is a sale named, from the till to the auditor?

`record_id` is a UUIDv7 (RFC 9562) made at the till, lower case with hyphens. Channels take 32
characters of letters and digits, so each attempt to pay travels as a `pay_ref`: base32 of the
record id's 16 bytes (RFC 4648, upper case, no padding: 26 characters) and the attempt's number in
two digits. A refund of that payment adds an `R`.
"""

import base64
import re
import uuid

MOST_ATTEMPTS = 99

_RECORD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_PAY_REF = re.compile(r"([A-Z2-7]{26})([0-9]{2})(R?)", re.ASCII)

RECORD_ID_PATTERN = f"^{_RECORD_ID.pattern}$"


def record_id(at_ms: int, randomness: bytes) -> str:
    """Make the record id for a sale begun at `at_ms` (Unix milliseconds) from 10 random bytes."""
    assert 0 <= at_ms < 2**48
    assert len(randomness) == 10
    number = (at_ms << 80) | int.from_bytes(randomness)
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=number))


def is_record_id(text: str) -> bool:
    """Whether `text` is a record id in the one spelling we use."""
    return _RECORD_ID.fullmatch(text) is not None


def pay_ref(of_record: str, attempt_no: int) -> str:
    """Return what the channel is told as the order number of attempt `attempt_no` (1 to 99)."""
    assert is_record_id(of_record)
    assert 1 <= attempt_no <= MOST_ATTEMPTS
    return base64.b32encode(uuid.UUID(of_record).bytes).decode().rstrip("=") + f"{attempt_no:02d}"


def refund_no(of_pay_ref: str) -> str:
    """Return the one number under which every try to refund `of_pay_ref` goes out."""
    assert read_pay_ref(of_pay_ref) is not None
    return of_pay_ref + "R"


def read_pay_ref(text: str) -> tuple[str, int] | None:
    """Return (record_id, attempt number) of a pay_ref or refund number, or None when it is not ours."""
    found = _PAY_REF.fullmatch(text)
    if found is None:
        return None
    of_record = str(uuid.UUID(bytes=base64.b32decode(found[1] + "======")))
    attempt_no = int(found[2])
    if not is_record_id(of_record) or attempt_no == 0:
        return None
    # The last letter carries two bits more than the id has; another letter there is another number.
    return (of_record, attempt_no) if text.startswith(pay_ref(of_record, attempt_no)) else None
