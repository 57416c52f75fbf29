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
from terminal_agent.system import GrowingFile, sync_folder

_LOST = (
    "Put the key back. If it is lost, have the platform replace this device, and enrol with a new `data` "
    "folder (docs/for-shop-it.md, A host that is enrolled anew)"
)


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
        _write(path, (random_bytes(32).hex() + "\n").encode())
    return read_key(path, is_enrolled=False)


def read_key(path: Path, *, is_enrolled: bool = True) -> DeviceKey:
    """Read the key. Raises FileError; what helps depends on whether the journal is a device's already."""
    try:
        refuse_shared(path, "the device's key")
        return DeviceKey(bytes.fromhex(path.read_text().strip()))
    except OSError as wrong:
        remedy = _LOST if is_enrolled else "Run `terminal-agent enrol CODE`"
        raise FileError(str(path), 1, "", f"cannot be read ({wrong.strerror})", remedy) from None
    except ValueError:
        no_ones = f"No device has this key: remove {path}, then run `terminal-agent enrol CODE`"
        raise FileError(str(path), 1, "", "not a device key", _LOST if is_enrolled else no_ones) from None


def _write(path: Path, content: bytes) -> None:
    """Put a whole file in place: after a power cut there is all of it, or none."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    file = GrowingFile(unfinished)
    try:
        file.append(content)
        file.sync()
    finally:
        file.close()
    unfinished.replace(path)
    sync_folder(path.parent)
