"""How does every request of an operator get into the audit, before its answer leaves?"""

from typing import Any

from litestar.concurrency import sync_to_thread
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from settlement.people import audit
from settlement.people.sessions import Actor
from settlement.web.edge import Edge


class Audited(ASGIMiddleware):
    """Writes an entry for a request whose sender is known; no entry, no answer."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let the request through, and write its entry when the answer begins."""

        async def note_then_send(message: Message) -> None:
            state: dict[str, Any] = scope["state"]
            actor: Actor | None = state.get("actor")
            if message["type"] == "http.response.start" and actor is not None:
                edge: Edge = scope["litestar_app"].state.edge
                await sync_to_thread(
                    audit.note,
                    edge.engine,
                    edge.now_ms(),
                    actor.name,
                    actor.via,
                    str(state["permission"]),
                    f"{scope.get('method')} {scope['path']}",
                    str(message["status"]),
                )
            await send(message)

        await next_app(scope, receive, note_then_send)
