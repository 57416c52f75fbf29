"""How is the centre's HTTP described to those who write programs against it? As OpenAPI 3.1.

The description is made of what the handlers declare and of the types that their bodies are read by, so it
says of each field exactly what is refused. `docs/openapi/centre.json` keeps it; within /v1 nothing is ever
taken away from it.
"""

import json
import typing
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from settlement.web.guard import COOKIE, May
from settlement.web.problems import ANSWERS, LATER
from settlement.web.signed import signed_by_device
from subsidy.problem import MEDIA_TYPE, ProblemBody
from subsidy.wire import http_signature, v1

# What is inside the sealed messages and the entries, which no address names.
_INSIDE: tuple[Any, ...] = (
    v1.Promise,
    v1.Refused,
    v1.FactsAnswer,
    v1.PackAnswer,
    v1.Enrolled,
    v1.Upload,
    v1.Ack,
    v1.Paid,
    v1.Closed,
    v1.Returning,
    v1.Returned,
    v1.Supplement,
)
_HEADERS = {
    "digest": ("Content-Digest", "`sha-256=:<base64 of the body's hash>:` (RFC 9530)"),
    "device": (http_signature.DEVICE, "the device's name, as enrolment gave it"),
    "epoch": (http_signature.EPOCH, "the device's epoch"),
    "signatureInput": (
        "Signature-Input",
        "RFC 9421, `sig1` over @method @path @query content-digest and the two headers of the device, with "
        "created, nonce, keyid and alg",
    ),
    "signature": ("Signature", "`sig1=:<base64 of the Ed25519 signature>:`"),
}
_BY_PERSON: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_BY_DEVICE: list[dict[str, list[str]]] = [{name: [] for name in _HEADERS}]
_RETRY_AFTER = {
    "description": "After how many seconds to ask again",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_ONLY_WITH_A_BODY = (413, 415)


def describe(handlers: Iterable[Any]) -> dict[str, Any]:
    """Return the description of the addresses that `handlers` have."""
    known: list[HTTPRouteHandler] = list(handlers)
    bodies = [_body_of(handler) for handler in known]
    answers = [_answer_of(handler) for handler in known]
    types = [one for one in (*bodies, *answers, *_INSIDE, ProblemBody) if one not in (None, bytes)]
    # The same type twice would be two schemas.
    types = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for handler, body, answer in zip(known, bodies, answers, strict=True):
        (path,) = handler.paths
        (method,) = handler.http_methods
        described = _operation(handler, schema_of.get(body), schema_of.get(answer))
        paths.setdefault(path.replace(":str}", "}"), {})[str(method).lower()] = described
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Trade-in subsidy: the centre",
            "version": "1",
            "description": "Amounts are whole fen, times Unix milliseconds, unless a field says otherwise. "
            "An answer of 400 or more is a problem document (RFC 9457), and has changed nothing.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": _problems(schema_of[ProblemBody]),
            "securitySchemes": _schemes(),
        },
    }
    found: dict[str, Any] = _as_others_read(document)
    return found


def text(document: dict[str, Any]) -> str:
    """Return a description as it stands in a file: sorted, always the same bytes."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _operation(handler: HTTPRouteHandler, body: Any, answer: Any) -> dict[str, Any]:
    function = _function(handler)
    summary, _, more = (function.__doc__ or "").partition("\n")
    described: dict[str, Any] = {"operationId": function.__name__, "summary": summary}
    if more.strip():
        described["description"] = " ".join(more.split())
    described |= _who(handler)
    parameters = [*_of_path(handler), *_of_query(handler)]
    if parameters:
        described["parameters"] = parameters
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    media_type = "application/json" if answer is not None else str(handler.media_type)
    schema = answer if answer is not None else {"type": "string"}
    if answer is None and media_type == "application/json":
        schema = {"type": "object"}
    responses: dict[str, Any] = {
        str(handler.status_code): {"description": "Done", "content": {media_type: {"schema": schema}}}
    }
    for status in handler.responses or {}:
        if body is None and status in _ONLY_WITH_A_BODY:
            continue
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return described | {"responses": responses}


def _problems(schema: Any) -> dict[str, Any]:
    """Return each answer that is a problem, by its status."""
    return {
        str(status): {"description": spec.description, "content": {MEDIA_TYPE: {"schema": schema}}}
        | ({"headers": {"Retry-After": _RETRY_AFTER}} if status in LATER else {})
        for status, spec in ANSWERS.items()
    }


def _who(handler: HTTPRouteHandler) -> dict[str, Any]:
    for guard in handler.guards or ():
        if isinstance(guard, May):
            return {"security": _BY_PERSON, "x-permission": str(guard.permission)}
        if guard is signed_by_device:
            return {"security": _BY_DEVICE}
    return {"security": []}


def _schemes() -> dict[str, Any]:
    schemes: dict[str, Any] = {
        name: {"type": "apiKey", "in": "header", "name": header, "description": said}
        for name, (header, said) in _HEADERS.items()
    }
    schemes["token"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "an API token, or the token that POST /v1/login gave",
    }
    schemes["session"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "what POST /v1/login set, for pages of the centre's own origin",
    }
    return schemes


def _of_path(handler: HTTPRouteHandler) -> Iterable[dict[str, Any]]:
    (path,) = handler.paths
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}").removesuffix(":str")
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _of_query(handler: HTTPRouteHandler) -> Iterable[dict[str, Any]]:
    for field in handler.parsed_fn_signature.parameters.values():
        said = field.kwarg_definition
        if isinstance(said, QueryParameter):
            limits = {
                "minLength": said.min_length,
                "maxLength": said.max_length,
                "minimum": _int(said.ge),
                "maximum": _int(said.le),
            }
            schema = msgspec.json.schema(field.annotation)
            schema |= {name: limit for name, limit in limits.items() if limit is not None}
            schema["default"] = field.default
            yield {"name": said.name, "in": "query", "required": False, "schema": schema}


def _int(number: float | None) -> int | None:
    return None if number is None else int(number)


def _body_of(handler: HTTPRouteHandler) -> Any:
    found = handler.parsed_fn_signature.parameters.get("data")
    return None if found is None else found.annotation


def _answer_of(handler: HTTPRouteHandler) -> Any:
    kind = handler.parsed_fn_signature.return_type.annotation
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Response else kind


def _function(handler: HTTPRouteHandler) -> Any:
    """Return the handler's function as it was written: the framework wraps it to run it in a thread."""
    function: Any = handler.fn
    while hasattr(function, "func"):
        function = function.func
    return function


def _as_others_read(value: Any) -> Any:
    """Return a description whose patterns end as OpenAPI's do, and whose texts are one line each."""
    if isinstance(value, dict):
        found = {key: _as_others_read(one) for key, one in value.items()}
        if isinstance(found.get("pattern"), str):
            # Python's `$` would also match before a line's end.
            found["pattern"] = found["pattern"].replace("\\Z", "$")
        if isinstance(found.get("description"), str):
            found["description"] = " ".join(found["description"].split())
        return found
    if isinstance(value, list | tuple):
        return [_as_others_read(one) for one in value]
    return value
