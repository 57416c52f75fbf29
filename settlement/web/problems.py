"""How does every error become a problem document, whatever raised it?"""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

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
ANSWERS = {
    status: ResponseSpec(ProblemBody, description=text, media_type=MEDIA_TYPE, generate_examples=False)
    for status, text in _DESCRIBED.items()
}
"""What each handler may answer besides its own, for the API's description."""


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
        return Response(problem.content(), status_code=problem.status, media_type=MEDIA_TYPE)

    def by_framework(request: Request[Any, Any, Any], wrong: HTTPException) -> Response[bytes]:
        response = refused(request, of_http_status(wrong.status_code))
        for name, value in dict(wrong.headers or {}).items():
            if name.lower() in ("allow", "retry-after"):
                response.headers[name] = value
        return response

    def unexpected(request: Request[Any, Any, Any], wrong: Exception) -> Response[bytes]:
        log.error("request.failed", method=request.method, path=request.url.path, exc_info=wrong)
        problem = of_http_status(500)
        return Response(problem.content(), status_code=500, media_type=MEDIA_TYPE)

    return {Problem: refused, HTTPException: by_framework, Exception: unexpected}


def problem_of(denied: Denied) -> Problem:
    """Return the problem that tells a caller what the step denied."""
    return Problem(denied.status, denied.code, denied.detail, next_action=NextAction.CALL_SUPPORT)
