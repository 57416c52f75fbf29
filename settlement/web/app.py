"""Which addresses does the centre have, and what guards them?"""

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Reference, SecurityScheme
from msgspec import json

from settlement.web import (
    agents,
    alarms,
    claims,
    health,
    holds_and_records,
    login,
    meter,
    night,
    operators,
    people,
    proposals,
    quick_hold,
    ways_out,
)
from settlement.web.audited import Audited
from settlement.web.edge import Edge
from settlement.web.guard import COOKIE, PUBLIC, refuse_unguarded
from settlement.web.problems import handlers
from settlement.web.signed import Signatures
from settlement.web.strict_request import StrictRequest
from subsidy.strict.json_bytes import MOST_BYTES

_ROUTES: tuple[Any, ...] = (
    agents.enrol_host,
    agents.tell_facts,
    agents.hand_out_pack,
    holds_and_records.release_hold,
    holds_and_records.take_return,
    holds_and_records.take_records,
    *operators.READS,
    *claims.ROUTES,
    night.show_night,
    *proposals.ROUTES,
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
    """Return the description of all addresses (OpenAPI 3.1), the same for every centre."""
    # The framework serves one only together with HTML pages; so it is made by an application of its own,
    # which serves nothing.
    described = Litestar(
        (*_ROUTES, quick_hold.place_hold),
        dependencies={"edge": Provide(_no_edge, sync_to_thread=False)},
        request_class=StrictRequest,
        openapi_config=OpenAPIConfig(
            title="Trade-in subsidy: the centre",
            version="1",
            components=Components(security_schemes=_SCHEMES),
        ),
        logging_config=None,
    )
    whole = health.description(described.openapi_schema.to_schema())
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            operation["security"] = _security(method.upper(), path)
    return whole


def described() -> bytes:
    """Return the description as it is kept in docs/openapi/centre.json: always the same bytes."""
    return json.format(json.encode(description(), order="sorted"), indent=1)


def _no_edge() -> Edge:
    raise AssertionError("nothing is served")


_DEVICE, _TOKEN, _SESSION = "deviceSignature", "token", "session"
_SCHEMES: dict[str, SecurityScheme | Reference] = {
    _DEVICE: SecurityScheme(
        type="apiKey",
        name="Signature",
        security_scheme_in="header",
        description="RFC 9421 style, with the device's key, in Signature, Signature-Input, Content-Digest, "
        "Tradein-Device and Tradein-Epoch: docs/decisions/0002-one-fixed-request-signature.md",
    ),
    _TOKEN: SecurityScheme(type="http", scheme="bearer", description="An API token, or a session's."),
    _SESSION: SecurityScheme(
        type="apiKey", name=COOKIE, security_scheme_in="cookie", description="What POST /v1/login sets."
    ),
}


def _security(method: str, path: str) -> list[dict[str, list[str]]]:
    if (method, path) in PUBLIC:
        return []
    if (method, path) in _BY_DEVICES:
        return [{_DEVICE: []}]
    return [{_TOKEN: []}, {_SESSION: []}]


_BY_DEVICES = frozenset(
    {
        ("POST", "/v1/facts"),
        ("POST", "/v1/packs"),
        ("POST", quick_hold.PATH),
        ("POST", "/v1/holds/{record_id}/release"),
        ("POST", "/v1/returns"),
        ("POST", "/v1/records"),
    }
)
