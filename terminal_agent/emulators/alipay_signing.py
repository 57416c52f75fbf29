"""How do the two sides of the emulated Alipay sign, and where are their keys?

Both key pairs, and a certificate for each under a root of its own, are made in one folder at the first start:
what the merchant would have downloaded, and what Alipay keeps. They are good for nothing outside.
"""

import datetime
import hashlib
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

_MERCHANT, _PLATFORM, _PLATFORM_PUBLIC = (
    "app_private_key.pem",
    "platform_private_key.pem",
    "alipay_public_key.pem",
)
_MERCHANT_CERT, _PLATFORM_CERT, _ROOT_CERT = "app_cert.crt", "alipay_cert.crt", "alipay_root_cert.crt"
_YEARS = datetime.timedelta(days=3650)


class KeysUnusable(Exception):
    """The folder of keys cannot be used. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Both sides' keys. With `certificates` each names its own by the serial numbers that end in `_sn`."""

    folder: Path
    certificates: bool
    merchant: RSAPrivateKey
    platform: RSAPrivateKey
    stranger: RSAPrivateKey
    app_sn: str
    root_sn: str
    platform_sn: str

    def files(self) -> dict[str, str]:
        """Return where what the merchant needs is, by the names of a profile."""
        names = {"private_key": _MERCHANT, "alipay_public_key": _PLATFORM_PUBLIC}
        if self.certificates:
            names = {
                "private_key": _MERCHANT,
                "app_certificate": _MERCHANT_CERT,
                "alipay_certificate": _PLATFORM_CERT,
                "root_certificates": _ROOT_CERT,
            }
        return {name: str(self.folder / file) for name, file in names.items()}


def open_keys(folder: Path, certificates: bool) -> Keys:
    """Return the keys in `folder`, made there when there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _PLATFORM_PUBLIC).exists():
        _make_keys(folder)
    try:
        return Keys(
            folder,
            certificates,
            _read(folder / _MERCHANT),
            _read(folder / _PLATFORM),
            generate_private_key(65_537, 2048),
            _serial(folder / _MERCHANT_CERT),
            _serial(folder / _ROOT_CERT),
            _serial(folder / _PLATFORM_CERT),
        )
    except (ValueError, TypeError, OSError):
        raise KeysUnusable(f"{folder} does not hold an emulator's keys. Name an empty folder") from None


def doubt_of(keys: Keys, app_id: str, parameters: Mapping[str, str]) -> str | None:
    """Say for which reason (sub_code) a request is not taken, or None when it is right."""
    if parameters.get("app_id") != app_id:
        return "isv.invalid-app-id"
    if (parameters.get("sign_type"), parameters.get("charset"), parameters.get("version")) != (
        "RSA2",
        "utf-8",
        "1.0",
    ):
        return "isv.invalid-signature-type"
    named = (parameters.get("app_cert_sn"), parameters.get("alipay_root_cert_sn"))
    if named != ((keys.app_sn, keys.root_sn) if keys.certificates else (None, None)):
        return "isv.app-cert-error"
    text = "&".join(
        f"{key}={parameters[key]}" for key in sorted(parameters) if key != "sign" and parameters[key]
    )
    try:
        signature = b64decode(parameters.get("sign", ""), validate=True)
        keys.merchant.public_key().verify(signature, text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return "isv.invalid-signature"
    return None


def sign(key: RSAPrivateKey, content: bytes) -> str:
    """Return the signature of an answer's bytes."""
    return b64encode(key.sign(content, PKCS1v15(), SHA256())).decode()


def _make_keys(folder: Path) -> None:
    root, merchant, platform = (generate_private_key(65_537, 2048) for _ in range(3))
    root_name = _name("EMU Alipay Root")
    for file, key, of in (
        (_ROOT_CERT, root, "EMU Alipay Root"),
        (_MERCHANT_CERT, merchant, "EMU App"),
        (_PLATFORM_CERT, platform, "EMU Alipay"),
    ):
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(of))
            .issuer_name(root_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _YEARS)
            .add_extension(x509.BasicConstraints(ca=key is root, path_length=None), critical=True)
            .sign(root, SHA256())
        )
        _put(folder / file, certificate.public_bytes(serialization.Encoding.PEM))
    _put(folder / _MERCHANT, _pem(merchant))
    _put(folder / _PLATFORM, _pem(platform))
    public = platform.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # Last: a power cut before it leaves a folder that is made anew.
    _put(folder / _PLATFORM_PUBLIC, public)


def _name(of: str) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "EMU Financial"),
        (NameOID.COMMON_NAME, of),
    )
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _serial(file: Path) -> str:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    named = {NameOID.COUNTRY_NAME: "C", NameOID.ORGANIZATION_NAME: "O", NameOID.COMMON_NAME: "CN"}
    issuer = ",".join(f"{named[one.oid]}={one.value!s}" for one in reversed(list(certificate.issuer)))
    return hashlib.md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(file: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    return key


def _put(file: Path, content: bytes) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
