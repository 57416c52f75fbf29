"""How is a request's JSON body read? Strictly, before any handler sees it."""

from typing import Any

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from subsidy.problem import Problem, of_http_status, of_not_strict
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict

# What is read in the event loop; more would keep others waiting.
_AT_ONCE_BYTES = 16 << 10
_JSON = ("application/json", "application/json;charset=utf-8")


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is exactly the JSON value that the handler declares."""

    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`."""
        declared = self.route_handler.parsed_data_field
        assert declared is not None
        raw = await self.body()
        try:
            return await decode(raw, declared.annotation)
        except NotStrict as wrong:
            raise of_not_strict(wrong) from None


async def decode(raw: bytes, kind: Any) -> Any:
    """Return the body as a `kind`, read beside the event loop when it is large. Raises NotStrict."""
    if len(raw) <= _AT_ONCE_BYTES:
        return json_bytes.decode(raw, kind)
    return await sync_to_thread(json_bytes.decode, raw, kind)


async def has_json(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Refuse a request whose body is not declared as JSON in UTF-8, or is empty."""
    assert isinstance(connection, Request)
    declared = connection.headers.get("content-type", "").replace(" ", "").lower()
    if declared not in _JSON:
        raise of_http_status(415)
    if not await connection.body():
        raise Problem(400, "BODY_INVALID", "$: the body is empty. Send one JSON value in UTF-8")
