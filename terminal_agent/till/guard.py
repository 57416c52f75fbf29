"""Which requests reach the till's handlers at all?

Loopback only, and only when the browser or program really meant this address: a foreign Host or
Origin is how a page on the internet talks to a service on somebody's own machine.
"""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from subsidy.problem import MEDIA_TYPE, Problem, of_not_strict
from subsidy.strict import json_bytes
from subsidy.strict.digits import is_digits
from subsidy.strict.json_bytes import NotStrict

MOST_BYTES = 16 << 10
_HTTP_PORT = 80
_NUMBERS = ("wait_s", "open")
_PARAMETERS = (*_NUMBERS, "till_no")


class StrictRequest(Request):  # type: ignore[type-arg]
    """A request whose JSON is read by our own strict reader."""

    async def json(self) -> object:
        """Return the body as the handler's type. Raises Problem."""
        kind, _, more = self.headers.get("content-type", "").lower().partition(";")
        if kind.strip() != "application/json" or ("charset" in more and "utf-8" not in more):
            raise Problem(415, "NOT_JSON", "Send Content-Type: application/json, in UTF-8")
        field = self.route_handler.parsed_data_field
        assert field is not None
        try:
            return json_bytes.decode(await self.body(), field.annotation, MOST_BYTES)
        except NotStrict as wrong:
            raise of_not_strict(wrong) from None


async def plain_query(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Let the request pass when each parameter stands once and numbers are digits. Raises Problem.

    The framework takes the last of two, and reads 1e1 as 10.
    """
    for name, values in connection.query_params.dict().items():
        if len(values) > 1:
            shown = f"?{name}" if name in _PARAMETERS else "a parameter"
            raise Problem(400, "PARAMETER_INVALID", f"{shown} stands twice. Send each parameter once")
        if name in _NUMBERS and not is_digits(values[0], 1, 2):
            raise Problem(
                400, "PARAMETER_INVALID", f"?{name} is no whole number that can be meant. Send digits"
            )


def own_hosts(host: str, port: int) -> frozenset[str]:
    """Return what `Host` says in a request that means the agent, which listens at `host` and `port`.

    Every name of this host: which one stands in the configuration is not the caller's concern. The port is
    left out where it is the one of http.
    """
    names = ("127.0.0.1", "localhost", "[::1]") if host == "localhost" else ("127.0.0.1", "localhost")
    bare = names if port == _HTTP_PORT else ()
    return frozenset((*(f"{name}:{port}" for name in names), *bare))


class OnlyFromHere:
    """Refuses requests whose Host or Origin is not this address."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        # Of the bare name that http leaves its port out of, https means another port.
        self._origins = frozenset(f"http://{host}" for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == ScopeType.HTTP:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            origin = headers.get("origin")
            wrong_origin = origin is not None and origin not in self._origins
            if headers.get("host") not in self._hosts or wrong_origin:
                await _answer(send, Problem(403, "FOREIGN_HOST", "Call the agent by its own address"))
                return
        await self._app(scope, receive, send)


async def _answer(send: Send, problem: Problem) -> None:
    content = problem.content()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})
