"""What a person's phone shows, computed apart from the centre's code."""

import base64
import hmac
from urllib.parse import parse_qs, urlsplit


def secret_of(address):
    """Return the secret in an `otpauth:` address."""
    text = parse_qs(urlsplit(address).query)["secret"][0]
    return base64.b32decode(text + "=" * (-len(text) % 8))


def code(secret, at_ms):
    """Return the six digits that are shown at an instant (RFC 6238)."""
    mac = hmac.digest(secret, (at_ms // 30_000).to_bytes(8, "big"), "sha1")
    cut = int.from_bytes(mac[mac[-1] & 15 :][:4], "big") & 0x7FFF_FFFF
    return f"{cut % 1_000_000:06d}"
