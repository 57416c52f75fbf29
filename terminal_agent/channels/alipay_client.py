"""How does one signed request go to Alipay's gateway and an answer come back that can be believed?

Both sides sign (RSA2: SHA-256 with RSA, PKCS #1): we all parameters in the order of their names, they the
very bytes of the one member of the answer that is named after the call. Only those bytes are ever read. What
is personal goes in the body, never in the address, which proxies write down. Nothing is ever sent twice here.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from subsidy import calendar
from terminal_agent.bounded_http import BoundedSession
from terminal_agent.channels.alipay_keys import AlipayKeys
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import Limits, Silence, exchange
from terminal_agent.checkout.ports import Clock

TIME_FORM = "%Y-%m-%d %H:%M:%S"
"""How Alipay writes an instant, in Shanghai."""

_FORM = "application/x-www-form-urlencoded;charset=utf-8"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_TEXT = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*+"', re.DOTALL)
_PLAIN = re.compile(rb"[-+.0-9A-Za-z]++")
# The closing quote is optional, so that one that never closes ends the search.
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


class Believed(msgspec.Struct, frozen=True):
    """What Alipay has signed of an answer, as it came. Shows its size only: it names the shopper."""

    body: bytes

    def __repr__(self) -> str:
        return f"Believed({len(self.body)} bytes)"


class GatewayClient:
    """The line of one application to Alipay. One call at a time."""

    def __init__(
        self,
        *,
        session: BoundedSession,
        gateway: str,
        app_id: str,
        keys: Callable[[], AlipayKeys],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._session = session
        self._gateway = gateway
        self._app_id = app_id
        self._keys = keys
        self._clock = clock
        self._limits = limits

    def call(self, method: str, content: Mapping[str, object]) -> Believed | Silence:
        """Send one request, as in `alipay.trade.pay`, and return what Alipay has signed of its answer."""
        try:
            keys = self._keys()
        except KeyTrouble:
            return Silence.NO_KEYS
        biz_content = msgspec.json.encode(content).decode()
        said = {
            "app_id": self._app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": f"{calendar.from_ms(self._clock.wall_ms()):{TIME_FORM}}",
            "version": "1.0",
            **keys.said,
        }
        signature = signed(keys.private, {**said, "biz_content": biz_content})
        heard = exchange(
            self._session,
            self._limits,
            "POST",
            f"{self._gateway}?{urlencode({**said, 'sign': signature})}",
            {"Accept": "application/json", "Content-Type": _FORM},
            urlencode({"biz_content": biz_content}).encode(),
            called=method,
        )
        return heard if isinstance(heard, Silence) else believed(heard.body, method, keys.platform)


def signed(key: RSAPrivateKey, parameters: Mapping[str, str]) -> str:
    """Return the `sign` of a request."""
    return b64encode(key.sign(text_to_sign(parameters), PKCS1v15(), SHA256())).decode("ascii")


def text_to_sign(parameters: Mapping[str, str]) -> bytes:
    """Return what is signed of a request: its parameters in order, bare, without empty ones."""
    named = sorted(parameters.items())
    return "&".join(f"{name}={value}" for name, value in named if value and name != "sign").encode()


def believed(body: bytes, method: str, platform: Mapping[str, RSAPublicKey]) -> Believed | Silence:
    """Return the member of an answer that the call asked for, when its very bytes are signed."""
    members = members_of(body)
    if members is None or "sign" not in members:
        return Silence.NOT_SIGNED
    names = (f"{method.replace('.', '_')}_response", "error_response")
    named = [members[name] for name in names if name in members]
    if len(named) != 1 or not named[0].startswith(b"{"):
        return Silence.NOT_SIGNED
    key = platform.get(_text_of(members.get("alipay_cert_sn", b'""')))
    if key is None:
        return Silence.UNKNOWN_KEY
    try:
        signature = b64decode(_text_of(members["sign"]), validate=True)
        key.verify(signature, named[0], PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return Silence.WRONG_SIGNATURE
    return Believed(named[0])


def members_of(body: bytes) -> dict[str, bytes] | None:
    """Return the members of a JSON object with each value's own bytes; None when it is none.

    A name that stands twice, or is written with escapes, makes it none: others would read it otherwise.
    """
    found: dict[str, bytes] = {}
    at = _skip(body, 0)
    if body[at : at + 1] != b"{":
        return None
    while True:
        name = _TEXT.match(body, _skip(body, at + 1))
        if name is None or b"\\" in name[0]:
            return None
        colon = _skip(body, name.end())
        start = _skip(body, colon + 1)
        end = _end_of_value(body, start)
        key = name[0][1:-1].decode("latin-1")
        if body[colon : colon + 1] != b":" or end is None or key in found:
            return None
        found[key] = body[start:end]
        at = _skip(body, end)
        if body[at : at + 1] == b"}":
            return found if _skip(body, at + 1) == len(body) else None
        if body[at : at + 1] != b",":
            return None


def _end_of_value(body: bytes, start: int) -> int | None:
    if body[start : start + 1] not in (b"{", b"["):
        value = _TEXT.match(body, start) or _PLAIN.match(body, start)
        return None if value is None else value.end()
    depth = 0
    for token in _STRUCTURE.finditer(body, start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _skip(body: bytes, at: int) -> int:
    found = _SPACE.match(body, at)
    return at if found is None else found.end()


def _text_of(value: bytes) -> str:
    try:
        text = json.loads(value)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""
