"""Is the centre alive, ready, and are its books true? What can be called here?"""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from msgspec import json

from settlement.db.connection import reading
from settlement.db.version import is_current
from settlement.registers.database import RegisterDown
from settlement.web import metrics
from settlement.web.edge import Edge
from settlement.web.problems import PROBED
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem


@get("/livez", sync_to_thread=False, responses=PROBED)
def tell_alive() -> dict[str, bool]:
    """Say that the process answers."""
    return {"alive": True}


@get("/readyz", sync_to_thread=True, responses=PROBED)
def tell_ready(edge: NamedDependency[Edge]) -> dict[str, bool]:
    """Say that the database can be read, has the tables of this version, and registers can be asked."""
    try:
        with reading(edge.engine) as connection:
            current = is_current(connection)
    except Exception as wrong:
        edge.log.error("database.unreadable", exc_info=wrong)
        raise _not_ready("The database cannot be read. See the log") from None
    if edge.registers is not None:
        try:
            edge.registers.check()
        except RegisterDown as wrong:
            edge.log.error("register.down", why=str(wrong))
            raise _not_ready("A register cannot be asked: no holds. Records are still taken in") from None
    if not current:
        raise _not_ready("The database is of another version. Run `settlement init`")
    return {"ready": True}


@get("/metrics", sync_to_thread=True, media_type=metrics.MEDIA_TYPE, responses=PROBED)
def tell_metrics(edge: NamedDependency[Edge]) -> Response[bytes]:
    """Return the centre's figures for Prometheus."""
    return Response(metrics.exposition(edge), media_type=metrics.MEDIA_TYPE)


@get("/openapi.json", sync_to_thread=False, media_type="application/json", responses=PROBED)
def describe(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the description of all addresses (OpenAPI 3.1)."""
    return Response(json.encode(request.app.state.description), media_type="application/json")


PROBES = (tell_alive, tell_ready, tell_metrics, describe)


def _not_ready(detail: str) -> Problem:
    return Problem(503, "UNAVAILABLE", detail, next_action=NextAction.TRY_LATER, retryable=True)
