"""Which device sent this HTTP request, and is it as it was sent?

HTTP message signatures after RFC 9421, with one fixed list of covered parts: method, path, query,
digest of the body (RFC 9530), device and epoch; `created`, `nonce`, `keyid` and `alg` are in the
signature's parameters. One fixed list is easier to get right than a negotiated one.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from subsidy.seal import key_id

WINDOW_S = 300
DEVICE = "tradein-device"
EPOCH = "tradein-epoch"

_COVERED = f'("@method" "@path" "@query" "content-digest" "{DEVICE}" "{EPOCH}")'
_PARAMETERS = re.compile(
    r'sig1=(?P<params>\("@method" "@path" "@query" "content-digest" "tradein-device" "tradein-epoch"\)'
    r';created=(?P<created>[0-9]{1,12});nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})"'
    r';keyid="(?P<kid>[0-9a-f]{16})";alg="ed25519")',
    re.ASCII,
)
_SIGNATURE = re.compile(r"sig1=:([A-Za-z0-9+/]{86}==):", re.ASCII)
_DEVICE = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_EPOCH = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class NotSigned(Exception):
    """The request does not carry a signature that we can take."""


class Signature(msgspec.Struct, frozen=True):
    """What a request says of itself, not yet verified."""

    device: str
    epoch: int
    kid: str
    created_s: int
    nonce: str
    signed: bytes
    signature: bytes

    def verify(self, key: Ed25519PublicKey) -> None:
        """Raise NotSigned unless `key` made the signature."""
        if key_id(key) != self.kid:
            raise NotSigned("the request is signed with another key than this device's")
        try:
            key.verify(self.signature, self.signed)
        except InvalidSignature:
            raise NotSigned("the request's signature is wrong") from None


def sign(
    key: Ed25519PrivateKey,
    *,
    method: str,
    path: str,
    body: bytes,
    device: str,
    epoch: int,
    created_s: int,
    nonce: str,
) -> dict[str, str]:
    """Return the headers that sign a request without a query."""
    params = (
        f'{_COVERED};created={created_s};nonce="{nonce}";keyid="{key_id(key.public_key())}";alg="ed25519"'
    )
    digest = _digest(body)
    base = _base(method, path, "", digest, device, str(epoch), params)
    return {
        "Content-Digest": digest,
        DEVICE: device,
        EPOCH: str(epoch),
        "Signature-Input": f"sig1={params}",
        "Signature": f"sig1=:{base64.b64encode(key.sign(base)).decode()}:",
    }


def read(method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Signature:
    """Read a request's signature. `headers` has lower-case names. Raises NotSigned.

    The caller looks up the device's key, verifies, and checks time window and nonce.
    """
    device = headers.get(DEVICE, "")
    epoch = headers.get(EPOCH, "")
    found = _PARAMETERS.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if found is None or signature is None:
        raise NotSigned("the headers Signature-Input and Signature are missing or of another form")
    if _DEVICE.fullmatch(device) is None or _EPOCH.fullmatch(epoch) is None:
        raise NotSigned(f"the headers {DEVICE} and {EPOCH} are missing or malformed")
    digest = _digest(body)
    # As bytes: compare_digest raises for text beyond ASCII, which a header may hold.
    if not hmac.compare_digest(digest.encode(), headers.get("content-digest", "").encode(errors="replace")):
        raise NotSigned("Content-Digest is not that of the body")
    try:
        raw = base64.b64decode(signature[1], validate=True)
    except binascii.Error:
        raise NotSigned("the signature is no base64") from None
    return Signature(
        device=device,
        epoch=int(epoch),
        kid=found["kid"],
        created_s=int(found["created"]),
        nonce=found["nonce"],
        signed=_base(method, path, query, digest, device, epoch, found["params"]),
        signature=raw,
    )


def _digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _base(method: str, path: str, query: str, digest: str, device: str, epoch: str, params: str) -> bytes:
    return "\n".join(
        (
            f'"@method": {method}',
            f'"@path": {path}',
            f'"@query": ?{query}',
            f'"content-digest": {digest}',
            f'"{DEVICE}": {device}',
            f'"{EPOCH}": {epoch}',
            f'"@signature-params": {params}',
        )
    ).encode()
