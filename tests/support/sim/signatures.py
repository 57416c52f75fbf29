"""What stands for Ed25519 in a world? A hash under the private key: curves are most of what a message costs.

Keys are the library's and look the same; whoever has no private key made here signs nothing that one of them
verifies. The real signatures are tried where messages are (tests/subsidy).
"""

import functools
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_private_of: dict[bytes, bytes] = {}
"""The private key of each public one that was made here."""


class Public:
    """Stands for `Ed25519PublicKey`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    @staticmethod
    @functools.cache
    def from_public_bytes(raw: bytes) -> "Public":
        """Return a key. Raises ValueError."""
        return Public(raw)

    def public_bytes_raw(self) -> bytes:
        """Return its 32 bytes."""
        return self._raw

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless this key signed the message so."""
        private = _private_of.get(self._raw)
        if private is None:
            self._key.verify(signature, message)
        elif signature != _signature(private, message):
            raise InvalidSignature


class Private:
    """Stands for `Ed25519PrivateKey`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
        self._public = Public.from_public_bytes(public)
        _private_of[public] = raw

    @staticmethod
    @functools.cache
    def from_private_bytes(raw: bytes) -> "Private":
        """Return a key. Raises ValueError."""
        return Private(raw)

    def public_key(self) -> Public:
        """Return the key that verifies."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return _signature(self._raw, message)


def _signature(private: bytes, message: bytes) -> bytes:
    return hashlib.blake2b(message, key=private).digest()
