"""Which keys does an application at Alipay sign with, and whose signatures does it believe?

Either both sides have stored each other's public key, or both name certificates by their serial numbers: MD5
of the issuer's name and the number, as Alipay has defined it, a name and no proof. A certificate of Alipay's
counts when it was issued, link by link, under one of its roots. An old one may stand in the file of a new
one: both are believed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from terminal_agent.channels.key_files import (
    Reread,
    certificates_in,
    last_of,
    private_key,
    public_key,
    rsa_key_of,
    stamps_of,
    trouble_with,
)

_RSA_SIGNATURES = "1.2.840.113549.1.1."
_NO_SERIAL = ""


class AlipayKeys(msgspec.Struct, frozen=True):
    """Our private key, what a request says of our certificates, and Alipay's keys by their serial numbers.

    Without certificates nothing is said, and Alipay's one key has no number.
    """

    private: RSAPrivateKey
    said: Mapping[str, str]
    platform: Mapping[str, RSAPublicKey]

    def __repr__(self) -> str:
        return f"AlipayKeys(said={dict(self.said)!r}, platform={sorted(self.platform)})"


class ByPublicKey(msgspec.Struct, frozen=True):
    """The files of an application in public-key mode."""

    private_key: Path
    alipay_public_key: Path

    def reread(self) -> Reread[AlipayKeys]:
        """Return the keys, to be read when they are used."""

        def read() -> AlipayKeys:
            return AlipayKeys(
                private_key(self.private_key), {}, {_NO_SERIAL: public_key(self.alipay_public_key)}
            )

        return Reread(lambda: stamps_of((self.private_key, self.alipay_public_key)), read)


class ByCertificate(msgspec.Struct, frozen=True):
    """The files of an application in certificate mode."""

    private_key: Path
    app_certificate: Path
    alipay_certificate: Path
    root_certificates: Path

    def reread(self) -> Reread[AlipayKeys]:
        """Return the keys, to be read when they are used."""
        files = (self.private_key, self.app_certificate, self.alipay_certificate, self.root_certificates)
        return Reread(lambda: stamps_of(files), self._read)

    def _read(self) -> AlipayKeys:
        private = private_key(self.private_key)
        own = certificates_in(self.app_certificate)[0]
        if public_key(self.app_certificate) != private.public_key():
            raise trouble_with(self.app_certificate, "is not of our private key")
        roots = certificates_in(self.root_certificates)
        theirs = certificates_in(self.alipay_certificate)
        ends = last_of(theirs)
        for one in ends:
            if one.subject != ends[0].subject or not _is_under(one, theirs, roots):
                raise trouble_with(self.alipay_certificate, "was not issued under the root certificates")
        platform = {serial_of(one): rsa_key_of(one, self.alipay_certificate) for one in ends}
        said = {
            "app_cert_sn": serial_of(own),
            "alipay_root_cert_sn": "_".join(serial_of(one) for one in roots if _is_rsa(one)),
        }
        return AlipayKeys(private, said, platform)


def serial_of(certificate: x509.Certificate) -> str:
    """Return what Alipay calls a certificate's serial number."""
    text = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _is_under(
    one: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> bool:
    """Whether a certificate was issued by a root, or by one in `between` that was."""
    if any(_issued(root, one) for root in roots):
        return True
    above = [issuer for issuer in between if issuer is not one and _issued(issuer, one)]
    return any(_is_under(issuer, [x for x in between if x is not one], roots) for issuer in above)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_rsa(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES)
