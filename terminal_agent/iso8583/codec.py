"""How do the bytes of a message become fields, and fields bytes?

A dialect is compiled once into one function per field and direction; the order of the functions that a bitmap
asks for is kept. What is read is checked as it is read: an undefined bit, a wrong pad, anything but digits, a
part that does not fit are faults. What may not be kept is masked here, at the source.
"""

from collections.abc import Callable, Mapping

import msgspec

from subsidy.masking import mask_pan, scrub
from terminal_agent.iso8583 import field_codecs, tlv
from terminal_agent.iso8583.dialect import MAC_FIELD, Dialect, Field
from terminal_agent.iso8583.faults import MessageFault, shape
from terminal_agent.iso8583.mac import Seal
from terminal_agent.iso8583.parts import MTI, PARTS, Parts, Read, Write

_START = 10  # MTI and bitmap
_MOST_PLANS = 1024
_NOTHING: Parts = {}


class Message(msgspec.Struct, frozen=True):
    """One message. `fields` has each field's text by its number, `parts` what the composed ones are made of.

    Read by `Codec.decode`, card data is masked: all of it unless that was told otherwise.
    """

    mti: str
    fields: Mapping[str, str]
    parts: Mapping[str, Parts]

    def __repr__(self) -> str:
        return f"Message({self.mti}, fields {', '.join(self.fields)})"

    def part(self, field: int, name: str) -> str:
        """Return a part, or an empty text when the message has no such field or part."""
        return self.parts.get(str(field), _NOTHING).get(name, "")


class _Plan(msgspec.Struct, frozen=True):
    """What to do for one bitmap."""

    read: tuple[tuple[str, field_codecs.Decode], ...]
    parts: tuple[tuple[str, Read], ...]
    masks: tuple[tuple[str, Callable[[str], str]], ...]
    hides: tuple[str, ...]
    shown_by_parts: tuple[str, ...]
    has_tlv: bool


class Codec:
    """Reads and writes the messages of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        fields = dialect.fields.values()
        self._encoders = {
            str(one.no): (1 << (MAC_FIELD - one.no), field_codecs.encoder(one, dialect.pads))
            for one in fields
        }
        self._decoders = {str(one.no): field_codecs.decoder(one, dialect.pads) for one in fields}
        self._readers: dict[str, Read] = {str(one.no): PARTS[one.parts][0] for one in fields if one.parts}
        self._writers: dict[str, Write] = {str(one.no): PARTS[one.parts][1] for one in fields if one.parts}
        self._plans: dict[bytes, _Plan] = {}

    def decode(self, body: bytes, *, clear_test_card: bool = False) -> Message:
        """Return the message in `body`, which goes from the MTI to the last field. Raises MessageFault.

        Card number, expiry, track, PIN block, keys and private data are masked; with `clear_test_card`,
        for made-up cards only, nothing is. The MAC is not looked at.
        """
        if len(body) < _START:
            raise MessageFault("message", f"{len(body)} bytes are no message", 0)
        mti = body[:2].hex()
        if not mti.isdigit():
            raise MessageFault("MTI", f"not four digits but {shape(mti)}", 0)
        bitmap = body[2:_START]
        plan = self._plans.get(bitmap) or self._plan(bitmap)
        at = _START
        fields: dict[str, str] = {}
        for key, decode in plan.read:
            fields[key], at = decode(body, at)
        if at != len(body):
            raise MessageFault("message", f"{len(body) - at} bytes too many after the last field", at)
        parts: dict[str, Parts] = {}
        if plan.parts:
            fields[MTI] = mti
            for key, read in plan.parts:
                found = read(fields[key], fields)
                if found:
                    parts[key] = found
            del fields[MTI]
        if not clear_test_card:
            _mask(fields, parts, plan)
        return Message(mti, fields, parts)

    def keys_of(self, body: bytes) -> bytes:
        """Return field 62 of a sign-in's answer as it is, for the pinpad alone: keys under its master key.

        Raises MessageFault.
        """
        return bytes.fromhex(self.decode(body, clear_test_card=True).fields.get("62", ""))

    def encode(
        self, mti: str, fields: Mapping[str, str | Mapping[str, str]], seal: Seal | None = None
    ) -> bytes:
        """Return the message's bytes from the MTI on. Raises MessageFault, and whatever `seal` raises.

        A composed field may be given as its parts. With `seal`, field 64 is made by it.
        """
        if len(mti) != 4 or not (mti.isascii() and mti.isdigit()):
            raise MessageFault("MTI", f"not four digits but {shape(mti)}")
        bits = 0
        texts = dict(fields)
        if seal is not None:
            texts.pop(str(MAC_FIELD), None)
            bits = 1
        written: dict[str, str] = {MTI: mti}
        pieces = []
        for key, (bit, encode) in self._encoders.items():
            value = texts.pop(key, None)
            if value is not None:
                text = value if isinstance(value, str) else self._join(key, value)
                pieces.append(encode(text))
                bits |= bit
                written[key] = text
        for key in texts:
            raise MessageFault(f"field {key[:10]}", f"{self.dialect.name} has no such field")
        for key, read in self._readers.items():
            if key in written:
                read(written[key], written)
        body = bytes.fromhex(mti) + bits.to_bytes(8) + b"".join(pieces)
        if seal is None:
            return body
        mac = seal(body)
        assert len(mac) == 8
        return body + mac

    def _join(self, key: str, parts: Mapping[str, str]) -> str:
        writer = self._writers.get(key)
        if writer is None:
            raise MessageFault(
                f"field {key}", f"{self.dialect.name} knows no parts of it. Write it as one text"
            )
        return writer(parts)

    def _plan(self, bitmap: bytes) -> _Plan:
        bits = int.from_bytes(bitmap)
        there = [no for no in range(1, MAC_FIELD + 1) if bits >> (MAC_FIELD - no) & 1]
        fields = []
        for no in there:
            field = self.dialect.fields.get(no)
            if field is None:
                raise MessageFault("bitmap", f"bit {no} is set, and {self.dialect.name} has no such field", 2)
            fields.append(field)
        if not fields:
            raise MessageFault("bitmap", "no bit is set", 2)
        plan = _plan_of(fields, self._decoders, self._readers)
        # Bounded: somebody else chooses the bitmaps.
        if len(self._plans) < _MOST_PLANS:
            self._plans[bitmap] = plan
        return plan


def _plan_of(
    fields: list[Field], decoders: Mapping[str, field_codecs.Decode], readers: Mapping[str, Read]
) -> _Plan:
    masks = {"pan": mask_pan, "hidden": _hide, "text": _scrub}
    keys = [str(field.no) for field in fields]
    return _Plan(
        read=tuple((key, decoders[key]) for key in keys),
        parts=tuple((key, readers[key]) for key in keys if key in readers),
        masks=tuple((str(one.no), masks[one.show]) for one in fields if one.show in masks),
        hides=tuple(str(one.no) for one in fields if one.show == "hidden" and one.parts != "terminal"),
        shown_by_parts=tuple(str(one.no) for one in fields if one.show == "parts"),
        has_tlv=any(one.show == "tlv" for one in fields),
    )


def _mask(fields: dict[str, str], parts: dict[str, Parts], plan: _Plan) -> None:
    for key, mask in plan.masks:
        text = fields[key]
        fields[key] = mask(text)
        if mask is _scrub and fields[key] != text:
            # A number may be cut in two by its parts, and neither half would look like one.
            parts.pop(key, None)
    for key in plan.hides:
        parts.pop(key, None)
    for key in plan.shown_by_parts:
        if key not in parts:
            fields[key] = _hide(fields[key])
    if plan.has_tlv and not tlv.may_be_shown(parts.get("55", _NOTHING)):
        parts["55"] = tlv.masked(parts["55"])
        fields["55"] = tlv.masked_text(parts["55"])


def _hide(text: str) -> str:
    return "*" * len(text)


def _scrub(text: str) -> str:
    # Only a run of digits can be a card, identity or phone number.
    return scrub(text) if sum(map(str.isdigit, text)) > 10 else text
