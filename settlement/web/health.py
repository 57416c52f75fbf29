"""Is the centre alive, ready, and are its books true? What can be called here?"""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from msgspec import json

from settlement.db.connection import reading
from settlement.db.migrate import is_current
from settlement.web import metrics
from settlement.web.edge import Edge
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem


@get("/livez", sync_to_thread=False)
def tell_alive() -> dict[str, bool]:
    """Say that the process answers."""
    return {"alive": True}


@get("/readyz", sync_to_thread=True)
def tell_ready(edge: NamedDependency[Edge]) -> dict[str, bool]:
    """Say that the database can be read and has the tables of this version."""
    try:
        with reading(edge.engine) as connection:
            current = is_current(connection)
    except Exception as wrong:
        edge.log.error("database.unreadable", exc_info=wrong)
        raise _not_ready("The database cannot be read. See the log") from None
    if not current:
        raise _not_ready("The database is of another version. Run `settlement init`")
    return {"ready": True}


@get("/metrics", sync_to_thread=True, include_in_schema=False)
def tell_metrics(edge: NamedDependency[Edge]) -> Response[bytes]:
    """Return the centre's figures for Prometheus."""
    return Response(metrics.exposition(edge), media_type=metrics.MEDIA_TYPE)


@get("/openapi.json", sync_to_thread=False, include_in_schema=False)
def describe(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the description of all addresses (OpenAPI 3.1)."""
    return Response(json.encode(request.app.state.description), media_type="application/json")


PROBES = (tell_alive, tell_ready, tell_metrics, describe)


def description(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the framework's description with whole numbers where it writes `1.0`."""
    whole: dict[str, Any] = _whole(schema)
    return whole


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _not_ready(detail: str) -> Problem:
    return Problem(503, "UNAVAILABLE", detail, next_action=NextAction.TRY_LATER, retryable=True)
