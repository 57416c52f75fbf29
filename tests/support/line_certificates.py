"""An authority and the certificates that it issues for the ends of a line: made in a test, for an hour."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
_HOUR = datetime.timedelta(hours=1)


class Identity:
    """A certificate and its key, in files of their own and in one."""

    def __init__(
        self, folder: Path, name: str, pem: bytes, key: ec.EllipticCurvePrivateKey, password: bytes = b""
    ) -> None:
        self.certificate, self.key, self.both = (folder / f"{name}.{one}" for one in ("crt", "key", "pem"))
        sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, sealed)
        for file, content in ((self.certificate, pem), (self.key, private), (self.both, pem + private)):
            file.touch(mode=0o600)
            file.write_bytes(content)


class Authority:
    """Who issues certificates. `pem` is its own, for whoever is to believe it."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = _certificate(name, _named(name), self._key, self._key, -_HOUR, _HOUR, is_authority=True)
        self.pem = made.decode()

    def issue(
        self,
        folder: Path,
        name: str,
        begins: datetime.timedelta = -_HOUR,
        ends: datetime.timedelta = _HOUR,
        password: bytes = b"",
    ) -> Identity:
        """Return a certificate for `name` and its key, good from and until so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = _certificate(name, self._name, key, self._key, begins, ends, is_authority=False)
        return Identity(folder, name, pem, key, password)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signs: ec.EllipticCurvePrivateKey,
    begins: datetime.timedelta,
    ends: datetime.timedelta,
    *,
    is_authority: bool,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return made.sign(signs, hashes.SHA256()).public_bytes(PEM)
