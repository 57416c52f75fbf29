"""How does an emulated terminal write fields one after the other with a bar between them?

Written from the protocol and from nothing else, as in `wire.py`.

    02 | command | "|" | field | "|" ... | 03 | XOR of all after the 02
"""

from terminal_agent.emulators import wire
from terminal_agent.emulators.wire import Fields, Unreadable, Wire

_LONGEST = 4096
_SILENCE_S = 0.2

# Command and answer of each type, and what stands in which place.
_REQUESTS = {
    "0200": (wire.SALE, (wire.AMOUNT, wire.NONCE, wire.ORDER, wire.OPERATOR)),
    "0250": (wire.LAST, ()),
    "1200": (wire.VOID, (wire.ORIGINAL_TRACE, wire.NONCE, wire.ORDER, wire.OPERATOR)),
    "1300": (
        wire.REFUND,
        (
            wire.AMOUNT,
            wire.ORIGINAL_TRACE,
            wire.REFERENCE,
            wire.DATE,
            wire.NONCE,
            wire.ORDER,
            wire.OPERATOR,
        ),
    ),
}
_RECORD = (
    wire.CODE,
    wire.MERCHANT,
    wire.TERMINAL,
    wire.NONCE,
    wire.ORDER,
    wire.AUTH,
    wire.AMOUNT,
    wire.CARD,
    wire.TRACE,
    wire.BATCH,
    wire.REFERENCE,
    wire.DATE,
    wire.TIME,
    wire.TEXT,
    wire.MEMO,
    wire.CONTENT,
)
_ANSWERS = {wire.SALE: "0210", wire.LAST: "0260", wire.VOID: "1210", wire.REFUND: "1310", 0: "9999"}


def _join(fields: Fields) -> bytes:
    kind = fields[wire.TYPE][0]
    if kind == wire.PROGRESS:
        return b"|".join((b"0900", fields.get(wire.NONCE, b""), b""))
    # A bar or a control character inside a value would be another field or the end.
    values = [fields.get(tag, b"").decode("gbk", "replace") for tag in _RECORD]
    safe = ["".join(c for c in value if c.isprintable() and c != "|") for value in values]
    return "|".join([_ANSWERS[kind], *safe, ""]).encode("gbk", "replace")


def _split(middle: bytes) -> Fields:
    try:
        command, *values = middle.decode("gbk").split("|")
    except UnicodeDecodeError:
        raise Unreadable from None
    if command not in _REQUESTS or len(values) != len(_REQUESTS[command][1]) + 1:
        raise Unreadable
    kind, places = _REQUESTS[command]
    named = dict(zip(places, (value.encode("gbk") for value in values), strict=False))
    return {wire.TYPE: bytes((kind,)), **named}


class _Listener:
    """Takes a byte at a time. A frame that pauses for 200 ms is forgotten."""

    def __init__(self, start: int, ends_signals: bool) -> None:
        self._start = start
        self._ends_signals = ends_signals
        self._held = bytearray()
        self._last_at = 0.0

    def hear(self, received: bytes, at: float) -> list[tuple[str, bytes]]:
        """Return what `received` at second `at` completes."""
        if at - self._last_at > _SILENCE_S:
            self._held.clear()
        self._last_at = at
        return [event for one in received if (event := self._take(one)) is not None]

    def _take(self, one: int) -> tuple[str, bytes] | None:
        if not self._held and one not in (0x02, 0x06, 0x15):
            return None
        self._held.append(one)
        if self._held[0] != 0x02:
            return self._signal()
        if len(self._held) > _LONGEST:
            self._held.clear()
            return ("bad", b"")
        if len(self._held) < 3 or self._held[-2] != 3:
            return None
        whole = bytes(self._held)
        self._held.clear()
        return ("frame", whole[1:-2]) if _check(whole[1:-1], self._start) == whole[-1] else ("bad", b"")

    def _signal(self) -> tuple[str, bytes] | None:
        kind = "ack" if self._held[0] == 6 else "nak"
        if self._ends_signals and len(self._held) < 3:
            return None
        right = not self._ends_signals or bytes(self._held) == _signal(self._held[0], self._start)
        self._held.clear()
        return (kind, b"") if right else None


def _check(content: bytes, start: int) -> int:
    check = start
    for one in content:
        check ^= one
    return check


def _signal(sign: int, start: int) -> bytes:
    return bytes((sign, 3, _check(bytes((sign, 3)), start)))


def _wire(start: int, *, ends_signals: bool) -> Wire:
    def wrap(middle: bytes, spoil_check: bool) -> bytes:
        body = middle + b"\x03"
        return b"\x02" + body + bytes([_check(body, start) ^ (0xFF if spoil_check else 0)])

    return Wire(
        _join,
        _split,
        wrap,
        lambda: _Listener(start, ends_signals),
        _signal(6, start) if ends_signals else b"\x06",
        _signal(0x15, start) if ends_signals else b"\x15",
        b"\x01PLEASE WAIT         \x04" if ends_signals else None,
    )


SEPARATED = _wire(0, ends_signals=False)
CHECKED = _wire(0x7F, ends_signals=True)
"""The same fields under the rules of ECR17: check from 7F, ACK and NAK with a check, progress as a text."""
