"""How does a person log in over HTTP, and out again?"""

from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from settlement.people import login, sessions
from settlement.people.login import LONGEST, Door, LoginWrong
from settlement.people.roles import Permission
from settlement.system import Lock, random_bytes, rest_ms, steady_ms
from settlement.web.edge import Edge
from settlement.web.guard import COOKIE, may, token_of
from settlement.web.problems import ANSWERS
from settlement.web.strict_request import StrictRequest, has_json
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem

# Longer than a check takes, so that a wrong name and a wrong password are answered alike.
_WRONG_TAKES_MS = 600
_ONE_AT_A_TIME = Lock()

Secret = Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who somebody says they are. `code` is what the phone's app shows now."""

    name: Secret
    password: Secret
    code: Secret


class LoggedIn(msgspec.Struct, frozen=True):
    """A session. `token` goes as `Authorization: Bearer`; the cookie carries the same."""

    token: str
    name: str
    idle_s: int
    lasts_s: int


class LoggedOut(msgspec.Struct, frozen=True):
    """The session is over."""

    name: str


@post("/v1/login", status_code=200, sync_to_thread=True, guards=[has_json], responses=ANSWERS)
def log_in(request: StrictRequest, data: JSONBody[Login], edge: NamedDependency[Edge]) -> Response[LoggedIn]:
    """Begin a session with name, password and the code of the second factor."""
    began_ms = steady_ms()
    door = Door(edge.engine, edge.keys, edge.now_ms, random_bytes, _ONE_AT_A_TIME)
    try:
        token = login.check(
            door,
            data.name,
            data.password,
            data.code,
            lambda connection, at_ms: sessions.begin(connection, data.name, random_bytes, at_ms),
        )
    except LoginWrong as wrong:
        rest_ms(began_ms + _WRONG_TAKES_MS - steady_ms())
        raise Problem(401, "LOGIN_WRONG", f"{wrong}", next_action=NextAction.CORRECT_THE_REQUEST) from None
    answer = LoggedIn(token, data.name, sessions.IDLE_MS // 1000, sessions.LASTS_MS // 1000)
    return Response(answer, cookies=[_cookie(request, token, sessions.LASTS_MS // 1000)])


@post("/v1/logout", status_code=200, sync_to_thread=True, guards=[may(Permission.LEAVE)], responses=ANSWERS)
def log_out(request: StrictRequest, edge: NamedDependency[Edge]) -> Response[LoggedOut]:
    """End the session; an API token is not ended so, but revoked."""
    token = token_of(request)
    assert token is not None
    sessions.end(edge.engine, token)
    return Response(LoggedOut(request.state.actor.name), cookies=[_cookie(request, "", 0)])


def _cookie(request: StrictRequest, token: str, lasts_s: int) -> Cookie:
    # A proxy in front speaks TLS; on the host itself there is none.
    is_secure = request.headers.get("x-forwarded-proto") == "https"
    return Cookie(
        key=COOKIE, value=token, path="/", max_age=lasts_s, httponly=True, samesite="strict", secure=is_secure
    )


ROUTES = (log_in, log_out)
