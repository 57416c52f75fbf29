"""Which EMV data does field 55 hold, and which of it may be shown?

BER-TLV: a tag of one to three bytes, a length of one to three, the value. Values are shown by an allow-list
of tags; what is not on it (card number, track, name, expiry, scripts, whatever a scheme adds) is hidden.
"""

from collections.abc import Mapping

from terminal_agent.iso8583.faults import MessageFault, shape

_MOST_TAG_BYTES = 3
_ODD = frozenset("13579BDF")  # first digits of a tag byte whose low five bits may all be set
_SHOWN = frozenset(
    (
        *("82", "84", "91", "95", "9A", "9C", "5F2A", "9F02", "9F03", "9F09", "9F10", "9F1A", "9F1E", "9F26"),
        *("9F27", "9F33", "9F34", "9F35", "9F36", "9F37", "9F41", "DF31"),
    )
)
# A card may be given several scripts.
_MAY_REPEAT = frozenset({"71", "72"})


def read_tlv(text: str) -> dict[str, str]:
    """Return the values of a hex text by their tags, both as hex. Raises MessageFault."""
    # On the hex text itself: slices of it are what comes out. Positions count its characters.
    found: dict[str, str] = {}
    at, end = 0, len(text)
    while at < end:
        start = at
        at += 2
        if text[start + 1] == "F" and text[start] in _ODD:
            at = start + 4 if "00" < text[at : at + 2] < "80" else _end_of_tag(text, start)
        tag = text[start:at]
        length = text[at : at + 2]
        at += 2
        if length < "80" and length:
            stop = at + 2 * int(length, 16)
        else:
            stop, at = _long_value(text, tag, at)
        if stop > end:
            raise MessageFault("field 55", f"tag {tag} says more bytes than are left")
        if tag == "00":
            raise MessageFault("field 55", "a zero byte stands where a tag belongs")
        if tag in found:
            if tag not in _MAY_REPEAT:
                raise MessageFault("field 55", f"tag {tag} stands twice")
            found[tag] += text[at:stop]
        else:
            found[tag] = text[at:stop]
        at = stop
    return found


def write_tlv(values: Mapping[str, str]) -> str:
    """Return tags and values, both hex, as one hex text. Raises MessageFault."""
    written = bytearray()
    for tag, value in values.items():
        try:
            name, content = bytes.fromhex(tag), bytes.fromhex(value)
        except ValueError:
            raise MessageFault("field 55", "a tag or value that is not hex") from None
        if read_tlv(f"{name.hex()}00".upper()) != {tag: ""}:
            raise MessageFault("field 55", f"{shape(tag)} is no tag")
        size = len(content)
        if size > 0xFFFF:
            raise MessageFault("field 55", "a value longer than a message")
        length = bytes((size,)) if size < 0x80 else size.to_bytes(1 + (size > 0xFF))
        written += name + (length if size < 0x80 else bytes((0x80 + len(length),)) + length) + content
    return written.hex().upper()


def may_be_shown(values: Mapping[str, str]) -> bool:
    """Whether every one of the tags is on the allow-list."""
    return values.keys() <= _SHOWN


def masked(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values with each one hidden that is not on the allow-list."""
    return {tag: value if tag in _SHOWN else "*" * len(value) for tag, value in values.items()}


def masked_text(values: Mapping[str, str]) -> str:
    """Return masked values as the hex text they came from, with stars for what is hidden."""
    written = ""
    for tag, value in values.items():
        size = len(value) // 2
        length = f"{size:02X}" if size < 0x80 else f"81{size:02X}" if size < 0x100 else f"82{size:04X}"
        written += f"{tag}{length}{value}"
    return written


def _end_of_tag(text: str, start: int) -> int:
    """Return where a tag of more than one byte ends."""
    at = start + 2
    while text[at : at + 2] >= "80" and at < len(text):
        at += 2
    at += 2
    if at > len(text) or at - start > 2 * _MOST_TAG_BYTES:
        raise MessageFault("field 55", f"no tag stands at its byte {start // 2}")
    return at


def _long_value(text: str, tag: str, at: int) -> tuple[int, int]:
    """Return where a value ends and begins whose length does not fit in seven bits."""
    kind = text[at - 2 : at]
    if kind not in ("81", "82"):
        raise MessageFault("field 55", f"no length follows tag {tag}")
    start = at + 2 * (int(kind) - 80)
    length = text[at:start]
    if start > len(text):
        raise MessageFault("field 55", f"no length follows tag {tag}")
    return start + 2 * int(length, 16), start
