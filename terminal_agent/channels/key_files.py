"""Which keys do we sign with, and whose signatures do we believe, at present?

Keys are files that shop IT replaces when the channel asks for it, without stopping the till: a changed one is
read again at the next call. While a new one cannot be read, the old keys go on and `problem` says why.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

BITS = 2048
CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_MOST_BYTES = 64 << 10

_Stamp = tuple[int, int, int]
_Read = TypeVar("_Read")


class KeyTrouble(Exception):
    """A key file cannot be used. Says which and what to do, never what it holds."""


class Reread(Generic[_Read]):
    """What `read` makes of some files, made anew when `look` sees something else in their place."""

    def __init__(self, look: Callable[[], object], read: Callable[[], _Read]) -> None:
        self._look = look
        self._read = read
        self._seen: object = None
        self._found: _Read | None = None
        self.problem: str | None = None

    def current(self) -> _Read:
        """Return what the files hold now. Raises KeyTrouble when they were never usable."""
        try:
            seen = self._look()
            if self._found is None or seen != self._seen:
                self._found = self._read()
                self._seen = seen
            self.problem = None
        except KeyTrouble as trouble:
            self.problem = str(trouble)
            if self._found is None:
                raise
        return self._found

    def begin_with(self, seen: object, found: _Read) -> None:
        """Take `found` for what there is where `look` sees `seen`."""
        self._seen, self._found = seen, found


def stamps_of(files: Iterable[Path]) -> tuple[_Stamp, ...]:
    """Return what is different once one of the files is changed. Raises KeyTrouble."""
    return tuple(_stamp(file) for file in files)


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
    if CERTIFICATE in content:
        return rsa_key_of(certificates_in(file)[0], file)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise trouble_with(file, "is no PEM public key") from None
    return _of_our_kind(key, file)


def certificates_in(file: Path) -> Sequence[x509.Certificate]:
    """Return the certificates in a PEM file, at least one. Raises KeyTrouble."""
    try:
        found = x509.load_pem_x509_certificates(content_of(file))
        for one in found:
            one.issuer.rfc4514_string()  # names are read when they are asked for, and may be broken
    except (ValueError, x509.InvalidVersion):
        raise trouble_with(file, "is no PEM certificate") from None
    return found


def last_of(certificates: Sequence[x509.Certificate]) -> Sequence[x509.Certificate]:
    """Return those at the end of their chains: the ones that may issue no other, all where each one may."""
    return [one for one in certificates if not _may_issue(one)] or certificates


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False


def rsa_key_of(certificate: x509.Certificate, file: Path) -> RSAPublicKey:
    """Return the key in a certificate of `file`. Raises KeyTrouble."""
    try:
        return _of_our_kind(certificate.public_key(), file)
    except (ValueError, UnsupportedAlgorithm):
        raise trouble_with(file, f"is no RSA key of {BITS} bits") from None


def _of_our_kind(key: object, file: Path) -> RSAPublicKey:
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
