"""Which certificate do we sign under at UnionPay, and which of theirs do we believe, at present?

UnionPay sends its certificate along with every answer and changes it as it likes; pinned are the root and
the middle certificate above it, and the name it must be issued to. All files are read again when they
change, so keys and certificates rotate without a restart; ours count only while key and certificate belong
together.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import NameOID

from terminal_agent.channels.key_files import BITS, Reread, content_of, private_key, public_key, trouble_with

_LONGEST_PEM = 8 << 10


class UnionPayKeys(msgspec.Struct, frozen=True):
    """Our key with its certificate's serial number, and the certificates that are pinned."""

    cert_id: str
    private: RSAPrivateKey
    root: x509.Certificate
    middle: x509.Certificate
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
            certificate.verify_directly_issued_by(self.middle)
            self.middle.verify_directly_issued_by(self.root)
            key = certificate.public_key()
            named = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except (ValueError, TypeError, x509.InvalidVersion, InvalidSignature, UnsupportedAlgorithm):
            return None
        if not all(_counts(one, at) for one in (certificate, self.middle, self.root)):
            return None
        # 041@8310000000083040@中国银联股份有限公司@00016493 is how CFCA writes the subject.
        if [self.name] != [part for one in named for part in str(one.value).split("@") if part == self.name]:
            return None
        return key if isinstance(key, RSAPublicKey) and key.key_size >= BITS else None


class UnionPayKeyFiles(Reread[UnionPayKeys]):
    """The files of one merchant: `files` has certificate, private_key, root and middle."""

    def __init__(self, files: Mapping[str, Path], name: str) -> None:
        def read() -> UnionPayKeys:
            ours, private = _certificate(files["certificate"]), private_key(files["private_key"])
            if public_key(files["certificate"]) != private.public_key():
                # One of the two was replaced and the other not yet.
                raise trouble_with(files["private_key"], "does not belong to the certificate beside it")
            middle, root = _certificate(files["middle"]), _certificate(files["root"])
            try:
                middle.verify_directly_issued_by(root)
            except (ValueError, TypeError, InvalidSignature):
                raise trouble_with(files["middle"], "was not issued by the root certificate") from None
            return UnionPayKeys(str(ours.serial_number), private, root, middle, name)

        super().__init__(tuple(files.values()), read)


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(content_of(file))
    except (ValueError, x509.InvalidVersion):
        raise trouble_with(file, "is no PEM certificate") from None


def _counts(certificate: x509.Certificate, at: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
