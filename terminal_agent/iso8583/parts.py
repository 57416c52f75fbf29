"""What do the fields that are made of parts say, and how are they put together from parts?

A reader takes the text of a field and what the message says beside it; it raises MessageFault when the text
is not made as it should be. Which field has which parts stands in the dialect.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from terminal_agent.iso8583.faults import MessageFault, shape
from terminal_agent.iso8583.tlv import read_tlv, write_tlv

Parts = dict[str, str]
Read = Callable[[str, Mapping[str, str]], Parts]
Write = Callable[[Mapping[str, str]], str]

MTI = "t"
_KEY_BLOCKS = (24, 40, 56, 60, 84)
_SIGN_IN = ("001", "003", "004")
_SERIAL = "Sequence No"
_NOTE_BYTES = 20
_TEXT = "gb18030"


class Positions:
    """Parts of fixed widths, one after the other; after the first `least`, the last ones may be left out."""

    def __init__(self, field: str, widths: Sequence[tuple[str, int]], least: int) -> None:
        self._field = f"field {field}"
        self._names = [name for name, _ in widths]
        self._widths = dict(widths)
        ends = list(accumulate(width for _, width in widths))
        self._cuts = {
            end: [
                (name, stop - width, stop)
                for (name, width), stop in zip(widths[: count + 1], ends, strict=False)
            ]
            for count, end in enumerate(ends)
            if count + 1 >= least
        }

    def read(self, text: str, _: Mapping[str, str]) -> Parts:
        """Return the parts by name."""
        cuts = self._cuts.get(len(text))
        if cuts is None:
            known = ", ".join(map(str, self._cuts))
            raise MessageFault(self._field, f"{len(text)} characters long, where its parts need {known}")
        return {name: text[start:stop] for name, start, stop in cuts}

    def write(self, parts: Mapping[str, str]) -> str:
        """Return the text of parts, which are the first so many."""
        names = self._names[: len(parts)]
        if set(parts) != set(names):
            raise MessageFault(self._field, f"its parts are, in this order: {', '.join(self._names)}")
        for name in names:
            if len(parts[name]) != self._widths[name]:
                raise MessageFault(
                    self._field,
                    f"{name} takes {self._widths[name]} characters, not {shape(parts[name])}",
                )
        text = "".join(parts[name] for name in names)
        self.read(text, {})
        return text


INSTITUTIONS = Positions("44", [("receiving", 11), ("acquiring", 11), ("rest", 3)], least=2)
BALANCE = Positions(
    "54", [("account", 2), ("kind", 2), ("currency", 3), ("sign", 1), ("amount_fen", 12)], least=5
)
FUNCTION = Positions(
    "60",
    [
        ("kind", 2),
        ("batch", 6),
        ("function", 3),
        ("reader", 1),
        ("fallback", 1),
        ("partial_approval", 1),
        ("account", 3),
    ],
    least=2,
)
ORIGINAL = Positions(
    "61", [("batch", 6), ("trace", 6), ("date", 4), ("auth_kind", 2), ("auth_org", 11)], least=2
)
_TOTALS = Positions(
    "48",
    [
        (f"{cards}_{name}", width)
        for cards in ("domestic", "foreign")
        for name, width in (
            ("debit_fen", 12),
            ("debits", 3),
            ("credit_fen", 12),
            ("credits", 3),
            ("balanced", 1),
        )
    ],
    least=10,
)


def _read_totals(text: str, beside: Mapping[str, str]) -> Parts:
    """Return the totals of a settlement; in other messages field 48 holds other digits."""
    return _TOTALS.read(text, beside) if beside.get(MTI, "")[:2] == "05" else {}


def _read_order(text: str, _: Mapping[str, str]) -> Parts:
    """Return the private order data of a MIS line: kind, again, and the request's own number."""
    size = text[3:5]
    if len(text) < 5 or not (size.isascii() and size.isdigit()) or len(text) < 5 + int(size):
        raise MessageFault("field 48", "no kind, repeat flag and request number stand there")
    if text[2] not in "01":
        raise MessageFault("field 48", "its repeat flag is neither 0 nor 1")
    end = 5 + int(size)
    return {"kind": text[:2], "again": text[2], "request_no": text[5:end], "rest": text[end:]}


def _write_order(parts: Mapping[str, str]) -> str:
    if set(parts) != {"kind", "again", "request_no", "rest"} or len(parts["request_no"]) > 99:
        raise MessageFault("field 48", "its parts are: kind, again, request_no, rest")
    text = (
        f"{parts['kind']}{parts['again']}{len(parts['request_no']):02d}{parts['request_no']}{parts['rest']}"
    )
    if _read_order(text, {}) != dict(parts):
        raise MessageFault("field 48", "its kind takes 2 characters, its repeat flag is 0 or 1")
    return text


def _read_terminal(text: str, beside: Mapping[str, str]) -> Parts:
    """Return what field 62 of a sign-in holds: the terminal's serial number, or keys, by their size only."""
    mti, function = beside.get(MTI, ""), beside.get("60", "")[8:11]
    if function not in _SIGN_IN:
        return {}
    if mti == "0810":
        size = len(text) // 2
        if size not in _KEY_BLOCKS:
            known = ", ".join(map(str, _KEY_BLOCKS))
            raise MessageFault("field 62", f"{size} bytes of keys, where {known} are possible")
        return {"keys": f"{size} bytes"}
    if mti == "0800":
        written = bytes.fromhex(text).decode("ascii", errors="replace")
        size_text = written[len(_SERIAL) : len(_SERIAL) + 2]
        serial = written[len(_SERIAL) + 2 :]
        if not written.startswith(_SERIAL) or size_text != f"{len(serial):02d}":
            raise MessageFault("field 62", f"no {_SERIAL!r} with two digits of length and a number")
        return {"serial_no": serial}
    return {}


def _write_terminal(parts: Mapping[str, str]) -> str:
    serial = parts.get("serial_no", "")
    if set(parts) != {"serial_no"} or not (serial.isascii() and serial.isalnum() and len(serial) < 100):
        raise MessageFault("field 62", "its part is: serial_no, of letters and digits")
    return f"{_SERIAL}{len(serial):02d}{serial}".encode().hex().upper()


def _read_notes(text: str, _: Mapping[str, str]) -> Parts:
    """Return the operator or card organisation, and the notes of issuer, UnionPay and acquirer."""
    data = text.encode(_TEXT)
    if len(data) < 3:
        raise MessageFault("field 63", f"{len(data)} bytes, where its first part needs 3")
    notes = (data[at : at + _NOTE_BYTES] for at in range(3, len(data), _NOTE_BYTES))
    named = {
        f"note_{no}": note.decode(_TEXT, errors="replace").rstrip() for no, note in enumerate(notes, start=1)
    }
    return {"who": data[:3].decode(_TEXT, errors="replace"), **named}


def _write_notes(parts: Mapping[str, str]) -> str:
    notes = sorted(name for name in parts if name != "who")
    if "who" not in parts or notes != [f"note_{no}" for no in range(1, len(notes) + 1)]:
        raise MessageFault("field 63", "its parts are: who, note_1, note_2, note_3")
    written = _filled("who", parts["who"], 3)
    for name in notes:
        written += _filled(name, parts[name], _NOTE_BYTES)
    return written.decode(_TEXT)


def _filled(name: str, text: str, size: int) -> bytes:
    try:
        data = text.encode(_TEXT)
    except UnicodeEncodeError:
        raise MessageFault("field 63", f"{name} is no text") from None
    if len(data) > size:
        raise MessageFault("field 63", f"{name} is longer than {size} bytes")
    return data.ljust(size)


PARTS: Mapping[str, tuple[Read, Write]] = {
    "institutions": (INSTITUTIONS.read, INSTITUTIONS.write),
    "balance": (BALANCE.read, BALANCE.write),
    "function": (FUNCTION.read, FUNCTION.write),
    "original": (ORIGINAL.read, ORIGINAL.write),
    "totals": (_read_totals, _TOTALS.write),
    "order": (_read_order, _write_order),
    "terminal": (_read_terminal, _write_terminal),
    "notes": (_read_notes, _write_notes),
    "tlv": (lambda text, _: read_tlv(text.upper()), write_tlv),
}
"""By the name that a dialect uses: how a field is read into parts, and written from them."""
