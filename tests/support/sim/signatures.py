"""Was this signature made in this world? Then it is known to be right: to reckon it again is dear.

The keys are the library's. What none of them has made here is verified as ever.
"""

import functools

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_made: dict[tuple[bytes, bytes], bytes] = {}
"""What was signed, by public key and signature."""


def forget() -> None:
    """Forget every signature: another world begins."""
    _made.clear()


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
        if _made.get((self._raw, signature)) != message:
            self._key.verify(signature, message)


class Private:
    """Stands for `Ed25519PrivateKey`."""

    def __init__(self, raw: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self._public_raw = self._key.public_key().public_bytes_raw()

    @staticmethod
    @functools.cache
    def from_private_bytes(raw: bytes) -> "Private":
        """Return a key. Raises ValueError."""
        return Private(raw)

    def public_key(self) -> Public:
        """Return the key that verifies."""
        return Public.from_public_bytes(self._public_raw)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        signature = self._key.sign(message)
        _made[self._public_raw, signature] = message
        return signature
