"""Which certificate do we sign under at UnionPay, and which of theirs do we believe, at present?

UnionPay sends its certificate along with every answer and changes it as it likes; pinned are the root and
the middle certificate above it, and the name it must be issued to; of either an old one may stand in the
file of a new one. All files are read again when they change, so keys and certificates rotate without a
restart; ours count only while key and certificate belong together.
"""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import NameOID

from terminal_agent.channels.key_files import (
    BITS,
    Reread,
    certificates_in,
    private_key,
    rsa_key_of,
    stamps_of,
    trouble_with,
)

_LONGEST_PEM = 8 << 10


class UnionPayKeys(msgspec.Struct, frozen=True):
    """Our key with its certificate's serial number, and the certificates that are pinned."""

    cert_id: str
    private: RSAPrivateKey
    roots: Sequence[x509.Certificate]
    middles: Sequence[x509.Certificate]
    name: str

    def __repr__(self) -> str:
        return f"UnionPayKeys(cert_id={self.cert_id!r})"

    def key_of(self, pem: str, at: datetime.datetime) -> RSAPublicKey | None:
        """Return the key in a certificate that came with an answer, None when nothing speaks for it.

        `at` is an aware instant: a certificate counts between its dates only, and so do those above it.
        """
        if len(pem) > _LONGEST_PEM:
            return None
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
            above = [
                middle for middle in self.middles if _issued(middle, certificate) and _counts(middle, at)
            ]
            key = certificate.public_key()
            named = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
            return None
        roots = [root for root in self.roots if _counts(root, at)]
        if not _counts(certificate, at) or not any(_issued(root, one) for root in roots for one in above):
            return None
        # 041@8310000000083040@中国银联股份有限公司@00016493 is how CFCA writes the subject.
        if [self.name] != [part for one in named for part in str(one.value).split("@") if part == self.name]:
            return None
        return key if isinstance(key, RSAPublicKey) and key.key_size >= BITS else None


class UnionPayKeyFiles(Reread[UnionPayKeys]):
    """The files of one merchant: `files` has certificate, private_key, root and middle."""

    def __init__(self, files: Mapping[str, Path], name: str) -> None:
        def read() -> UnionPayKeys:
            ours, private = certificates_in(files["certificate"])[0], private_key(files["private_key"])
            if rsa_key_of(ours, files["certificate"]) != private.public_key():
                # One of the two was replaced and the other not yet.
                raise trouble_with(files["private_key"], "does not belong to the certificate beside it")
            middles, roots = certificates_in(files["middle"]), certificates_in(files["root"])
            if not all(any(_issued(root, middle) for root in roots) for middle in middles):
                raise trouble_with(files["middle"], "was not issued by the root certificate")
            return UnionPayKeys(str(ours.serial_number), private, roots, middles, name)

        super().__init__(lambda: stamps_of(files.values()), read)


def _issued(above: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _counts(certificate: x509.Certificate, at: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
