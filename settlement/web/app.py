"""Which addresses does the centre have, and what guards them?"""

from typing import Any

from litestar import Litestar
from litestar.di import Provide

from settlement.web import (
    agents,
    alarms,
    claims,
    health,
    holds_and_records,
    invoices,
    login,
    meter,
    night,
    offers,
    operators,
    people,
    proposals,
    quick_hold,
    served_returns,
    settled_records,
    ways_out,
)
from settlement.web.audited import Audited
from settlement.web.describe import describe
from settlement.web.edge import Edge
from settlement.web.guard import refuse_unguarded
from settlement.web.problems import handlers
from settlement.web.signed import Signatures
from settlement.web.strict_request import StrictRequest
from subsidy.strict.json_bytes import MOST_BYTES

_ROUTES: tuple[Any, ...] = (
    agents.enrol_host,
    agents.tell_facts,
    agents.hand_out_pack,
    agents.tell_what_is_heard,
    holds_and_records.release_hold,
    holds_and_records.take_return,
    holds_and_records.take_records,
    *operators.READS,
    *claims.ROUTES,
    night.show_night,
    *proposals.ROUTES,
    *served_returns.ROUTES,
    *settled_records.ROUTES,
    *invoices.ROUTES,
    *offers.ROUTES,
    *ways_out.ROUTES,
    *people.ROUTES,
    *login.ROUTES,
    alarms.show_alarms,
    meter.show_meter,
    *health.PROBES,
)


def build_web(edge: Edge) -> quick_hold.HoldsFirst:
    """Return the centre's web application. Raises Unguarded when an address says not who may call it."""
    common: dict[str, Any] = {
        "dependencies": {"edge": Provide(lambda: edge, sync_to_thread=False)},
        "request_class": StrictRequest,
        "request_max_body_size": MOST_BYTES,
        "exception_handlers": handlers(edge.log),
        "middleware": [Audited()],
        "logging_config": None,
    }
    app = Litestar(_ROUTES, openapi_config=None, **common)
    refuse_unguarded(app)
    app.state.edge = edge
    app.state.signatures = signatures = Signatures(edge)
    app.state.logins = login.Logins(edge)
    app.state.meter = meter.LastMeter(edge)
    app.state.description = description()
    return quick_hold.HoldsFirst(app, edge, signatures)


def description() -> dict[str, Any]:
    """Return the OpenAPI description of every address."""
    return describe((*_ROUTES, quick_hold.place_hold))
