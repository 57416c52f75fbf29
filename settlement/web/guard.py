"""Who sent this request, and may they? Deny by default.

Every address that is not on the short public list and not signed by a device names the permission that it
needs, or the application is not built.
"""

from collections.abc import Iterable
from typing import Any

from litestar import Litestar
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from settlement.people.roles import Permission, Reach, reach
from settlement.people.sessions import Actor, who_is
from settlement.web.edge import Edge
from settlement.web.signed import signed_by_device
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem

COOKIE = "session"
PUBLIC = frozenset(
    {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/meter"),
        ("POST", "/v1/enrolments"),
        ("POST", "/v1/login"),
    }
)
"""What anybody may ask. Enrolment shows a one-time code, login a password and a second factor."""


class May:
    """Lets a request pass when whoever sent it has a permission, and notes who it is."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
    ) -> None:
        """Note the actor and how far the permission reaches. Raises Problem."""
        edge: Edge = connection.app.state.edge
        token = token_of(connection)
        actor = None
        if token is not None:
            actor = await sync_to_thread(who_is, edge.engine, token, edge.now_ms())
        if actor is None:
            raise Problem(
                401,
                "NOT_AUTHENTICATED",
                "Send `Authorization: Bearer <token>`, with an API token that counts or the one that "
                "POST /v1/login gave",
                next_action=NextAction.CORRECT_THE_REQUEST,
            )
        connection.state.actor = actor
        connection.state.permission = self.permission
        found = reach(actor.grants, self.permission)
        if found is None:
            raise Problem(
                403,
                "FORBIDDEN",
                f"{actor.name} may not {self.permission} here. An administrator gives roles: "
                "`settlement users roles`",
                next_action=NextAction.CALL_SUPPORT,
            )
        connection.state.reach = found


def may(permission: Permission) -> May:
    """Return the guard of an address that needs `permission`."""
    return May(permission)


def token_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """Return the token of a request: from its header, or from the cookie of a page of ours."""
    header = connection.headers.get("authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        return token.strip() if kind.lower() == "bearer" else None
    if not _is_from_here(connection):
        return None
    return connection.cookies.get(COOKIE)


def actor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Return who sent a request that was let pass."""
    actor: Actor = connection.state.actor
    return actor


def reach_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Reach:
    """Return how far what was asked for reaches."""
    found: Reach = connection.state.reach
    return found


class Unguarded(Exception):
    """An address is neither public nor signed, and names no permission: a bug, found before it is served."""


def refuse_unguarded(app: Litestar) -> None:
    """Raise Unguarded unless every address of `app` says who may call it."""
    open_ones = [
        f"{method} {path}" for method, path, handler in addresses(app) if not _says(method, path, handler)
    ]
    if open_ones:
        raise Unguarded(f"nobody says who may call {', '.join(open_ones)}. Add `guards=[may(...)]`")


def addresses(app: Litestar) -> Iterable[tuple[str, str, HTTPRouteHandler]]:
    """Yield every method, path and handler of `app`."""
    for route in app.routes:
        assert isinstance(route, HTTPRoute), route
        for handler in route.route_handlers:
            for method in sorted(handler.http_methods):
                # The framework answers OPTIONS itself, with the methods.
                if method != "OPTIONS":
                    yield str(method), route.path_format, handler


def _says(method: str, path: str, handler: HTTPRouteHandler) -> bool:
    guards = handler.guards or ()
    named = [one for one in guards if isinstance(one, May)]
    signed = [one for one in guards if one is signed_by_device]
    is_public = (method, path) in PUBLIC
    return len(named) + len(signed) + is_public == 1


def _is_from_here(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a cookie may count: a page of another site must not act as whoever is logged in here."""
    origin, host = connection.headers.get("origin"), connection.headers.get("host")
    return origin is None or (bool(host) and origin in (f"http://{host}", f"https://{host}"))
