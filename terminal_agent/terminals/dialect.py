"""How does one family of serial terminals write bytes and fields, as its profile says?

A profile without `frame` and `messages` is of the Allinpay style: tagged fields in a frame with a length.
"""

from collections.abc import Iterable

import msgspec

from subsidy.strict.yaml_text import Node
from terminal_agent.terminals import framing
from terminal_agent.terminals import read_answer as tags
from terminal_agent.terminals.framing import CheckFrom, Rules
from terminal_agent.terminals.separated import NOT_KEPT, Message, Separated

_KINDS = {
    "sale": tags.SALE,
    "void": tags.VOID,
    "refund": tags.REFUND,
    "last_transaction": tags.LAST_TRANSACTION,
    "progress": tags.PROGRESS,
}
_FIELDS = {
    "-": NOT_KEPT,
    "amount": tags.AMOUNT,
    "merchant_no": tags.MERCHANT_NO,
    "terminal_no": tags.TERMINAL_NO,
    "operator": tags.OPERATOR,
    "card": tags.PAN,
    "batch": tags.BATCH,
    "trace": tags.TRACE,
    "auth": tags.AUTH,
    "reference": tags.RRN,
    "date": tags.DATE,
    "time": tags.TIME,
    "type": tags.MEMO,
    "code": tags.CODE,
    "text": tags.TEXT,
    "nonce": tags.NONCE,
    "original_trace": tags.ORIGINAL_TRACE,
    "order": tags.ORDER,
}
# Without these an answer cannot be told from somebody else's, or says nothing about money.
_MUST_SAY = {
    "sale": ("amount", "code", "nonce", "trace"),
    "void": ("code", "nonce", "trace"),
    "refund": ("amount", "code", "nonce", "trace"),
    "last_transaction": ("amount", "code", "nonce", "trace", "order", "type"),
    "progress": ("nonce",),
}
_MUST_SEND = {
    "sale": ("amount", "nonce"),
    "void": ("original_trace", "nonce"),
    "refund": ("amount", "original_trace", "nonce", "order"),
    "last_transaction": (),
    "progress": (),
}


class Dialect(msgspec.Struct, frozen=True):
    """The frame's rules, and the messages when they are separated rather than tagged."""

    rules: Rules = framing.ALLINPAY
    separated: Separated | None = None

    def pack(self, fields: Iterable[tuple[int, bytes]]) -> bytes:
        """Return fields as DATA. Raises FramingFault."""
        return framing.pack(fields) if self.separated is None else self.separated.pack(fields)

    def unpack(self, data: bytes) -> dict[int, bytes]:
        """Return the fields of DATA. Raises FramingFault."""
        return framing.unpack(data) if self.separated is None else self.separated.unpack(data)


TAGGED = Dialect()


def read_dialect(frame: Node | None, messages: Node | None) -> Dialect:
    """Return what the profile's `frame` and `messages` say. Raises FileError."""
    rules = framing.ALLINPAY if frame is None else _read_rules(frame)
    separated = None if messages is None else _read_messages(messages)
    if frame is not None and separated is None and not rules.has_length:
        raise frame.wrong(
            "tagged fields in a frame without a length", "Add `messages`, or write length: bcd2"
        )
    return Dialect(rules, separated)


def _read_rules(node: Node) -> Rules:
    names = ("length", "check_from", "check_start", "check_etx", "acknowledge", "progress")
    keys = node.mapping(required=names)
    return Rules(
        has_length=keys["length"].choice(("none", "bcd2")) == "bcd2",
        check_from=CheckFrom(keys["check_from"].choice(tuple(CheckFrom))),
        check_start=int(keys["check_start"].choice(("0x00", "0x7F")), 16),
        check_etx=keys["check_etx"].flag(),
        checked_ack=keys["acknowledge"].choice(("plain", "checked")) == "checked",
        text_progress=keys["progress"].choice(("message", "text")) == "text",
    )


def _read_messages(node: Node) -> Separated:
    keys = node.mapping(required=("separator", *_KINDS))
    separator = keys["separator"].code()
    if len(separator) != 1 or not separator.isascii() or separator.isalnum():
        raise keys["separator"].wrong("no separator", 'Write one sign, as in "|"')
    found: dict[int, Message] = {}
    for name, kind in _KINDS.items():
        message = _read_message(keys[name], name)
        if message.answer in (one.answer for one in found.values()):
            raise keys[name].wrong("another message has the same answer", "Give each its own")
        found[kind] = message
    return Separated(separator, found)


def _read_message(node: Node, name: str) -> Message:
    keys = node.mapping(required=("command", "answer", "sends", "says"))
    return Message(
        command=keys["command"].code(),
        answer=keys["answer"].code(),
        sends=_read_places(keys["sends"], _MUST_SEND[name]),
        says=_read_places(keys["says"], _MUST_SAY[name]),
    )


def _read_places(node: Node, needed: tuple[str, ...]) -> tuple[int, ...]:
    names = [one.choice(_FIELDS) for one in node.sequence()]
    named = [name for name in names if name != "-"]
    if len(set(named)) != len(named):
        raise node.wrong("a field that stands twice", "Name each field once")
    missing = [name for name in needed if name not in names]
    if missing:
        raise node.wrong(f"{', '.join(missing)} is missing", "Name the place of each")
    return tuple(_FIELDS[name] for name in names)
