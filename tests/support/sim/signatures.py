"""What stands for Ed25519 and RSA in a world? A hash under the private key: curves and powers are dear.

Keys are the library's and look the same; whoever has no private key made here signs nothing that one of them
verifies. The real signatures are tried where messages are (tests/subsidy, tests/terminal_agent/channels).
"""

import functools
import hashlib
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

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


class RsaPublic:
    """Stands for `RSAPublicKey`, with the one padding and hash that are used."""

    def __init__(self, key: RSAPublicKey) -> None:
        self._modulus = key.public_numbers().n

    def __eq__(self, other: object) -> bool:
        """Whether it stands for the same key, or for this one of the library's."""
        if isinstance(other, RsaPublic):
            return self._modulus == other._modulus
        return isinstance(other, RSAPublicKey) and self._modulus == other.public_numbers().n

    __hash__ = None  # type: ignore[assignment]

    def verify(self, signature: bytes, message: bytes, *_: object) -> None:
        """Raise InvalidSignature unless the private key of this one signed the message so."""
        private = _rsa_of.get(self._modulus)
        if private is None or signature != _signature(private, message):
            raise InvalidSignature


class RsaPrivate:
    """Stands for `RSAPrivateKey`."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._public = RsaPublic(key.public_key())
        secret = key.private_numbers().d.to_bytes(256)
        self._secret = _rsa_of[key.public_key().public_numbers().n] = hashlib.sha256(secret).digest()

    def public_key(self) -> RsaPublic:
        """Return the key that verifies."""
        return self._public

    def sign(self, message: bytes, *_: object) -> bytes:
        """Return the signature of a message."""
        return _signature(self._secret, message)


def cheap(keys: Any, *names: str) -> dict[str, Any]:
    """Return those private keys of a wallet's as they sign in here, by their names."""
    return {name: RsaPrivate(getattr(keys, name)) for name in names}


class Certificate:
    """Stands for a certificate of which a wallet knows already whose it is."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.serial_number = certificate.serial_number
        key = certificate.public_key()
        assert isinstance(key, RSAPublicKey)
        self._key = RsaPublic(key)

    def public_key(self) -> RsaPublic:
        """Return the key that verifies."""
        return self._key


_rsa_of: dict[int, bytes] = {}
"""What each private key signs with, by its modulus."""


def _signature(private: bytes, message: bytes) -> bytes:
    return hashlib.blake2b(message, key=private).digest()
