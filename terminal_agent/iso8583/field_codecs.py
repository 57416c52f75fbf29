"""How is one field written and read, as its line in the dialect says?

Each rule becomes one function made for it, so nothing about the field is looked up while a message passes.
"""

import re
from collections.abc import Callable

from terminal_agent.iso8583.dialect import BCD, Field, Pads
from terminal_agent.iso8583.faults import MessageFault, shape

Encode = Callable[[str], bytes]
Decode = Callable[[bytes, int], tuple[str, int]]
"""Read a field from a body at a byte: its text, and where the next one begins."""

_TEXTS = {
    "an": re.compile(r"[0-9A-Za-z ]*", re.ASCII),
    "ans": re.compile(r"[ -~]*", re.ASCII),
    "z": re.compile(r"[0-9]{1,19}D[0-9]*", re.ASCII),
    "h": re.compile(r"[0-9A-F]*", re.ASCII),
}
_TIMES = {
    "hhmmss": re.compile(r"([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", re.ASCII),
    "mmdd": re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", re.ASCII),
    "yymm": re.compile(r"[0-9]{2}(0[1-9]|1[0-2])", re.ASCII),
}
_WHAT = {
    "n": "digits",
    "z": "digits with one D",
    "h": "hex digits",
    "an": "letters and digits",
    "ans": "printable ASCII",
}
_GBK = "gb18030"


def encoder(field: Field, pads: Pads) -> Encode:
    """Return the function that writes the field; it raises MessageFault for what the field does not take."""
    where = f"field {field.no}"
    check = _content_check(field)
    if field.kind in BCD:
        return _digits_encoder(field, "0" if field.prefix == 0 else pads.write, where, check)
    return _bytes_encoder(field, where, check)


def decoder(field: Field, pads: Pads) -> Decode:
    """Return the function that reads the field; it raises MessageFault for what is not such a field."""
    where = f"field {field.no}"
    check = _content_check(field)
    if field.kind in BCD:
        if field.prefix == 0:
            return _fixed_digits_decoder(field, where, check)
        return _var_digits_decoder(field, pads, where, check)
    return _bytes_decoder(field, where, check)


Check = Callable[[str, int | None], None]


def _content_check(field: Field) -> Check:
    """Return the function that raises when a text is not what the field may say."""
    where, kind, only = f"field {field.no}", field.kind, frozenset(field.only)
    pattern, time = _TEXTS.get(kind), _TIMES.get(field.check)
    amount = field.check == "amount"

    def check(text: str, at: int | None) -> None:
        if kind == "n":
            if not (text.isascii() and text.isdigit()) and text:
                raise MessageFault(where, f"not {_WHAT[kind]} but {shape(text)}", at)
        elif pattern is not None and pattern.fullmatch(text) is None:
            raise MessageFault(where, f"not {_WHAT[kind]} but {shape(text)}", at)
        if amount and not text.strip("0"):
            raise MessageFault(where, "an amount of nothing", at)
        if time is not None and time.fullmatch(text) is None:
            raise MessageFault(where, f"not a time of the form {field.check}", at)
        if only and text not in only:
            raise MessageFault(where, f"not one of {', '.join(sorted(only))}", at)

    return check


def _digits_encoder(field: Field, pad: str, where: str, check: Check) -> Encode:
    least, most, prefix = field.least, field.most, field.prefix
    left = prefix > 0 or field.align_left
    width = prefix + prefix % 2
    plain = field.kind == "n" and not field.check and not field.only

    def encode(text: str) -> bytes:
        size = len(text)
        if not least <= size <= most:
            raise MessageFault(where, _wrong_size(field, size))
        if not (plain and text.isascii() and text.isdigit()):
            check(text, None)
        if size % 2:
            text = text + pad if left else "0" + text
        return bytes.fromhex(f"{size:0{width}d}{text}" if prefix else text)

    return encode


def _bytes_encoder(field: Field, where: str, check: Check) -> Encode:
    least, most, prefix, kind = field.least, field.most, field.prefix, field.kind
    width = prefix + prefix % 2

    def encode(text: str) -> bytes:
        try:
            data = bytes.fromhex(text) if kind == "b" else text.encode(_GBK if kind == "gbk" else "ascii")
        except ValueError:
            what = "hex" if kind == "b" else "a text of this field"
            raise MessageFault(where, f"not {what} but {shape(text)}") from None
        if kind == "b" and len(text) != 2 * len(data):
            raise MessageFault(where, f"not hex alone but {shape(text)}")
        if not least <= len(data) <= most:
            raise MessageFault(where, _wrong_size(field, len(data)))
        check(text, None)
        return bytes.fromhex(f"{len(data):0{width}d}") + data if prefix else data

    return encode


def _fixed_digits_decoder(field: Field, where: str, check: Check) -> Decode:
    count, left = field.most, field.align_left
    size, odd = (count + 1) // 2, count % 2
    plain = not field.check and not field.only

    def decode(body: bytes, at: int) -> tuple[str, int]:
        end = at + size
        text = body[at:end].hex()
        if len(text) != 2 * size:
            raise _cut_off(where, at)
        if odd:
            pad, text = (text[-1], text[:-1]) if left else (text[0], text[1:])
            if pad != "0":
                raise MessageFault(where, "its half byte too many is not 0", at)
        if not (plain and text.isdigit()):
            check(text.upper(), at)
        return text, end

    return decode


def _var_digits_decoder(field: Field, pads: Pads, where: str, check: Check) -> Decode:
    width = (field.prefix + 1) // 2
    least, most = field.least, field.most
    allowed = frozenset(pads.read)
    plain = field.kind == "n" and not field.check and not field.only

    def decode(body: bytes, at: int) -> tuple[str, int]:
        start = at + width
        length = body[at:start].hex()
        if len(length) != 2 * width:
            raise _cut_off(where, at)
        if not length.isdigit():
            raise MessageFault(where, "its length is not digits", at)
        count = int(length)
        if not least <= count <= most:
            raise MessageFault(where, _wrong_size(field, count), at)
        end = start + (count + 1) // 2
        if end > len(body):
            raise _cut_off(where, at)
        text = body[start:end].hex().upper()
        if count % 2:
            if text[-1] not in allowed:
                raise MessageFault(where, f"its half byte too many is not {' or '.join(sorted(allowed))}", at)
            text = text[:-1]
        if not (plain and text.isdigit()):
            check(text, at)
        return text, end

    return decode


def _bytes_decoder(field: Field, where: str, check: Check) -> Decode:
    width = (field.prefix + 1) // 2
    least, most, kind = field.least, field.most, field.kind
    encoding = _GBK if kind == "gbk" else "ascii"
    unchecked = kind in ("b", "gbk") and not field.check and not field.only

    def decode(body: bytes, at: int) -> tuple[str, int]:
        start, count = at + width, most
        if width:
            length = body[at:start].hex()
            if len(length) != 2 * width:
                raise _cut_off(where, at)
            if not length.isdigit():
                raise MessageFault(where, "its length is not digits", at)
            count = int(length)
            if not least <= count <= most:
                raise MessageFault(where, _wrong_size(field, count), at)
        end = start + count
        if end > len(body):
            raise _cut_off(where, at)
        if kind == "b":
            text = body[start:end].hex().upper()
        else:
            try:
                text = body[start:end].decode(encoding)
            except UnicodeDecodeError:
                raise MessageFault(where, "bytes that are no text of this field", at) from None
        if not unchecked:
            check(text, at)
        return text, end

    return decode


def _cut_off(where: str, at: int) -> MessageFault:
    return MessageFault(where, "the message ends before this field does", at)


def _wrong_size(field: Field, size: int) -> str:
    unit = "digits" if field.kind in BCD else "bytes"
    if field.prefix == 0:
        return f"{size} {unit}, where it takes {field.most}"
    return f"{size} {unit}, where it takes {field.least} to {field.most}"
