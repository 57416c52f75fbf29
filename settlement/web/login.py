"""How does a person log in over HTTP, and out again?"""

import asyncio
from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta
from sqlalchemy import Connection

from settlement.people import login, sessions
from settlement.people.login import LONGEST, Door, LoginWrong
from settlement.people.roles import Permission
from settlement.system import Lock, own_thread, random_bytes, steady_ms
from settlement.web.edge import Edge
from settlement.web.guard import COOKIE, may, token_of
from settlement.web.problems import ANSWERS
from settlement.web.strict_request import StrictRequest, has_json
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem

# Longer than a check takes, so that a wrong name and a wrong password are answered alike.
_WRONG_TAKES_MS = 600
_MOST_AT_ONCE = 8

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


class Logins:
    """Checks those who log in, on a thread of its own: whoever guesses must not keep shops waiting."""

    def __init__(self, edge: Edge) -> None:
        self._door = Door(edge.engine, edge.keys, edge.now_ms, random_bytes, Lock())
        self._thread = own_thread("login")
        self._under_way = 0

    async def check(self, said: Login) -> str:
        """Return the token of a new session. Raises Problem."""
        if self._under_way >= _MOST_AT_ONCE:
            raise Problem(
                429,
                "TOO_MANY_LOGINS",
                "Others are logging in. Try again in a few seconds",
                next_action=NextAction.TRY_LATER,
                retryable=True,
            )
        self._under_way += 1
        began_ms = steady_ms()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._session, said)
        except LoginWrong as wrong:
            await asyncio.sleep(max(0, began_ms + _WRONG_TAKES_MS - steady_ms()) / 1000)
            correct = NextAction.CORRECT_THE_REQUEST
            raise Problem(401, "LOGIN_WRONG", f"{wrong}", next_action=correct) from None
        finally:
            self._under_way -= 1

    def _session(self, said: Login) -> str:
        def begin(connection: Connection, at_ms: int) -> str:
            return sessions.begin(connection, said.name, random_bytes, at_ms)

        return login.check(self._door, said.name, said.password, said.code, begin)


@post("/v1/login", status_code=200, guards=[has_json], responses=ANSWERS)
async def log_in(request: StrictRequest, data: JSONBody[Login]) -> Response[LoggedIn]:
    """Begin a session with name, password and the code of the second factor."""
    logins: Logins = request.app.state.logins
    token = await logins.check(data)
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
