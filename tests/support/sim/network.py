"""What becomes of a message between two hosts?

Stands for `BoundedSession`, the agent's only way out. A request or its answer is lost, late, doubled; a
line is cut for a while; somebody else answers. The one who asks waits no longer than it said it would; what
it has sent may arrive long after.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import requests
from requests.structures import CaseInsensitiveDict

from sim.scheduler import Process
from sim.threads import Here, threading

_PORTAL = b"<html>Welcome to our free Wi-Fi. Please log in.</html>"


class Sent(NamedTuple):
    """One request as it goes over the line."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Came(NamedTuple):
    """One answer as it comes back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Weather(NamedTuple):
    """What the line does to one exchange. Delays in seconds; a `copy_s` of None: no second copy."""

    cut: bool = False
    portal: bool = False
    lose_request: bool = False
    lose_answer: bool = False
    there_s: float = 0.01
    back_s: float = 0.01
    copy_s: float | None = None


class Service:
    """Something that answers at an address: the process that does, None while there is none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: Process | None = None
        self.answer: Callable[[Sent], Came | None] | None = None
        self.call_of: Callable[[Sent], str] = lambda sent: sent.path
        """What a request is called in the trace and by the weather."""


class Network:
    """The lines between all hosts of a world."""

    def __init__(self, weather: Callable[[str, str, str], Weather], note: Callable[[str, str], None]) -> None:
        self._weather = weather
        self._note = note
        self.services: dict[str, Service] = {}
        self.on_answer: Callable[[str, str, Sent, Came], None] = lambda *_: None

    def exchange(self, sent: Sent, address: str, within_s: float) -> Came:
        """Send a request from the running process and return its answer. Raises requests' own errors."""
        task = Here.scheduler.current
        assert task is not None
        service = self.services[address]
        call = service.call_of(sent)
        Here.at_port(f"{sent.method} {call}")
        weather = self._weather(task.process.name, address, f"{sent.method} {call}")
        what = f"{sent.method} {call} -> {service.name}"
        if weather.cut:
            Here.scheduler.sleep(min(within_s, 2.0))
            raise requests.ConnectTimeout
        if weather.portal:
            Here.scheduler.sleep(0.05)
            self._note(task.process.name, f"{what}: a portal answers")
            return Came(200, {"content-type": "text/html"}, _PORTAL)
        heard: list[Came | None] = []
        done = threading.Event()

        def arrive(answers: bool) -> None:
            if service.process is None or service.answer is None:
                heard.append(None)
                done.set()
                return
            process, answer = service.process, service.answer

            def work() -> None:
                came = answer(sent)
                if came is not None and answers and not weather.lose_answer:
                    Here.scheduler.step(post, "answer", functools.partial(tell, came), weather.back_s)

            Here.scheduler.spawn(process, what, work)

        def tell(came: Came) -> None:
            heard.append(came)
            done.set()

        post = Process("the line")
        if weather.lose_request:
            self._note(task.process.name, f"{what} is lost")
        else:
            Here.scheduler.step(post, what, lambda: arrive(True), weather.there_s)
        if weather.copy_s is not None:
            self._note(task.process.name, f"{what} arrives again later")
            Here.scheduler.step(post, what, lambda: arrive(False), weather.there_s + weather.copy_s)
        if not done.wait(within_s) or not heard:
            self._note(task.process.name, f"{what}: no answer in {within_s:g} s")
            raise requests.ReadTimeout
        came = heard[0]
        if came is None:
            self._note(task.process.name, f"{what}: nobody is there")
            raise requests.ConnectionError
        self._note(task.process.name, f"{what}: {came.status}")
        self.on_answer(task.process.name, address, sent, came)
        Here.at_port(f"the answer to {call}")
        return came


class NetworkHere:
    """The network of the world that runs now."""

    network: Network


class _Deadline:
    def __init__(self) -> None:
        self.seconds = 0.0

    def start(self, seconds: float) -> None:
        self.seconds = seconds


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, _size: int, decode_content: bool) -> Iterator[bytes]:
        yield self._body


class _Answer:
    def __init__(self, came: Came) -> None:
        self.status_code = came.status
        self.headers = CaseInsensitiveDict(came.headers)
        self.raw = _Raw(came.body)
        self._body = came.body

    def iter_content(self, _size: int) -> Iterator[bytes]:
        yield self._body

    def __enter__(self) -> "_Answer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class Session:
    """Stands for `BoundedSession`."""

    trust_env = False
    note: Any = None

    def __init__(self, _clock: Any) -> None:
        self.deadline = _Deadline()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def request(
        self, method: str, url: str, *, data: bytes | None, headers: Mapping[str, str], **_: Any
    ) -> _Answer:
        """Send and wait, within the deadline."""
        scheme, _sep, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        sent = Sent(method, slash + path, dict(headers), data or b"")
        return _Answer(NetworkHere.network.exchange(sent, f"{scheme}://{host}", self.deadline.seconds))

    def post(self, url: str, **how: Any) -> _Answer:
        """POST."""
        return self.request("POST", url, **how)
