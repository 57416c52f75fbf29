"""How does one signed request go to WeChat Pay and an answer come back that can be believed?

Both sides sign (WECHATPAY2-SHA256-RSA2048): we the method, path, time, nonce and body, they the time, nonce
and body of every answer, refusals too. An answer without a right and fresh signature is the same as
silence, whatever it says. Nothing is ever sent twice here.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from terminal_agent.bounded_http import BoundedSession
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import Limits, Silence, exchange
from terminal_agent.channels.wechat_keys import Keys
from terminal_agent.checkout.ports import Clock

SCHEME = "WECHATPAY2-SHA256-RSA2048"
WINDOW_S = 300

_NONCE_BYTES = 16
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_NONCE = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Reply(msgspec.Struct, frozen=True):
    """An answer with a right signature. Shows its size only: it names the shopper."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


class SignedClient:
    """The line of one merchant to WeChat Pay. One call at a time."""

    def __init__(
        self,
        *,
        session: BoundedSession,
        base_url: str,
        mchid: str,
        keys: Callable[[], Keys],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        limits: Limits,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._mchid = mchid
        self._keys = keys
        self._clock = clock
        self._random_bytes = random_bytes
        self._limits = limits

    def call(self, method: str, path: str, body: bytes = b"") -> Reply | Silence:
        """Send one request and return its answer. `path` begins with a slash and holds the query."""
        try:
            keys = self._keys()
        except KeyTrouble:
            return Silence.NO_KEYS
        headers = {
            "Accept": "application/json",
            "Authorization": authorization(
                keys.private,
                serial=keys.serial,
                mchid=self._mchid,
                method=method,
                path=path,
                timestamp=self._clock.wall_ms() // 1000,
                nonce=self._random_bytes(_NONCE_BYTES).hex().upper(),
                body=body,
            ),
        }
        if keys.platform:
            headers["Wechatpay-Serial"] = next(iter(keys.platform))
        if body:
            headers["Content-Type"] = "application/json"
        heard = exchange(self._session, self._limits, method, self._base_url + path, headers, body)
        if isinstance(heard, Silence):
            return heard
        doubt = doubt_of(heard.headers, heard.body, keys.platform, self._clock.wall_ms())
        return Reply(heard.status, heard.body) if doubt is None else doubt


def authorization(
    key: RSAPrivateKey,
    *,
    serial: str,
    mchid: str,
    method: str,
    path: str,
    timestamp: int,
    nonce: str,
    body: bytes,
) -> str:
    """Return the Authorization header of one request."""
    signed = request_text(method, path, timestamp, nonce, body)
    signature = b64encode(key.sign(signed, PKCS1v15(), SHA256())).decode("ascii")
    return (
        f'{SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{serial}"'
    )


def request_text(method: str, path: str, timestamp: int, nonce: str, body: bytes) -> bytes:
    """Return what is signed of a request."""
    return f"{method}\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return what is signed of an answer."""
    return f"{timestamp}\n{nonce}\n".encode("ascii") + body + b"\n"


def doubt_of(
    headers: Mapping[str, str], body: bytes, platform: Mapping[str, RSAPublicKey], wall_ms: int
) -> Silence | None:
    """Say why an answer cannot be believed, or None when it can. `headers` ignores case."""
    timestamp, nonce = headers.get("Wechatpay-Timestamp", ""), headers.get("Wechatpay-Nonce", "")
    if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
        return Silence.NOT_SIGNED
    if headers.get("Wechatpay-Signature-Type", SCHEME) != SCHEME:
        return Silence.NOT_SIGNED
    key = platform.get(headers.get("Wechatpay-Serial", ""))
    if key is None:
        return Silence.UNKNOWN_KEY if "Wechatpay-Serial" in headers else Silence.NOT_SIGNED
    try:
        signature = b64decode(headers.get("Wechatpay-Signature", ""), validate=True)
        key.verify(signature, answer_text(timestamp, nonce, body), PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return Silence.WRONG_SIGNATURE
    # Last, so that only what WeChat Pay has really signed can be called stale.
    return Silence.STALE if abs(wall_ms // 1000 - int(timestamp)) > WINDOW_S else None
