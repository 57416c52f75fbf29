"""How does the emulated terminal that calls its acquirer itself write and read its frames?

Written from the protocol and from nothing else, on purpose: the agent reads what this file writes, and if
both used the same code, every test would agree with the mistake.

    two bytes, count of the rest | TPDU, 5 bytes | header, 6 bytes | type, 2 bytes | bitmap, 8 bytes | fields
"""

from collections.abc import Mapping

TPDU = "6000030000"
HEADER = "603100311001"

# Field: (kind, size). n: digits in BCD, fixed; n2 and n3: with a length of two or three digits before them;
# z2: a track; a: text, fixed; a2 and a3: text with a length; b: bytes as hex, fixed; b3: with a length.
_FIELDS: Mapping[int, tuple[str, int]] = {
    2: ("n2", 19),
    3: ("n", 6),
    4: ("n", 12),
    11: ("n", 6),
    12: ("n", 6),
    13: ("n", 4),
    14: ("n", 4),
    15: ("n", 4),
    22: ("nl", 3),
    25: ("n", 2),
    32: ("n2", 11),
    35: ("z2", 37),
    37: ("a", 12),
    38: ("a", 6),
    39: ("a", 2),
    41: ("a", 8),
    42: ("a", 15),
    44: ("a2", 25),
    49: ("a", 3),
    52: ("b", 8),
    53: ("n", 16),
    55: ("b3", 255),
    60: ("n3", 19),
    61: ("n3", 29),
    62: ("b3", 512),
    63: ("a3", 163),
    64: ("b", 8),
}

Fields = dict[int, str]


class Unreadable(Exception):
    """Bytes that are no frame of this terminal's."""


def write(mti: str, fields: Mapping[int, str]) -> bytes:
    """Return a whole frame."""
    bits = sum(1 << (64 - no) for no in fields)
    body = b"".join(_written(no, fields[no]) for no in sorted(fields))
    rest = bytes.fromhex(TPDU + HEADER + mti) + bits.to_bytes(8, "big") + body
    return len(rest).to_bytes(2, "big") + rest


def read(rest: bytes) -> tuple[str, Fields]:
    """Return type and fields of a frame without its first two bytes. Raises Unreadable."""
    try:
        return _read(rest)
    except (IndexError, KeyError, ValueError):
        raise Unreadable("no frame that this terminal knows") from None


def _read(rest: bytes) -> tuple[str, Fields]:
    mti = rest[11:13].hex()
    bits = int.from_bytes(rest[13:21], "big")
    at = 21
    fields: Fields = {}
    for no in range(1, 65):
        if not bits >> (64 - no) & 1:
            continue
        kind, size = _FIELDS[no]
        if kind[-1] in "23":
            width = 1 if kind[-1] == "2" else 2
            size = int(rest[at : at + width].hex())
            at += width
        count = (size + 1) // 2 if kind[0] in "nz" else size
        raw = rest[at : at + count]
        if len(raw) != count:
            raise ValueError
        at += count
        if kind[0] in "nz":
            digits = raw.hex().upper()
            fields[no] = digits[-size:] if kind == "n" else digits[:size].replace("D", "=")
        else:
            fields[no] = raw.hex() if kind[0] == "b" else raw.decode("gb18030")
    if at != len(rest):
        raise ValueError
    return mti, fields


def _written(no: int, text: str) -> bytes:
    kind, size = _FIELDS[no]
    if kind[0] in "nz":
        digits = text.replace("=", "D")
        odd = len(digits) % 2 == 1
        packed = bytes.fromhex(("0" + digits if kind == "n" else digits + "0") if odd else digits)
        count = len(digits)
    else:
        packed = bytes.fromhex(text) if kind[0] == "b" else text.encode("ascii")
        count = len(packed)
    if count > size:
        raise ValueError(f"field {no} is too long")
    if kind[-1] == "2":
        return bytes.fromhex(f"{count:02d}") + packed
    return bytes.fromhex(f"{count:04d}") + packed if kind[-1] == "3" else packed
