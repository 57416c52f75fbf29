"""How is a running emulator asked for faults and for its books?

A small HTTP address on 127.0.0.1. It can be told to kill a process, so a page in a browser on the same host
must not reach it: bodies must be JSON by their type, and the address must be called by its number.
"""

import json
import re
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from terminal_agent.emulators.faults import FaultRefused

_MOST_BYTES = 65_536
_WAIT_S = 5
_MOST_UNPLUGGED_MS = 600_000
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

Body = dict[str, object]
Route = Callable[[Body], object]


class BodyRefused(Exception):
    """The body is not what this address takes. Says what is."""


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON: a file."""

    content: str
    type: str


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is no JSON and no text: a file in its own bytes."""

    content: bytes
    type: str


class PatientServer(ThreadingHTTPServer):
    """Takes it without a word when who has asked dies before the answer: here that is what is tested."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong on standard error, unless the line just broke."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Control:
    """Serves `routes`, by method and path, until closed. `known` are the faults that it can arm.

    A route gets the body of a POST, or the query of a GET as texts; it returns what becomes JSON,
    or `Text` or `File`.
    """

    def __init__(self, port: int, routes: Mapping[tuple[str, str], Route], known: Collection[str]) -> None:
        self._server = PatientServer(("127.0.0.1", port), _handler_of(routes, sorted(known)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="control")
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def read_unplug(body: Body) -> int:
    """Return for how many milliseconds to pull the cable."""
    ms = body.get("ms", 500)
    if set(body) - {"ms"} or type(ms) is not int or not 1 <= ms <= _MOST_UNPLUGGED_MS:
        raise BodyRefused(f'write {{"ms": 500}}, a whole number up to {_MOST_UNPLUGGED_MS}')
    return ms


def read_text(body: Body, name: str) -> str:
    """Return the one text that a body has."""
    text = body.get(name)
    if set(body) != {name} or not isinstance(text, str):
        raise BodyRefused(f'write {{"{name}": "..."}}')
    return text


def read_lines(query: Body, lines: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the lines of books, numbered from 1: all of them, or those after the number that is asked."""
    after = query.get("after", "0")
    if set(query) - {"after"} or not isinstance(after, str) or _NUMBER.fullmatch(after) is None:
        raise BodyRefused("write ?after=12, the number of the last line that is known")
    return [asdict(one) for one in lines[int(after) :]]


def read_nothing(body: Body) -> None:
    """Expect an empty body, for what takes no options."""
    if body:
        raise BodyRefused("send {}")


def _handler_of(
    routes: Mapping[tuple[str, str], Route], known_faults: list[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _WAIT_S

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing: standard output belongs to the line that says ready."""

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            try:
                self._answer(*self._act())
            except (BodyRefused, FaultRefused) as refusal:
                self._answer(400, {"error": str(refusal), "known": known_faults})

        def _act(self) -> tuple[int, object]:
            own = f"127.0.0.1:{self.connection.getsockname()[1]}"
            if self.headers.get("Host") != own:
                return 403, {"error": f"call this address as {own}"}
            path, _, query = self.path.partition("?")
            route = routes.get((self.command, path))
            if route is None:
                known = [f"{method} {path}" for method, path in routes]
                return 404, {"error": "no such address", "known": known}
            return 200, route(self._body() if self.command == "POST" else dict(parse_qsl(query)))

        def _body(self) -> Body:
            if self.headers.get_content_type() != "application/json":
                raise BodyRefused("send Content-Type: application/json")
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdecimal() and int(length) <= _MOST_BYTES):
                raise BodyRefused(f"send a Content-Length of at most {_MOST_BYTES}")
            return _read_json(self.rfile.read(int(length)))

        def _answer(self, status: int, content: object) -> None:
            if isinstance(content, Text):
                body, content_type = content.content.encode(), content.type
            elif isinstance(content, File):
                body, content_type = content.content, content.type
            else:
                body, content_type = json.dumps(content).encode() + b"\n", "application/json"
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _read_json(content: bytes) -> Body:
    try:
        body = json.loads(content or b"{}", object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise BodyRefused("the body is not JSON, or names a field twice") from None
    if not isinstance(body, dict):
        raise BodyRefused("the body must be a JSON object")
    return body


def _once_each(pairs: list[tuple[str, object]]) -> Body:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError
    return body
