"""Which keys do we sign with, and whose signatures do we believe, at present?

Keys are files that shop IT replaces when the channel asks for it, without stopping the till: a changed one is
read again at the next call. While a new one cannot be read, the old keys go on and `problem` says why.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import InvalidVersion, load_pem_x509_certificate

BITS = 2048
_MOST_BYTES = 64 << 10
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"

_Stamp = tuple[int, int, int]
_Read = TypeVar("_Read")


class KeyTrouble(Exception):
    """A key file cannot be used. Says which and what to do, never what it holds."""


class Keys(msgspec.Struct, frozen=True):
    """Our private key with its certificate's serial number, and the other side's keys by their ids."""

    serial: str
    private: RSAPrivateKey
    platform: Mapping[str, RSAPublicKey]

    def __repr__(self) -> str:
        return f"Keys(serial={self.serial!r}, platform={sorted(self.platform)})"


class Reread(Generic[_Read]):
    """What `read` makes of some files, made anew when one of them changes."""

    def __init__(self, files: Sequence[Path], read: Callable[[], _Read]) -> None:
        self._files = files
        self._read = read
        self._stamps: tuple[_Stamp, ...] | None = None
        self._found: _Read | None = None
        self.problem: str | None = None

    def current(self) -> _Read:
        """Return what the files hold now. Raises KeyTrouble when they were never usable."""
        try:
            stamps = tuple(_stamp(file) for file in self._files)
            if self._found is None or stamps != self._stamps:
                self._found = self._read()
                self._stamps = stamps
            self.problem = None
        except KeyTrouble as trouble:
            self.problem = str(trouble)
            if self._found is None:
                raise
        return self._found


class KeyFiles(Reread[Keys]):
    """The key files of one channel."""

    def __init__(self, serial: str, private_file: Path, platform_files: Mapping[str, Path]) -> None:
        def read() -> Keys:
            platform = {key_id: public_key(file) for key_id, file in platform_files.items()}
            return Keys(serial, private_key(private_file), platform)

        super().__init__((private_file, *platform_files.values()), read)


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except OSError:
        raise trouble_with(file, "is not there or not readable") from None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def private_key(file: Path) -> RSAPrivateKey:
    """Return our own key from a PEM file. Raises KeyTrouble."""
    try:
        key = load_pem_private_key(content_of(file), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise trouble_with(file, "is no PEM private key without a password") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size != BITS:
        raise trouble_with(file, f"is no RSA key of {BITS} bits")
    return key


def public_key(file: Path) -> RSAPublicKey:
    """Return the other side's key from a PEM file, bare or in its certificate. Raises KeyTrouble."""
    content = content_of(file)
    key: object
    try:
        if _CERTIFICATE in content:
            key = load_pem_x509_certificate(content).public_key()
        else:
            key = load_pem_public_key(content)
    except (ValueError, InvalidVersion, UnsupportedAlgorithm):
        raise trouble_with(file, "is no PEM public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size != BITS:
        raise trouble_with(file, f"is no RSA key of {BITS} bits")
    return key


def content_of(file: Path) -> bytes:
    """Return what a file holds, up to 64 KiB. Raises KeyTrouble."""
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError:
        raise trouble_with(file, "is not there or not readable") from None


def trouble_with(file: Path, problem: str) -> KeyTrouble:
    """Return the error to raise about a file. `problem` never says what it holds."""
    return KeyTrouble(f"The key file {file} {problem}. Put the file from the merchant platform there")
