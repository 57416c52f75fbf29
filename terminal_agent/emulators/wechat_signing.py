"""How do the two sides of the emulated WeChat Pay sign, and where are their keys?

Both key pairs are made in one folder at the first start: what the merchant would have downloaded, and what
WeChat Pay keeps. Ids that begin with EMU are refused by a production configuration.
"""

import datetime
import json
import os
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

SCHEME = "WECHATPAY2-SHA256-RSA2048"
_WINDOW_S = 300
_TEN_YEARS = datetime.timedelta(days=3650)
_MERCHANT, _CERTIFICATE, _PLATFORM, _PLATFORM_PUBLIC, _IDS = (
    "merchant_key.pem",
    "merchant_certificate.pem",
    "platform_private_key.pem",
    "platform_key.pem",
    "ids.json",
)
_AUTHORIZATION = re.compile(
    SCHEME
    + r' mchid="([0-9A-Z]{1,32})",nonce_str="([0-9A-Za-z]{1,32})",signature="([0-9A-Za-z+/=]{1,1024})",'
    r'timestamp="([0-9]{1,12})",serial_no="([0-9A-F]{1,64})"',
    re.ASCII,
)


class KeysUnusable(Exception):
    """The folder of keys cannot be used. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Both sides' keys. `serial` is the merchant certificate's, `platform_id` names WeChat Pay's key.

    `former` has the merchant's earlier keys that are still taken, by their serial numbers; `beside` the keys
    that WeChat Pay still signs with, in turn with `platform`.
    """

    folder: Path
    serial: str
    platform_id: str
    merchant: RSAPrivateKey
    platform: RSAPrivateKey
    stranger: RSAPrivateKey
    former: Mapping[str, RSAPrivateKey] = field(default_factory=dict)
    beside: Mapping[str, RSAPrivateKey] = field(default_factory=dict)

    @property
    def merchant_file(self) -> Path:
        """Where the merchant's private key is."""
        return self.folder / _MERCHANT

    @property
    def certificate_file(self) -> Path:
        """Where the merchant's certificate is."""
        return self.folder / _CERTIFICATE

    @property
    def platform_file(self) -> Path:
        """Where WeChat Pay's public key is."""
        return self.folder / _PLATFORM_PUBLIC


def open_keys(folder: Path) -> Keys:
    """Return the keys in `folder`, made there when there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _IDS).exists():
        _make_keys(folder)
    try:
        ids = json.loads((folder / _IDS).read_text(encoding="ascii"))
        x509.load_pem_x509_certificate((folder / _CERTIFICATE).read_bytes())
        return Keys(
            folder,
            str(ids["serial"]),
            str(ids["platform_id"]),
            _read(folder / _MERCHANT),
            _read(folder / _PLATFORM),
            generate_private_key(65_537, 2048),
        )
    except (ValueError, KeyError, TypeError, OSError):
        raise KeysUnusable(f"{folder} does not hold an emulator's keys. Name an empty folder") from None


def doubt_of(keys: Keys, mchid: str, header: str, method: str, path: str, body: bytes) -> str | None:
    """Say what is wrong with a request's Authorization, or None when it is right."""
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        return "the Authorization header has not its form"
    claimed, nonce, signature, timestamp, serial = found.groups()
    taken = {**keys.former, keys.serial: keys.merchant}
    if claimed != mchid or serial not in taken:
        return "no such merchant or certificate"
    if abs(int(timestamp) - int(time.time())) > _WINDOW_S:
        return "signed more than 300 s ago, or ahead"
    text = "\n".join((method, path, timestamp, nonce)).encode() + b"\n" + body + b"\n"
    try:
        taken[serial].public_key().verify(b64decode(signature), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return "the signature does not fit what was received"
    return None


def sign_answer(key: RSAPrivateKey, key_id: str, body: bytes, seconds_ago: int = 0) -> dict[str, str]:
    """Return the headers that sign an answer."""
    timestamp, nonce = str(int(time.time()) - seconds_ago), secrets.token_hex(16)
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": b64encode(key.sign(text, PKCS1v15(), SHA256())).decode(),
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Serial": key_id,
    }


def _make_keys(folder: Path) -> None:
    merchant, platform = generate_private_key(65_537, 2048), generate_private_key(65_537, 2048)
    certificate, serial = certify(merchant)
    ids = {"serial": serial, "platform_id": new_public_key_id()}
    put(folder / _MERCHANT, pem(merchant))
    put(folder / _CERTIFICATE, certificate)
    put(folder / _PLATFORM, pem(platform))
    put(folder / _PLATFORM_PUBLIC, public_pem(platform))
    # Last: a power cut before it leaves a folder that is made anew.
    put(folder / _IDS, json.dumps(ids).encode())


def certify(key: RSAPrivateKey) -> tuple[bytes, str]:
    """Return a certificate for a key, in PEM, and its serial number as WeChat Pay writes it."""
    now = datetime.datetime.now(datetime.UTC)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EMU Tenpay")])
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _TEN_YEARS)
        .sign(key, SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), f"{made.serial_number:X}"


def new_public_key_id() -> str:
    """Return the id of a public key of WeChat Pay's."""
    return f"PUB_KEY_ID_EMU{secrets.token_hex(8).upper()}"


def public_pem(key: RSAPrivateKey) -> bytes:
    """Return a key's public half."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem(key: RSAPrivateKey) -> bytes:
    """Return a private key without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(file: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    return key


def put(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner only."""
    beside = file.with_name(f"{file.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(beside, file)
