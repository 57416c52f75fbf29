"""What must a pinpad do, so that the agent can speak to an acquirer without ever holding a key or a card?

Keys live in the pinpad and nowhere else: the master key is put in by the acquirer, session keys come
enciphered under it and leave as nothing but MACs and PIN blocks. What a real one must do beside what the
methods say:

- never show a key, card number, track or PIN to anybody but through `CardData` to the message it belongs in;
- keep its counter, and the cards of transactions that may still have to be undone, over a power cut;
- encipher PINs under the session key that was loaded last, in the format that field 53 says.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NoReturn, Protocol

import msgspec


class PinpadFault(Exception):
    """The pinpad is not there, or cannot do this. Says what to do."""


class Use(Enum):
    """What a card's data is wanted for."""

    SALE = auto()
    UNDO = auto()  # a reversal, void or refund: no track and no PIN


class CardData:
    """Fields of a message that say whose card it is. Only `reveal` gives them away."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def __repr__(self) -> str:
        return "CardData(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("card data is not written anywhere")

    def reveal(self) -> dict[str, str]:
        """Return the fields by number, for the one message they belong in."""
        return dict(self._fields)


class Read(msgspec.Struct, frozen=True):
    """A card that was read. `token` (1 to 64 letters, digits, -) finds it again, and says nothing of it."""

    token: str


class Pinpad(Protocol):
    """A pinpad. Every method may raise PinpadFault."""

    def next_trace(self) -> str:
        """Return a transaction number of six digits that it has never given out before in this batch.

        It counts durably, and begins anew after 999999.
        """

    def load_keys(self, block: bytes) -> bool:
        """Take the session keys of a sign-in; False, and none are kept, when a check value is wrong."""

    @property
    def is_ready(self) -> bool:
        """Whether it has session keys."""

    def seal(self, data: bytes) -> bytes:
        """Return the MAC of `data`, the 8 bytes of field 64."""

    def read_card(self, amount_fen: int, wait_s: float) -> Read | None:
        """Have the shopper present a card and type a PIN; None when none came in time. Moves no money."""

    def card_data(self, token: str, use: Use) -> CardData:
        """Return a card's fields in a message: 2, 14, 22, 23, 26, 35, 52, 53, 55, as far as it has them."""
