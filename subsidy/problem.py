"""How is a caller told that a request cannot be taken? (RFC 9457, application/problem+json)

A refusal is not a problem: it is an answer. A problem changes nothing.
"""

import msgspec

from subsidy.policy.next_action import NextAction
from subsidy.strict.json_bytes import NotStrict, OverLimit

MEDIA_TYPE = "application/problem+json"


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the caller reads. `next_action` is a code; `retryable` is about the same request."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    next_action: str
    retryable: bool
    record_id: str | None = None
    centre_time: str | None = None
    tries_left: int | None = None


class Problem(Exception):
    """A request that cannot be taken: what is wrong where, and what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        next_action: NextAction = NextAction.CORRECT_THE_REQUEST,
        retryable: bool = False,
        record_id: str | None = None,
        centre_time: str | None = None,
        tries_left: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.body = ProblemBody(
            type="about:blank",
            title=_TITLES.get(status, "The request cannot be taken"),
            status=status,
            code=code,
            detail=detail,
            next_action=next_action.value,
            retryable=retryable,
            record_id=record_id,
            centre_time=centre_time,
            tries_left=tries_left,
        )

    def content(self) -> bytes:
        """Return the body's bytes."""
        return msgspec.json.encode(self.body)


def of_http_status(status: int) -> Problem:
    """Return the problem for what the HTTP framework itself turned away."""
    code, detail = _BY_STATUS.get(status, ("BAD_REQUEST", "The request cannot be read"))
    return Problem(status, code, detail, retryable=status in (408, 429, 503))


def of_not_strict(wrong: NotStrict) -> Problem:
    """Return the problem for a body that is not the JSON we take."""
    return Problem(413 if isinstance(wrong, OverLimit) else 400, "BODY_INVALID", str(wrong))


_TITLES = {
    400: "The request is malformed",
    401: "The caller is not known",
    403: "The caller may not do this",
    404: "There is no such thing",
    405: "This address takes other methods",
    409: "The request collides with another",
    413: "The request is too large",
    415: "The body is not JSON",
    422: "The request contradicts itself",
    429: "Too many requests",
    500: "A fault of ours",
    503: "Not available now",
}
_BY_STATUS = {
    400: ("BAD_REQUEST", "The request cannot be read. Send it as the API describes it"),
    401: ("NOT_AUTHENTICATED", "Sign the request, or send the API token"),
    403: ("FORBIDDEN", "This caller may not do this"),
    404: ("NOT_FOUND", "Nothing is at this address. See /openapi.json"),
    405: ("METHOD_NOT_ALLOWED", "Use the method that /openapi.json names"),
    413: ("TOO_LARGE", "The body is over the limit. Send less at once"),
    415: ("NOT_JSON", "Send Content-Type: application/json"),
    500: ("INTERNAL", "A fault of ours; it is logged. Ask the support"),
    503: ("UNAVAILABLE", "Try again"),
}
