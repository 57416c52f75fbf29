"""Which operator's program sent this request?"""

import hmac
from typing import Any

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from sqlalchemy import select

from settlement.api_tokens import token_hash
from settlement.db import tables
from settlement.db.connection import reading
from settlement.web.edge import Edge
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem


async def has_token(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Let the request pass when it carries an API token. Raises Problem."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    edge: Edge = connection.app.state.edge
    if kind.lower() != "bearer" or not await sync_to_thread(is_known, edge, token.strip()):
        raise Problem(
            401,
            "NOT_AUTHENTICATED",
            "Send `Authorization: Bearer <token>` with an API token. `settlement init --new-token` makes one",
            next_action=NextAction.CORRECT_THE_REQUEST,
        )


def is_known(edge: Edge, token: str) -> bool:
    """Whether `token` is one of ours; takes as long for a near miss as for a wild guess."""
    asked = token_hash(token)
    with reading(edge.engine) as connection:
        known = list(connection.execute(select(tables.api_token.c.token_hash)).scalars())
    # A list, so that every one is compared.
    return any([hmac.compare_digest(one, asked) for one in known])  # noqa: C419
