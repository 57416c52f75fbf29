"""Who said these bytes, and are they the bytes that were said?

A sealed message carries its payload as the exact bytes that were signed (base64), the algorithm,
the key's id and what kind of message it is. Signatures are over bytes received, never over a
re-encoding. `alg` stands in every message, so that SM2 can come later; each key is bound to one
algorithm, so a message cannot choose a weaker one.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = "Ed25519"

Base64 = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]*={0,2}\Z", max_length=4 << 20)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+\Z")]


class NotSealed(Exception):
    """The message was not sealed by a key we know for this, or was changed on the way."""


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload with its signature. `typ` says what kind of message it is, with its version."""

    typ: Word
    alg: Word
    kid: Word
    payload: Base64
    sig: Base64

    def payload_bytes(self) -> bytes:
        """Return the payload without a look at the signature. Raises NotSealed when it is no base64."""
        return _from_base64(self.payload)


def seal(typ: str, payload: bytes, key: Ed25519PrivateKey) -> Sealed:
    """Seal `payload` as a message of kind `typ`."""
    kid = key_id(key.public_key())
    signature = key.sign(_signed_bytes(typ, ED25519, kid, payload))
    return Sealed(
        typ=typ,
        alg=ED25519,
        kid=kid,
        payload=base64.b64encode(payload).decode(),
        sig=base64.b64encode(signature).decode(),
    )


def unseal(sealed: Sealed, typ: str, keys: Mapping[str, Ed25519PublicKey]) -> bytes:
    """Return the payload of a message of kind `typ` sealed by one of `keys` (by key id).

    Raises NotSealed when kind, algorithm, key or signature is another.
    """
    if sealed.typ != typ:
        raise NotSealed(f"a {typ} was expected")
    key = keys.get(sealed.kid)
    if key is None or sealed.alg != ED25519:
        raise NotSealed(f"the {typ} is sealed with a key or algorithm that is not trusted for it")
    payload = sealed.payload_bytes()
    try:
        key.verify(_from_base64(sealed.sig), _signed_bytes(typ, sealed.alg, sealed.kid, payload))
    except InvalidSignature:
        raise NotSealed(f"the signature of the {typ} is wrong") from None
    return payload


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from base64 of its 32 bytes. Raises NotSealed."""
    try:
        return Ed25519PublicKey.from_public_bytes(_from_base64(text))
    except ValueError:
        raise NotSealed("not an Ed25519 public key") from None


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as base64 of its 32 bytes."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def sha256_hex(content: bytes) -> str:
    """Return the SHA-256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()


def _signed_bytes(typ: str, alg: str, kid: str, payload: bytes) -> bytes:
    return f"tradein.seal.v1\n{typ}\n{alg}\n{kid}\n".encode() + payload


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotSealed("not base64") from None
