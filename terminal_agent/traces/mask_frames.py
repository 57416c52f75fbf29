"""What of a frame may stand in a trace? The frame again, with every number that could be a card's made zeros.

Pure. The masked frame is one that can be read like the real one, so a trace from the field can become a
test. What cannot be read cannot be masked: of that only the size is kept.
"""

from collections.abc import Callable

from terminal_agent.iso8583 import tlv
from terminal_agent.iso8583.codec import Codec, Message
from terminal_agent.iso8583.dialect import MAC_FIELD, Dialect
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import close_frame, open_frame
from terminal_agent.terminals.framing import FramingFault, pack, unpack
from terminal_agent.terminals.read_answer import TYPE, kept_as_sent

ISO8583, STX_LRC = "iso8583", "stx_lrc"
_EMV = "55"
_LENGTH = 2

Mask = Callable[[bytes], bytes | None]
"""Return a frame masked, None when it cannot be read."""


def iso8583_mask(dialect: Dialect) -> Mask:
    """Return what masks the frames of one dialect, TPDU onward: without their length, which has two bytes."""
    codec = Codec(dialect)

    def mask(content: bytes) -> bytes | None:
        try:
            envelope = open_frame(dialect.frame, content)
            shown = codec.decode(envelope.body)
            clear = codec.decode(envelope.body, clear_test_card=True)
            body = codec.encode(clear.mti, _zeroed(dialect, shown, clear))
            # Read once more: what was made must be a message too, and must show nothing that was hidden.
            codec.decode(body)
            return close_frame(dialect.frame, body, envelope.tpdu, envelope.header)[_LENGTH:]
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


def mask_nothing_readable(_data: bytes) -> None:
    """Say that nothing of a frame may be kept but its size: its fields go by their places."""


def _zeroed(dialect: Dialect, shown: Message, clear: Message) -> dict[str, str]:
    """Return the fields of `clear` with zeros for whatever `shown` does not show in full."""
    fields = {}
    for key, text in clear.fields.items():
        if key == _EMV and key in clear.parts:
            values = {
                tag: value if tlv.may_be_shown({tag: value}) else "0" * len(value)
                for tag, value in clear.parts[key].items()
            }
            fields[key] = tlv.write_tlv(values)
        else:
            hidden = shown.fields.get(key) != text or key == str(MAC_FIELD)
            fields[key] = _zeros(text, dialect.fields[int(key)].kind) if hidden else text
    return fields


def _zeros(text: str, kind: str) -> str:
    kept = "D" if kind == "z" else ""  # it stands between card number and expiry
    return "".join("0" if c.isalnum() and c not in kept else c for c in text)
