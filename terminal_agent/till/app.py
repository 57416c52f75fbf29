"""How is the till API put together and served?"""

import functools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import uvicorn
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import ControllerRouterHandler

from subsidy.policy.next_action import NextAction
from subsidy.problem import MEDIA_TYPE, Problem, of_http_status
from terminal_agent.journal.connection import JournalDown
from terminal_agent.till import cash, display, look_at, returns
from terminal_agent.till.guard import MOST_BYTES, OnlyFromHere, StrictRequest, plain_query
from terminal_agent.till.routes import Till, controllers

_MOST_WAITING = 200
_MISSING = re.compile(r"Missing required query parameter '(\w+)'")

Log = Callable[..., None]


def build(till: Till, hosts: frozenset[str], log: Log) -> Litestar:
    """Return the till API. `hosts` are the names under which it may be called."""

    def on_problem(_request: Request[Any, Any, Any], wrong: Problem) -> Response[bytes]:
        return _answer(wrong)

    def on_http(_request: Request[Any, Any, Any], wrong: HTTPException) -> Response[bytes]:
        return _answer(
            _of_bad_request(wrong) if wrong.status_code == 400 else of_http_status(wrong.status_code)
        )

    def on_journal(request: Request[Any, Any, Any], wrong: JournalDown) -> Response[bytes]:
        log("journal.down", path=request.url.path, why=str(wrong))
        return _answer(
            Problem(503, "JOURNAL_DOWN", str(wrong), next_action=NextAction.CALL_SUPPORT, retryable=True)
        )

    def on_bug(request: Request[Any, Any, Any], wrong: Exception) -> Response[bytes]:
        log("till.bug", path=request.url.path, error=type(wrong).__name__, exc_info=wrong)
        return _answer(of_http_status(500))

    # Few ask, and it takes as long as everything else here: no start waits for it.
    description = functools.cache(lambda: _describe(till))

    @get("/openapi.json", sync_to_thread=True, include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return description()

    @asynccontextmanager
    async def room_to_wait(_app: Litestar) -> AsyncIterator[None]:
        # A request that waits for a payment holds a thread: a `stop` must still find one.
        anyio.to_thread.current_default_thread_limiter().total_tokens = _MOST_WAITING
        yield

    return Litestar(
        route_handlers=[*_documented(till), display.controller(till), openapi],
        request_class=StrictRequest,
        request_max_body_size=MOST_BYTES,
        guards=[plain_query],
        exception_handlers={
            Problem: on_problem,
            HTTPException: on_http,
            JournalDown: on_journal,
            Exception: on_bug,
        },
        middleware=[lambda app: OnlyFromHere(app, hosts)],
        lifespan=[room_to_wait],
        openapi_config=None,
        logging_config=None,
    )


def _documented(till: Till) -> list[ControllerRouterHandler]:
    parts = (returns.controllers, cash.controllers, look_at.controllers)
    return [*controllers(till), *(one for part in parts for one in part(till))]


def _describe(till: Till) -> dict[str, Any]:
    """Return the OpenAPI description.

    The framework serves one only together with pages that load scripts from elsewhere; so it is made by an
    application of its own, which serves nothing.
    """
    config = OpenAPIConfig(title="Till API", version="1")
    described = Litestar(_documented(till), openapi_config=config, logging_config=None)
    return described.openapi_schema.to_schema()


def serve(app: Litestar, host: str, port: int) -> None:
    """Serve until the process is told to stop."""
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)


def _of_bad_request(wrong: HTTPException) -> Problem:
    """Return the problem for a parameter or a body that the framework itself missed or turned away."""
    named = [str(one.get("key", "?")) for one in wrong.extra or () if isinstance(one, dict)]
    named = named or _MISSING.findall(wrong.detail)
    if named == ["data"]:
        return Problem(400, "BODY_INVALID", "$: the body is empty. Send one JSON value in UTF-8")
    if named:
        listed = ", ".join(f"?{name}" for name in named)
        return Problem(400, "PARAMETER_INVALID", f"Wrong or missing: {listed}. See /openapi.json")
    return of_http_status(400)


def _answer(problem: Problem) -> Response[bytes]:
    return Response(problem.content(), status_code=problem.status, media_type=MEDIA_TYPE)
