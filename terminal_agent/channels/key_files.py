"""Which keys do we sign with, and whose signatures do we believe, at present?

Keys are files that shop IT replaces when WeChat Pay asks for it, without stopping the till: a changed file is
read again at the next call. While a new one cannot be read, the old keys go on and `problem` says why.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_BITS = 2048
_MOST_BYTES = 64 << 10

_Stamp = tuple[int, int, int]


class KeyTrouble(Exception):
    """A key file cannot be used. Says which and what to do, never what it holds."""


class Keys(msgspec.Struct, frozen=True):
    """Our private key with its certificate's serial number, and the other side's keys by their ids."""

    serial: str
    private: RSAPrivateKey
    platform: Mapping[str, RSAPublicKey]

    def __repr__(self) -> str:
        return f"Keys(serial={self.serial!r}, platform={sorted(self.platform)})"


class KeyFiles:
    """The key files of one channel."""

    def __init__(self, serial: str, private_file: Path, platform_files: Mapping[str, Path]) -> None:
        self._serial = serial
        self._private_file = private_file
        self._platform_files = platform_files
        self._stamps: tuple[_Stamp, ...] | None = None
        self._keys: Keys | None = None
        self.problem: str | None = None

    def current(self) -> Keys:
        """Return the keys as the files hold them now. Raises KeyTrouble when there were never any."""
        try:
            stamps = tuple(_stamp(file) for file in (self._private_file, *self._platform_files.values()))
            if self._keys is None or stamps != self._stamps:
                self._keys = self._read()
                self._stamps = stamps
            self.problem = None
        except KeyTrouble as trouble:
            self.problem = str(trouble)
            if self._keys is None:
                raise
        return self._keys

    def _read(self) -> Keys:
        platform = {key_id: _public(file) for key_id, file in self._platform_files.items()}
        return Keys(self._serial, _private(self._private_file), platform)


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except OSError:
        raise _trouble(file, "is not there or not readable") from None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _private(file: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(_content(file), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _trouble(file, "is no PEM private key without a password") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size != _BITS:
        raise _trouble(file, f"is no RSA key of {_BITS} bits")
    return key


def _public(file: Path) -> RSAPublicKey:
    try:
        key = load_pem_public_key(_content(file))
    except (ValueError, UnsupportedAlgorithm):
        raise _trouble(file, "is no PEM public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size != _BITS:
        raise _trouble(file, f"is no RSA key of {_BITS} bits")
    return key


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError:
        raise _trouble(file, "is not there or not readable") from None


def _trouble(file: Path, problem: str) -> KeyTrouble:
    return KeyTrouble(f"The key file {file} {problem}. Put the file from the merchant platform there")
