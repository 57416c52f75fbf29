"""Requests made up from the centre's own description, sent to a running centre, and what is asked of it.

Each request goes out as somebody: nobody, a person with a role, or an enrolled device that signs whatever was
made up. An answer may not be a fault of ours, must be one that the description has, and when it says no it
must have changed nothing.
"""

import copy
import itertools
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import hypothesis
import reference_data as reference
import requests
import schemathesis
from centre import CentreClient, RunningCentre, add_person
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import inspect, text

from settlement.db.connection import reading
from settlement.people.roles import Grant, Role
from subsidy.wire import http_signature

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# Who has asked may be noted, and a wrong login counts as a try.
_NOTES = ("meta", "writer", "audit_entry", "user_session")


class Fuzzed:
    """A running centre with everybody who may ask."""

    def __init__(self, name: str, centre: RunningCentre) -> None:
        self.name = name
        self.centre = centre
        self.device = centre.enrol()
        self.tokens = {
            "nobody": None,
            "operator": centre.token,
            "approver": centre.second_token,
            "administrator": add_person(centre.centre, "fuzzed", Grant(Role.ADMINISTRATOR)),
        }
        self.statuses: Counter[int] = Counter()
        with reading(centre.centre.engine) as connection:
            self.tables = sorted(set(inspect(connection).get_table_names()) - {*_NOTES})
        counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in self.tables)
        self._counts = text(f"SELECT (SELECT max(event_no) FROM event), {counts}")
        self._hash = ""
        self._people = itertools.cycle(range(reference.PEOPLE))

    def next_person(self) -> int:
        """Return another person."""
        return next(self._people)

    def counts(self) -> tuple[Any, ...]:
        """Return how many rows each table has: cheap enough to be asked after every answer."""
        with reading(self.centre.centre.engine) as connection:
            return tuple(connection.execute(self._counts).one())

    def send(self, case: Any, who: str) -> requests.Response:
        """Send a made-up request as somebody."""
        sent = case.as_transport_kwargs(base_url=self.centre.url)
        sent["headers"] = {
            name: value
            for name, value in sent["headers"].items()
            if name.lower() not in {"authorization", "tradein-device", "tradein-epoch", "content-digest"}
        }
        sent.pop("cookies", None)
        prepared = requests.Request(**sent).prepare()
        prepared.headers.update(self._proof(who, prepared))
        prepared.headers["X-Fuzzed-As"] = who
        return self.centre.session.send(prepared, timeout=60, allow_redirects=False)

    def _proof(self, who: str, prepared: requests.PreparedRequest) -> dict[str, str]:
        if who == "device":
            return signature(self.device, prepared)
        token = self.tokens[who]
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def judge(self, case: Any, who: str) -> None:
        """Send a request, and ask of the answer what is asked of every answer."""
        before = self.counts()
        answer = self.send(case, who)
        self.statuses[answer.status_code] += 1
        told = f"{self.name}, as {who}: {case.method} {answer.request.url} {answer.text[:300]}"
        if answer.status_code >= 500:
            assert answer.status_code == 503, told
            assert answer.headers["retry-after"], told
        if answer.status_code >= 400:
            assert self.counts() == before, told
        case.validate_response(Response.from_requests(answer, verify=False), checks=CHECKS)

    def is_as_it_was(self, succeeded: int) -> None:
        """Check that nothing has changed since the last call unless something was taken meanwhile."""
        now = self.centre.state_hash()
        if self._hash and not succeeded:
            assert now == self._hash, f"{self.name}: something changed though every answer was a no"
        self._hash = now

    def begin_again(self) -> None:
        """Take what is there now for granted: something has changed it on purpose."""
        self._hash = ""

    def taken(self) -> int:
        """Return how many requests were taken."""
        return sum(count for status, count in self.statuses.items() if status < 400)


def signature(device: CentreClient, prepared: requests.PreparedRequest) -> dict[str, str]:
    """Return the headers with which the device signs a request that it did not think of itself."""
    path, _, query = prepared.path_url.partition("?")
    body = prepared.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    if not query:
        return device.signature(path, body, device.nonce(), method=prepared.method)
    # The agent never sends a query, so its own code cannot sign one.
    kept, http_signature._base = (
        http_signature._base,
        lambda method, path, _query, *more: kept(method, path, query, *more),
    )
    try:
        return device.signature(path, body, device.nonce(), method=prepared.method)
    finally:
        http_signature._base = kept


def operations(description: dict[str, Any]) -> list[Any]:
    """Return every operation of a description, as it can be made up."""
    description = copy.deepcopy(description)
    for found in description["paths"].values():
        for operation in found.values():
            # Who asks is our own choice, and signed when all the rest is made up.
            operation["x-proofs"] = operation.pop("security")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(description, config=SchemathesisConfig())
        return [found.ok() for found in schema.get_all_operations()]


def askers(operation: Any) -> tuple[str, ...]:
    """Return as whom an operation is asked, the one that may most often."""
    security = operation.definition.raw["x-proofs"]
    if any("signature" in one for one in security):
        return ("device", "device", "device", "nobody", "operator")
    return ("operator", "operator", "administrator", "approver", "nobody", "device")


def fuzz(operation: Any, mode: GenerationMode, centres: Iterable[Fuzzed], examples: int) -> int:
    """Ask an operation `examples` made-up things of each centre; return how many were made up."""
    made = itertools.count()
    before = [(one, one.taken()) for one in centres]

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), who=st.sampled_from(askers(operation)))
    def ask(case: Any, who: str) -> None:
        next(made)
        for one in centres:
            one.judge(case, who)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, operation.label  # nothing can be wrong in it
    for one, taken in before:
        one.is_as_it_was(one.taken() - taken)
    return next(made)
