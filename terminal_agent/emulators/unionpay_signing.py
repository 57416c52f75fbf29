"""How do the two sides of the emulated UnionPay sign, and where are their certificates?

A root, a middle certificate and the two ends' are made in one folder at the first start: what the merchant
would have been given, and what UnionPay keeps. The names in them begin with EMU.
"""

import datetime
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

NAME = "EMU银联模拟"
_FILES = ("root.cer", "middle.cer", "unionpay.cer", "merchant.cer")
_KEYS = ("root_key.pem", "middle_key.pem", "unionpay_key.pem", "merchant_key.pem")
_MADE = "made"
_TEN_YEARS = datetime.timedelta(days=3650)
_NAME = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)

Form = dict[str, str]


class KeysUnusable(Exception):
    """The folder of keys cannot be used. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Both sides' keys and certificates. `stranger` signs under a certificate that leads nowhere."""

    folder: Path
    merchant: x509.Certificate
    platform: RSAPrivateKey
    platform_pem: str
    stranger: RSAPrivateKey
    stranger_pem: str

    @property
    def cert_id(self) -> str:
        """The merchant certificate's serial number in decimal."""
        return str(self.merchant.serial_number)

    def file(self, name: str) -> str:
        """Return the path of one of the merchant's files."""
        return str(self.folder / name)


def open_keys(folder: Path) -> Keys:
    """Return the keys in `folder`, made there when there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _MADE).exists():
        _make(folder)
    try:
        merchant = x509.load_pem_x509_certificate((folder / "merchant.cer").read_bytes())
        platform = _read_key(folder / "unionpay_key.pem")
        pem = (folder / "unionpay.cer").read_text(encoding="ascii")
    except (ValueError, OSError):
        raise KeysUnusable(f"{folder} does not hold an emulator's keys. Name an empty folder") from None
    stranger = generate_private_key(65_537, 2048)
    return Keys(folder, merchant, platform, pem, stranger, _pem(_self_signed(stranger, NAME)))


def change_platform(keys: Keys) -> Keys:
    """Return the keys with a new certificate of UnionPay's own, under the same root."""
    middle = x509.load_pem_x509_certificate((keys.folder / "middle.cer").read_bytes())
    key = generate_private_key(65_537, 2048)
    made = _issued(key, NAME, middle, _read_key(keys.folder / "middle_key.pem"), may_issue=False)
    return Keys(keys.folder, keys.merchant, key, _pem(made), keys.stranger, keys.stranger_pem)


def read_form(body: bytes) -> Form | None:
    """Return a request's fields, None when they are none."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except (ValueError, UnicodeDecodeError):
        return None
    form = dict(pairs)
    whole = len(form) == len(pairs) and all(_NAME.fullmatch(one) for one in form)
    return form if whole else None


def is_signed(keys: Keys, form: Mapping[str, str]) -> bool:
    """Whether a request is signed by the merchant."""
    key = keys.merchant.public_key()
    if (form.get("certId"), form.get("signMethod"), form.get("version")) != (keys.cert_id, "01", "5.1.0"):
        return False
    try:
        signature = b64decode(form.get("signature", ""), validate=True)
        key.verify(signature, _text(form), PKCS1v15(), SHA256())  # type: ignore[union-attr, call-arg, arg-type]
    except (InvalidSignature, ValueError):
        return False
    return True


def signed(key: RSAPrivateKey, pem: str, form: Mapping[str, str]) -> Form:
    """Return an answer's fields with certificate and signature."""
    whole = {**form, "signMethod": "01", "signPubKeyCert": pem}
    return {**whole, "signature": b64encode(key.sign(_text(whole), PKCS1v15(), SHA256())).decode()}


def answer_bytes(form: Mapping[str, str]) -> bytes:
    """Return the body of an answer: names and values without any escapes."""
    return "&".join(f"{name}={value}" for name, value in form.items()).encode()


def _text(form: Mapping[str, str]) -> bytes:
    joined = "&".join(f"{name}={form[name]}" for name in sorted(form) if name != "signature")
    return sha256(joined.encode()).hexdigest().encode()


def _make(folder: Path) -> None:
    keys = [generate_private_key(65_537, 2048) for _ in _KEYS]
    root = _self_signed(keys[0], "EMU root", may_issue=True)
    middle = _issued(keys[1], "EMU middle", root, keys[0], may_issue=True)
    platform = _issued(keys[2], NAME, middle, keys[1], may_issue=False)
    merchant = _issued(keys[3], "EMU merchant", middle, keys[1], may_issue=False)
    for name, certificate in zip(_FILES, (root, middle, platform, merchant), strict=True):
        _put(folder / name, _pem(certificate).encode("ascii"))
    for name, key in zip(_KEYS, keys, strict=True):
        _put(folder / name, _key_pem(key))
    # Last: a power cut before it leaves a folder that is made anew.
    _put(folder / _MADE, b"")


def _self_signed(key: RSAPrivateKey, name: str, *, may_issue: bool = False) -> x509.Certificate:
    return _built(key, name, _subject(name), key, may_issue=may_issue)


def _issued(
    key: RSAPrivateKey, name: str, above: x509.Certificate, by: RSAPrivateKey, *, may_issue: bool
) -> x509.Certificate:
    return _built(key, name, above.subject, by, may_issue=may_issue)


def _built(
    key: RSAPrivateKey, name: str, issuer: x509.Name, by: RSAPrivateKey, *, may_issue: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _TEN_YEARS)
        .add_extension(x509.BasicConstraints(ca=may_issue, path_length=None), critical=True)
        .sign(by, SHA256())
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"041@EMU0000000@{name}@00000001")])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_key(file: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    return key


def _put(file: Path, content: bytes) -> None:
    beside = file.with_name(f"{file.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(beside, file)
