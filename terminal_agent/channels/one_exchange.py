"""How does one request leave once, and its answer come back whole or not at all?"""

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError

from terminal_agent.bounded_http import BoundedSession

MOST_BYTES = 64 << 10

_CHUNK = 8 << 10


class Silence(StrEnum):
    """Why there is no answer that can be believed. Nothing is known of what the other side did."""

    NO_ANSWER = "NO_ANSWER"  # none at all, too late, or cut off
    TOO_LONG = "TOO_LONG"
    NOT_SIGNED = "NOT_SIGNED"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"
    STALE = "STALE"  # signed too long ago, or one of the two clocks is wrong
    NO_KEYS = "NO_KEYS"  # nothing was sent


class Limits(msgspec.Struct, frozen=True):
    """How long one call may take, in seconds: to connect, without a byte, and as a whole."""

    connect_s: float
    read_s: float
    whole_s: float


class Heard(msgspec.Struct, frozen=True):
    """What came back, believed by nobody yet. `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def exchange(
    session: BoundedSession,
    limits: Limits,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    called: str = "",
) -> Heard | Silence:
    """Send one request, follow nothing, repeat nothing, and return the answer with its bytes as they came.

    `called` is what a trace calls it, where the path does not say what it is.
    """
    note = session.note or _take_nothing_down
    note("request", body, f"{method} {called or urlsplit(url).path}")
    heard = _exchange(session, limits, method, url, headers, body)
    if isinstance(heard, Heard):
        note("answer", heard.body, str(heard.status))
    else:
        note("answer", b"", heard.value)
    return heard


def _take_nothing_down(_way: str, _body: bytes, _said: str) -> None:
    return


def _exchange(
    session: BoundedSession, limits: Limits, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> Heard | Silence:
    session.deadline.start(limits.whole_s)
    try:
        with session.request(
            method,
            url,
            data=body or None,
            # What arrives must be the very bytes that were signed.
            headers={**headers, "Accept-Encoding": "identity", "User-Agent": "terminal-agent"},
            timeout=(limits.connect_s, limits.read_s),
            allow_redirects=False,
            stream=True,
        ) as answer:
            content = bytearray()
            for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                content += chunk
                if len(content) > MOST_BYTES:
                    return Silence.TOO_LONG
            return Heard(answer.status_code, answer.headers, bytes(content))
    except (requests.RequestException, HTTPError, OSError, ValueError):
        # The last: a head so broken that the library below gives up in its own way.
        return Silence.NO_ANSWER
