"""How are the fields of a message written one after the other, with a separator between them?

    0200|000000339915|07|...    the command, then each field in its place

Which command and which field in which place is the profile's. Values are text in GBK; a field that the
profile does not name is dropped unread, and "-" in a list is such a place. Pure; raises `FramingFault` only.
"""

from collections.abc import Iterable, Mapping

import msgspec

from terminal_agent.terminals.framing import LARGEST_DATA, FramingFault

_TYPE = 0x01
NOT_KEPT = 0
_MOST_FIELDS = 100


class Message(msgspec.Struct, frozen=True):
    """One kind of message: its command and answer's command, and the tag of each place in either."""

    command: str
    answer: str
    sends: tuple[int, ...]
    says: tuple[int, ...]


class Separated(msgspec.Struct, frozen=True):
    """The messages of one family, by transaction type."""

    separator: str
    messages: Mapping[int, Message]

    def pack(self, fields: Iterable[tuple[int, bytes]]) -> bytes:
        """Return fields as DATA; the one with tag 01 says which message it is."""
        values = dict(fields)
        message = self.messages.get(values.get(_TYPE, b"\0")[0])
        if message is None:
            raise FramingFault("the profile has no such message")
        texts = [values.get(tag, b"").decode("gbk", errors="replace") for tag in message.sends]
        data = self.separator.join([message.command, *map(self._plain, texts), ""]).encode("gbk")
        if len(data) > LARGEST_DATA:
            raise FramingFault("fields longer than a frame")
        return data

    def unpack(self, data: bytes) -> dict[int, bytes]:
        """Return the fields of an answer by their tags, tag 01 being its transaction type."""
        try:
            # Decoded first: the second byte of a Chinese character may look like a separator.
            command, *texts = data.decode("gbk").split(self.separator, _MOST_FIELDS)
        except UnicodeDecodeError:
            raise FramingFault("text that is not GBK") from None
        for kind, message in self.messages.items():
            if message.answer == command:
                named = zip(message.says, texts, strict=False)
                return {_TYPE: bytes((kind,)), **{tag: text.encode("gbk") for tag, text in named if tag}}
        raise FramingFault("an answer that the profile does not know")

    def _plain(self, text: str) -> str:
        """Return a text in which nothing could be taken for the next field or the end of the frame."""
        return "".join(c if c.isprintable() and c != self.separator else "?" for c in text)
