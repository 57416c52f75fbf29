"""How does the emulated acquirer host read and write ISO 8583?

Written from the protocol and from nothing else, on purpose: if the agent encoded wrongly and its emulator
used the same code, every test would agree with the mistake. Only what a UnionPay terminal sends.

    two bytes length | TPDU, 5 | header, 6 | type, 2 | bitmap, 8 | fields
"""

import struct
from collections.abc import Callable

Values = dict[int, str]

_TPDU_AND_HEADER = 11
_MAC = 64
_CALM, _SIGN_IN_AGAIN = "603100310001", "603103310001"

# Fixed: how many digits ("n"), characters ("a") or bytes ("b"). Variable: how many digits its length has.
_FIXED = {
    3: ("n", 6), 4: ("n", 12), 11: ("n", 6), 12: ("n", 6), 13: ("n", 4), 14: ("n", 4), 15: ("n", 4),
    22: ("n", 3), 23: ("n", 3), 25: ("n", 2), 26: ("n", 2), 37: ("a", 12), 38: ("a", 6), 39: ("a", 2),
    41: ("a", 8), 42: ("a", 15), 49: ("a", 3), 52: ("b", 8), 53: ("n", 16), 64: ("b", 8),
}  # fmt: skip
_VARIABLE = {
    2: ("n", 2), 32: ("n", 2), 35: ("n", 2), 36: ("n", 4), 44: ("a", 2), 48: ("n", 4), 54: ("a", 4),
    55: ("b", 4), 57: ("b", 4), 58: ("b", 4), 59: ("b", 4), 60: ("n", 4), 61: ("n", 4), 62: ("b", 4),
    63: ("a", 4),
}  # fmt: skip
_LEFT_ALIGNED = {22}


class Unreadable(Exception):
    """Bytes that are no message of a UnionPay terminal."""


def split(content: bytes) -> tuple[bytes, str, Values]:
    """Return (TPDU and header, type, fields) of a frame without its length. Raises Unreadable."""
    around, body = content[:_TPDU_AND_HEADER], content[_TPDU_AND_HEADER:]
    if len(body) < 10 or around[0] != 0x60 or not body[:2].hex().isdigit():
        raise Unreadable
    bitmap = int.from_bytes(body[2:10])
    rest = body[10:]
    values: Values = {}
    for no in range(1, 65):
        if not bitmap >> (64 - no) & 1:
            continue
        if no in _FIXED:
            kind, count = _FIXED[no]
        elif no in _VARIABLE:
            kind, digits = _VARIABLE[no]
            count, rest = _number(rest[: (digits + 1) // 2]), rest[(digits + 1) // 2 :]
        else:
            raise Unreadable
        size = (count + 1) // 2 if kind == "n" else count
        if len(rest) < size:
            raise Unreadable
        values[no] = _read(no, kind, count, rest[:size])
        rest = rest[size:]
    if rest:
        raise Unreadable
    return around, body[:2].hex(), values


def join(mti: str, values: Values, mac: Callable[[bytes], bytes] | None) -> bytes:
    """Return the message's bytes; with what makes MACs, field 64 is its own."""
    numbers = sorted(values.keys() | ({_MAC} if mac else set()))
    bitmap = 0
    for no in numbers:
        bitmap |= 1 << (64 - no)
    body = bytes.fromhex(mti) + struct.pack(">Q", bitmap)
    for no in numbers:
        if no != _MAC:
            body += _write(no, values[no])
    return body + mac(body) if mac else body


def wrap(around: bytes, body: bytes, *, sign_in_again: bool = False) -> bytes:
    """Return a whole frame that goes back where `around` came from."""
    tpdu = around[:1] + around[3:5] + around[1:3]
    header = bytes.fromhex(_SIGN_IN_AGAIN if sign_in_again else _CALM)
    content = tpdu + header + body
    return struct.pack(">H", len(content)) + content


def _number(packed: bytes) -> int:
    try:
        return int(packed.hex() or "x")
    except ValueError:
        raise Unreadable from None


def _read(no: int, kind: str, count: int, data: bytes) -> str:
    if kind == "a":
        return data.decode("gb18030", errors="replace")
    text = data.hex().upper()
    if kind == "b" or count % 2 == 0:
        return text
    return text[:-1] if no in _VARIABLE or no in _LEFT_ALIGNED else text[1:]


def _write(no: int, value: str) -> bytes:
    kind, count = _FIXED.get(no) or _VARIABLE[no]
    data = value.encode("gb18030") if kind == "a" else bytes.fromhex(_even(no, value))
    if no in _FIXED:
        assert len(data) == ((count + 1) // 2 if kind == "n" else count), no
        return data
    size = len(value) if kind == "n" else len(data)
    return bytes.fromhex(f"{size:0{count}d}") + data


def _even(no: int, digits: str) -> str:
    if len(digits) % 2 == 0:
        return digits
    return digits + "0" if no in _VARIABLE or no in _LEFT_ALIGNED else "0" + digits
