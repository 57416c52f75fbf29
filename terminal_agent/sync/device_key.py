"""Which key is this device, and where is it kept?

A file of 32 random bytes in hex, readable by the agent's user only, made at enrolment. MACs of
personal codes use a key of their own made from it with HKDF (RFC 5869).
"""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from catalog_sync.private_file import refuse_shared
from subsidy.strict.yaml_text import FileError


class DeviceKey:
    """The device's private key, and the MACs under it."""

    def __init__(self, raw: bytes) -> None:
        self.signing = Ed25519PrivateKey.from_private_bytes(raw)
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"tradein.device.mac")
        self._mac_key = kdf.derive(raw)

    def mac(self, scope: str, content: bytes) -> str:
        """Return the MAC of `content`; equal contents have equal MACs within one scope only."""
        return hmac.new(self._mac_key, scope.encode() + b"\n" + content, hashlib.sha256).hexdigest()


def make_key(path: Path, random_bytes: Callable[[int], bytes]) -> DeviceKey:
    """Make the key, or read the one that is there: a host enrols again with the key it has."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(random_bytes(32).hex() + "\n")
    return read_key(path)


def read_key(path: Path) -> DeviceKey:
    """Read the key. Raises FileError."""
    try:
        refuse_shared(path, "the device's key")
        return DeviceKey(bytes.fromhex(path.read_text().strip()))
    except OSError as wrong:
        raise FileError(
            str(path), 1, "", f"cannot be read ({wrong.strerror})", "Run `terminal-agent enrol CODE`"
        ) from None
    except ValueError:
        raise FileError(str(path), 1, "", "not a device key", "Restore it, or enrol the host anew") from None
