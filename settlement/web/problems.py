"""How does every error become a problem document, whatever raised it?"""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from settlement.db.connection import is_away
from settlement.logs import Log
from settlement.writer.step import Denied
from subsidy.policy.next_action import NextAction
from subsidy.problem import MEDIA_TYPE, Problem, ProblemBody, of_http_status
from subsidy.wire.http_signature import DEVICE

_DESCRIBED = {
    400: "The body is not what the API describes",
    401: "No signature or token that counts here",
    403: "This caller may not do this",
    404: "There is no such thing",
    405: "Another method",
    409: "It collides with what is there",
    413: "The body is over the limit",
    415: "The body is not declared as JSON",
    422: "The request contradicts itself",
    429: "This caller asks too often; Retry-After says when to ask again",
    500: "A fault of ours",
    503: "Not available now; Retry-After says when to ask again",
}
LATER = (429, 503)
"""Who gets one of these may ask the same again, and is told when."""
RETRY_AFTER_S = 1
ANSWERS = {
    status: ResponseSpec(ProblemBody, description=text, media_type=MEDIA_TYPE, generate_examples=False)
    for status, text in _DESCRIBED.items()
}
"""What each handler may answer besides its own, for the API's description."""
PROBED = {status: ANSWERS[status] for status in (400, 405, 500, 503)}
"""The same of what monitors ask."""


def handlers(log: Log) -> ExceptionHandlersMap:
    """Return the handlers of everything that can be raised; each leaves a line in the log."""

    def refused(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
        log.info(
            "request.refused",
            method=request.method,
            path=request.url.path,
            status=problem.status,
            code=problem.body.code,
            device=request.headers.get(DEVICE, "")[:40] or None,
        )
        return _answer(problem)

    def by_framework(request: Request[Any, Any, Any], wrong: HTTPException) -> Response[bytes]:
        response = refused(request, of_http_status(wrong.status_code))
        for name, value in dict(wrong.headers or {}).items():
            if name.lower() in ("allow", "retry-after"):
                response.headers[name] = value
        return response

    def unexpected(request: Request[Any, Any, Any], wrong: Exception) -> Response[bytes]:
        log.error("request.failed", method=request.method, path=request.url.path, exc_info=wrong)
        return _answer(of_exception(wrong))

    return {Problem: refused, HTTPException: by_framework, Exception: unexpected}


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers that a problem is sent with, besides its length."""
    later = {"retry-after": str(RETRY_AFTER_S)} if problem.status in LATER else {}
    return {"content-type": MEDIA_TYPE, **later}


def of_exception(wrong: BaseException) -> Problem:
    """Return what a caller is told of what nobody has caught."""
    return unsure() if is_away(wrong) else of_http_status(500)


def _answer(problem: Problem) -> Response[bytes]:
    return Response(problem.content(), status_code=problem.status, headers=headers_of(problem))


def busy() -> Problem:
    """Return what is said when too many commands wait: nothing was taken."""
    return _later("The books are busy. Ask again in a second")


def unsure() -> Problem:
    """Return what is said when it is not known whether a command went through."""
    return _later("The books could not be asked. Ask the same again: it is safe")


def no_register() -> Problem:
    """Return what is said when a register cannot be asked: nothing was granted, and nothing is without it."""
    return _later("A register that programmes share cannot be asked. Ask the same again later: it is safe")


def _later(detail: str) -> Problem:
    return Problem(503, "UNAVAILABLE", detail, next_action=NextAction.TRY_LATER, retryable=True)


def problem_of(denied: Denied) -> Problem:
    """Return the problem that tells a caller what the step denied."""
    return Problem(denied.status, denied.code, denied.detail, next_action=NextAction.CALL_SUPPORT)
