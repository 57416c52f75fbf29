"""How are faults made at our own end of a channel, whose requests go over HTTP?

A session with our hands on it. What is believed of an answer is decided behind it, by the channel itself.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from terminal_agent.bounded_http import BoundedSession
from terminal_agent.certify import our_end
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.checkout.ports import Clock

Peek = Callable[[str, bytes], frozenset[str]]
"""By which words a request (its address, its body) goes; none for one that no scenario strikes."""


class _Whole(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class DisturbedSession(BoundedSession):
    """A session whose requests and answers pass through our hands."""

    def __init__(self, clock: Clock, end: OurEnd, peek: Peek) -> None:
        super().__init__(clock)
        self._end = end
        self._peek = peek
        for adapter in self.adapters.values():
            assert isinstance(adapter, HTTPAdapter)
            pools = adapter.poolmanager.pool_classes_by_scheme
            adapter.poolmanager.pool_classes_by_scheme = {
                scheme: _in_our_hands(pool, end) for scheme, pool in pools.items()
            }

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Send a request and return its answer, or what our hands make of both."""
        kinds = self._peek(str(url), options.get("data") or b"")
        fault = self._end.strike(kinds)
        if fault == our_end.LOST_REQUEST:
            raise requests.ConnectionError("the request was lost")
        if fault == our_end.DOUBLED:
            with super().request(method, url, *args, **options) as first:
                first.raw.read(decode_content=False)
        answer = super().request(method, url, *args, **options)
        if not kinds:
            return answer
        whole = _Whole(answer.status_code, answer.headers, answer.raw.read(decode_content=False))
        before = self._end.before(kinds)
        self._end.heard(kinds, whole)
        return _told(answer, self._disturbed(fault, whole, before))

    def _disturbed(self, fault: str, whole: _Whole, before: object | None) -> _Whole:
        body = whole.body
        middle = len(body) // 2
        match fault:
            case our_end.LOST_ANSWER:
                raise requests.ReadTimeout("the answer was lost")
            case our_end.TORN_ANSWER if not body:
                raise requests.ConnectionError("the answer was torn off")
            case our_end.TORN_ANSWER:
                return _Whole(whole.status, whole.headers, body[:middle])
            case our_end.BROKEN_ANSWER:
                broken = body[:middle] + bytes((body[middle] ^ 1,)) + body[middle + 1 :] if body else b"?"
                return _Whole(whole.status, whole.headers, broken)
            case our_end.SLOW_ANSWER:
                self._end.pause()
            case our_end.STRANGERS_ANSWER:
                assert isinstance(before, _Whole)
                return before
        return whole


def _told(answer: requests.Response, whole: _Whole) -> requests.Response:
    told = requests.Response()
    told.status_code = whole.status
    told.headers = requests.structures.CaseInsensitiveDict(whole.headers)
    told.request = answer.request
    told.raw = HTTPResponse(io.BytesIO(whole.body), status=whole.status, preload_content=False)
    answer.close()
    return told


def _in_our_hands(pool: Any, end: OurEnd) -> Any:
    """Return a kind of pool whose connections let leave what our hands let leave."""
    connection: Any = pool.ConnectionCls

    class Connection(connection):  # type: ignore[misc]
        def send(self, data: bytes) -> None:
            end.send(data, super().send, self.close)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool
