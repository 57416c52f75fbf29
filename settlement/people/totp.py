"""Does somebody hold the second factor? (RFC 6238: six digits, 30 s, SHA-1, as every phone's app has it)

The secret is kept sealed with AES-GCM under a key made from the centre's index secret, and bound to its
user's name: a copy of the database alone gives no codes, and a row moved to another user opens nothing.
"""

import re
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
SECRET_BYTES = 20
_DIGITS = 6
_NONCE_BYTES = 12
# A phone's clock is off by up to half a minute.
_AROUND = (0, -1, 1)
_NOBODYS = b"\0" * SECRET_BYTES


def seal_secret(key: bytes, name: str, secret: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
    """Return what is kept of a user's secret."""
    nonce = random_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, name.encode())


def open_secret(key: bytes, name: str, sealed: bytes) -> bytes | None:
    """Return the secret, or None when it was not sealed for this user under this key."""
    if len(sealed) <= _NONCE_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
    except InvalidTag:
        return None


def step_of(secret: bytes | None, code: str, now_ms: int) -> int | None:
    """Return the number of the 30 seconds that `code` is of, or None when it is wrong."""
    totp = _totp(secret or _NOBODYS)
    now = now_ms // 1000 // STEP_S
    given = code.encode() if re.fullmatch(rf"[0-9]{{{_DIGITS}}}", code, re.ASCII) else b""
    # All are made and compared, whichever is right.
    right = [now + one for one in _AROUND if bytes_eq(totp.generate((now + one) * STEP_S), given)]
    return right[0] if right and secret is not None else None


def address(secret: bytes, name: str, programme: str) -> str:
    """Return what a phone's app takes, as text or as a QR code."""
    return _totp(secret).get_provisioning_uri(name, f"tradein {programme}")


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, _DIGITS, SHA1(), STEP_S)  # noqa: S303  # what RFC 6238 says, keyed
