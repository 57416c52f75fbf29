"""What of a frame may stand in a trace? The frame again, with every number that could be a card's made zeros.

Pure. The masked frame is one that can be read like the real one, so a trace from the field can become a
test. What cannot be read cannot be masked: of that only the size is kept.
"""

from collections.abc import Callable

from terminal_agent.iso8583 import tlv
from terminal_agent.iso8583.codec import Codec, Message
from terminal_agent.iso8583.dialect import MAC_FIELD, Dialect
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame
from terminal_agent.terminals.framing import FramingFault, pack, unpack
from terminal_agent.terminals.read_answer import TYPE, kept_as_sent
from terminal_agent.terminals.separated import Separated

ISO8583, STX_LRC, SEPARATED = "iso8583", "stx_lrc", "separated"
_EMV = "55"
_ZERO_MONTH = "0001"
"""Stands for the month in which a card ends: the zeros of one are no month."""

Mask = Callable[[bytes], bytes | None]
"""Return a frame masked, None when it cannot be read."""


def iso8583_mask(dialect: Dialect) -> Mask:
    """Return what masks the frames of one dialect, TPDU onward: without their length."""
    codec = Codec(dialect)

    def mask(content: bytes) -> bytes | None:
        try:
            envelope = open_frame(dialect.frame, content)
            shown = codec.decode(envelope.body)
            clear = codec.decode(envelope.body, clear_test_card=True)
            body = codec.encode(clear.mti, _zeroed(codec, shown, clear))
            framed = close_frame(dialect.frame, body, envelope.tpdu, envelope.header)
            return FrameReader(dialect.frame).feed(framed)[0]
        except Iso8583Fault:
            return None

    return mask


def mask_stx_lrc(data: bytes) -> bytes | None:
    """Return the DATA of a serial frame masked: allowed fields as they are, question marks for all others."""
    try:
        fields = unpack(data)
    except FramingFault:
        return None
    masked = {
        tag: value if tag == TYPE or kept_as_sent(tag, value) else b"?" * len(value)
        for tag, value in fields.items()
    }
    return pack(masked.items())


def separated_mask(separated: Separated) -> Mask:
    """Return what masks the DATA of a profile whose fields go by their places: as above, place by place."""
    places = {one.command: one.sends for one in separated.messages.values()}
    places |= {one.answer: one.says for one in separated.messages.values()}

    def mask(data: bytes) -> bytes | None:
        try:
            command, *texts = data.decode("gbk").split(separated.separator)
        except UnicodeDecodeError:
            return None
        tags = places.get(command)
        if tags is None:
            return None
        named = zip(texts, [*tags, *[0] * len(texts)], strict=False)
        kept = [text if kept_as_sent(tag, text.encode("gbk")) else "?" * len(text) for text, tag in named]
        return separated.separator.join([command, *kept]).encode("gbk")

    return mask


def _zeroed(codec: Codec, shown: Message, clear: Message) -> dict[str, str]:
    """Return the fields of `clear`, with zeros or what stands for them where `shown` does not show all.

    A field is left out when nothing that can be read would stand for it. Raises MessageFault.
    """
    fields = {}
    hidden = []
    for key, text in clear.fields.items():
        if key == _EMV and key in clear.parts:
            values = {
                tag: value if tlv.may_be_shown({tag: value}) else "0" * len(value)
                for tag, value in clear.parts[key].items()
            }
            fields[key] = tlv.write_tlv(values)
        elif shown.fields.get(key) != text or key == str(MAC_FIELD):
            hidden.append(key)
        else:
            fields[key] = text
    for key in hidden:
        text = clear.fields[key]
        for instead in (_zeros(text, codec.dialect.fields[int(key)].kind), _ZERO_MONTH):
            if _can_be_read(codec, clear.mti, {**fields, key: instead}):
                fields[key] = instead
                break
    return fields


def _can_be_read(codec: Codec, mti: str, fields: dict[str, str]) -> bool:
    try:
        codec.decode(codec.encode(mti, fields))
    except Iso8583Fault:
        return False
    return True


def _zeros(text: str, kind: str) -> str:
    kept = "D" if kind == "z" else ""  # it stands between card number and expiry
    return "".join("0" if c.isalnum() and c not in kept else c for c in text)
