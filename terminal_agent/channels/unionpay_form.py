"""How is a message of UnionPay's online interface (全渠道, 5.1.0) written, signed and read?

A message is a form: names and values. Signed is `name=value` of all of them but the signature, sorted by name
and joined by &: SHA-256 of that in hexadecimal, and RSA with SHA-256 over those characters. An answer is
written without any escapes, so a value may hold = and, between braces, &. Pure.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

SIGNATURE = "signature"
MOST_FIELDS = 128

_NAME = re.compile(r"[A-Za-z][0-9A-Za-z]{0,39}", re.ASCII)
# The certificate in an answer has line ends; nothing else below a space belongs there.
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
_DEEPEST = 4


class NoForm(Exception):
    """What came is no form that can be meant. Says nothing of what stands in it."""


def write(fields: Mapping[str, str]) -> bytes:
    """Return the body of a request."""
    return urlencode(fields).encode("ascii")


def read(body: bytes) -> dict[str, str]:
    """Return the names and values of an answer. Raises NoForm."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NoForm("not UTF-8") from None
    if _CONTROL.search(text):
        raise NoForm("a control character")
    fields: dict[str, str] = {}
    for part in _parts(text):
        name, equals, value = part.partition("=")
        if not equals or _NAME.fullmatch(name) is None:
            raise NoForm("a part without a name")
        if name in fields:
            raise NoForm("a name stands twice")
        fields[name] = value
    if len(fields) > MOST_FIELDS:
        raise NoForm("too many fields")
    return fields


def signed_text(fields: Mapping[str, str]) -> bytes:
    """Return what is signed of a message: the hash of its fields, in hexadecimal."""
    joined = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != SIGNATURE)
    return sha256(joined.encode()).hexdigest().encode("ascii")


def sign(fields: Mapping[str, str], key: RSAPrivateKey) -> dict[str, str]:
    """Return the fields with their signature."""
    signature = key.sign(signed_text(fields), PKCS1v15(), SHA256())
    return {**fields, SIGNATURE: b64encode(signature).decode("ascii")}


def is_signed_by(fields: Mapping[str, str], key: RSAPublicKey) -> bool:
    """Whether the signature is that key's and fits the fields."""
    try:
        signature = b64decode(fields.get(SIGNATURE, ""), validate=True)
        key.verify(signature, signed_text(fields), PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def _parts(text: str) -> list[str]:
    """Split at every & that stands between no braces."""
    parts: list[str] = []
    depth = start = 0
    for found in re.finditer("[&{}]", text):
        mark, at = found[0], found.start()
        if mark == "&" and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        elif mark != "&":
            depth += 1 if mark == "{" else -1
        if not 0 <= depth <= _DEEPEST:
            raise NoForm("braces that do not match")
    if depth:
        raise NoForm("braces that do not match")
    return [*parts, text[start:]]
