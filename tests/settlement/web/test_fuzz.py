"""Does any request that its description allows, or does not, get an answer that is no fault of ours?

Requests are made from the committed description; operators' carry a token, devices' are signed once they are
whole. An answer of 4xx has changed nothing: the number of events and every table's rows are what they were.
"""

import os

import pytest
import schemathesis
from books import ENGINES, copy_template
from centre import RunningCentre
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from sqlalchemy import text

from settlement.db.connection import reading
from settlement.web.app import description

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
# What notes who has asked, and the count of batches, change with a request that is turned down.
_NOTES = ("audit_entry", "user_session", "writer", "meta", "centre_user")

schema = schemathesis.openapi.from_dict(description())


@pytest.fixture(scope="module", params=ENGINES)
def centre(request, tmp_path_factory):
    """A centre on each database."""
    folder = tmp_path_factory.mktemp("fuzzed")
    copy_template(folder, request.param)
    with RunningCentre.start_again(folder) as running:
        yield running


@pytest.fixture(scope="module")
def device(centre):
    """An enrolled device."""
    return centre.enrol()


def counts(centre):
    """Return how many rows each table has, and the newest event."""
    with reading(centre.centre.engine) as connection:
        names = [name for name in connection.dialect.get_table_names(connection) if name not in _NOTES]
        query = " UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM {name}" for name in sorted(names))
        return connection.execute(text(query)).all()


def send(case, centre, device, token):
    """Send a case as it is, signed by the device when it is one of theirs."""
    parts = case.as_transport_kwargs(base_url=centre.url)
    request = centre.session.prepare_request(schemathesis_request(parts))
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    elif case.operation.schema and device is not None:
        path, _, query = request.path_url.partition("?")
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if not query:
            request.headers.update(device.signature(path, body, device.nonce()))
    return centre.session.send(request, timeout=30)


def schemathesis_request(parts):
    """Return a request of its parts."""
    import requests

    known = ("method", "url", "headers", "cookies", "params", "data", "json", "files")
    return requests.Request(**{name: parts[name] for name in known if name in parts})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("who", ["device", "operator", "nobody"])
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_no_request_makes_a_fault_of_ours(case, who, centre, device):
    before = counts(centre)
    answer = send(
        case, centre, device if who == "device" else None, centre.token if who == "operator" else ""
    )
    assert answer.status_code != 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert {"code", "title", "detail", "next_action", "retryable"} <= answer.json().keys()
        assert counts(centre) == before
    case.validate_response(answer, checks=(not_a_server_error,))
