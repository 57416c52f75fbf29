"""How is the till API put together and served?"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import uvicorn
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig

from subsidy.problem import MEDIA_TYPE, Problem, of_http_status
from terminal_agent.till.guard import MOST_BYTES, OnlyFromHere, StrictRequest
from terminal_agent.till.routes import Till, controllers

_MOST_WAITING = 200

Log = Callable[..., None]


def build(till: Till, hosts: frozenset[str], log: Log) -> Litestar:
    """Return the till API. `hosts` are the names under which it may be called."""

    def on_problem(_request: Request[Any, Any, Any], wrong: Problem) -> Response[bytes]:
        return _answer(wrong)

    def on_http(request: Request[Any, Any, Any], wrong: HTTPException) -> Response[bytes]:
        problem = of_http_status(wrong.status_code)
        if wrong.status_code == 400 and wrong.extra:
            named = ", ".join(str(one.get("key", "?")) for one in wrong.extra if isinstance(one, dict))
            problem = Problem(400, "PARAMETER_INVALID", f"Wrong or missing: {named}. See /openapi.json")
        return _answer(problem)

    def on_bug(request: Request[Any, Any, Any], wrong: Exception) -> Response[bytes]:
        log("till.bug", path=request.url.path, error=type(wrong).__name__, exc_info=wrong)
        return _answer(of_http_status(500))

    @get("/openapi.json", sync_to_thread=False, include_in_schema=False)
    def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return request.app.openapi_schema.to_schema()

    @asynccontextmanager
    async def room_to_wait(_app: Litestar) -> AsyncIterator[None]:
        # A request that waits for a payment holds a thread: a `stop` must still find one.
        anyio.to_thread.current_default_thread_limiter().total_tokens = _MOST_WAITING
        yield

    return Litestar(
        route_handlers=[*controllers(till), openapi],
        request_class=StrictRequest,
        request_max_body_size=MOST_BYTES,
        exception_handlers={Problem: on_problem, HTTPException: on_http, Exception: on_bug},
        middleware=[lambda app: OnlyFromHere(app, hosts)],
        lifespan=[room_to_wait],
        openapi_config=OpenAPIConfig(
            title="Till API", version="1", path="/internal/schema", render_plugins=()
        ),
        logging_config=None,
    )


def serve(app: Litestar, host: str, port: int) -> None:
    """Serve until the process is told to stop."""
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)


def _answer(problem: Problem) -> Response[bytes]:
    return Response(problem.content(), status_code=problem.status, media_type=MEDIA_TYPE)
