"""How is one message asked of the host and its answer believed, and when must the terminal sign in?

Signed in is a terminal whose pinpad has the keys of its last sign-in; which batch is open was said with them.
An answer is ours when type, processing code, trace and terminal are; it counts as verified when its MAC is
right.
"""

import msgspec

from terminal_agent.checkout.ports import Clock
from terminal_agent.iso8583.codec import Codec, Message
from terminal_agent.iso8583.faults import Iso8583Fault, MessageFault
from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame
from terminal_agent.iso8583.mac import fits
from terminal_agent.terminals.direct import messages
from terminal_agent.terminals.direct.line import Connection, Dial, LineLost, NoLine
from terminal_agent.terminals.direct.messages import Fields
from terminal_agent.terminals.direct.pinpad import CardData, Pinpad, PinpadFault
from terminal_agent.terminals.direct.profile import CodeClass, Profile

_NO_CARD = CardData({})


class Heard(msgspec.Struct, frozen=True):
    """An answer to our request. `verified`: its MAC is right; `body` is for the pinpad."""

    message: Message
    verified: bool
    body: bytes

    @property
    def code(self) -> str:
        """What field 39 says."""
        return self.message.fields.get("39", "")


class Session:
    """One terminal at its acquirer's host. Remembers only which batch is open.

    `trouble` says why the host did not answer the last question, for shop IT; empty when it did.
    """

    def __init__(self, profile: Profile, codec: Codec, pinpad: Pinpad, dial: Dial, clock: Clock) -> None:
        self._profile = profile
        self._codec = codec
        self._pinpad = pinpad
        self._dial = dial
        self._clock = clock
        self.batch = ""
        self.trouble = ""

    def forget(self) -> None:
        """Sign in before the next transaction."""
        self.batch = ""

    def is_signed_in(self) -> bool:
        """Sign in if need be, and return whether the terminal is. Raises PinpadFault."""
        if self.batch and self._pinpad.is_ready:
            return True
        fields = messages.sign_in(self._profile, self._pinpad.next_trace())
        heard = self._ask_status("0800", fields)
        if heard is None or heard.code != "00":
            return False
        if not self._pinpad.load_keys(self._codec.keys_of(heard.body)):
            return False
        self.batch = heard.message.part(60, "batch")
        return self.batch != ""

    def is_there(self) -> bool:
        """Return whether the host answers a terminal that is signed in. Raises PinpadFault."""
        if not self.batch or not self._pinpad.is_ready:
            return self.is_signed_in()
        heard = self._ask_status("0820", messages.echo(self._profile, self._pinpad.next_trace(), self.batch))
        if heard is None:
            return False
        if heard.code != "00":
            self.forget()
        return self.is_signed_in()

    def ask_money(self, mti: str, fields: Fields, card: CardData) -> Heard | None:
        """Send a request with its MAC, and return the answer, or None when none came that is ours.

        Raises NoLine when it certainly never left, PinpadFault before anything did.
        """
        heard = self._ask(mti, fields, card, self._profile.clocks.answer_wait_s, with_mac=True)
        if heard is not None and self._profile.class_of(heard.code) is CodeClass.SIGN_IN:
            self.forget()
        return heard

    def _ask_status(self, mti: str, fields: Fields) -> Heard | None:
        try:
            return self._ask(mti, fields, _NO_CARD, self._profile.status_wait_s, with_mac=False)
        except NoLine:
            return None

    def _ask(
        self, mti: str, fields: Fields, card: CardData, wait_s: float, *, with_mac: bool
    ) -> Heard | None:
        seal = self._pinpad.seal if with_mac else None
        try:
            body = self._codec.encode(mti, {**fields, **card.reveal()}, seal)
        except MessageFault as wrong:
            raise PinpadFault(f"The pinpad gave what no message can hold ({wrong})") from None
        connection = self._opened()
        try:
            connection.send(close_frame(self._codec.dialect.frame, body))
            return self._listen(connection, mti, fields, wait_s)
        except LineLost as why:
            self.trouble = str(why)
            return None
        finally:
            connection.close()

    def _opened(self) -> Connection:
        self.trouble = ""
        try:
            return self._dial()
        except NoLine as why:
            self.trouble = str(why)
            raise

    def _listen(self, connection: Connection, mti: str, fields: Fields, wait_s: float) -> Heard | None:
        until_ms = self._clock.steady_ms() + round(wait_s * 1000)
        reader = FrameReader(self._codec.dialect.frame)
        while (left_ms := until_ms - self._clock.steady_ms()) > 0:
            try:
                contents = reader.feed(connection.receive(left_ms / 1000))
            except Iso8583Fault:
                return None  # where the next frame begins can no longer be known
            for content in contents:
                heard = self._read(content)
                if heard is not None and messages.is_answer(mti, fields, heard.message):
                    return heard
        return None

    def _read(self, content: bytes) -> Heard | None:
        try:
            envelope = open_frame(self._codec.dialect.frame, content)
            message = self._codec.decode(envelope.body)
        except Iso8583Fault:
            return None
        if envelope.wants_sign_in:
            self.forget()
        return Heard(message, self._is_verified(envelope.body), envelope.body)

    def _is_verified(self, body: bytes) -> bool:
        try:
            return self._pinpad.is_ready and fits(self._pinpad.seal, body)
        except (MessageFault, PinpadFault):
            # It carries no MAC, or the pinpad is gone since the request left: then nobody can tell.
            return False
