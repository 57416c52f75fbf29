"""Does the centre say that it is alive, ready and true, and what can be called?"""

import re

import msgspec
import pytest

from subsidy.problem import MEDIA_TYPE
from subsidy.wire import v1


def figures(centre):
    """Return the metrics by name and labels."""
    answer = centre.session.get(f"{centre.url}/metrics", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_probes_need_no_token(centre):
    for path in ("/livez", "/readyz"):
        assert centre.session.get(centre.url + path, timeout=10).status_code == 200


def test_it_is_not_ready_when_its_tables_are_of_another_version(centre):
    centre.sql("UPDATE alembic_version SET version_num = '-' || version_num")
    try:
        answer = centre.session.get(f"{centre.url}/readyz", timeout=10)
    finally:
        centre.sql("UPDATE alembic_version SET version_num = substr(version_num, 2)")
    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["retryable"]) == ("UNAVAILABLE", True)


def test_it_is_not_ready_when_the_database_cannot_be_read(centre):
    file = centre.folder / "centre.sqlite3"
    away = file.rename(centre.folder / "away")
    try:
        answer = centre.session.get(f"{centre.url}/readyz", timeout=10)
        assert not file.exists()
    finally:
        away.rename(file)
    assert answer.status_code == 503
    assert centre.session.get(f"{centre.url}/readyz", timeout=10).status_code == 200


def test_a_monitor_sees_the_books_and_what_waits(centre):
    client = centre.enrol()
    client.hold()
    client.send_upload(client.chain(b"poison"), statement=v1.Statement(upto_hold_no=0, open=()))
    found = figures(centre)
    for funder in ("central", "province", "city", "county"):
        assert found[f'settlement_ledger_imbalance_fen{{funder="{funder}",pool="",year="2026"}}'] == 0
    assert found['settlement_available_fen{funder="central",pool="",year="2026"}'] == 85_000_000 - 36_975
    assert found["settlement_open_holds"] == 1
    assert found["settlement_differences"] == 1
    assert found["settlement_quarantined_entries"] == 1


def test_a_monitor_sees_books_that_are_not_true(centre):
    centre.sql("UPDATE balance SET fen = fen + 7 WHERE funder = 'city' AND account = 'available'")
    try:
        assert figures(centre)['settlement_ledger_imbalance_fen{funder="city",pool="",year="2026"}'] == 7
    finally:
        centre.sql("UPDATE balance SET fen = fen - 7 WHERE funder = 'city' AND account = 'available'")


def test_the_description_is_openapi_3_1_and_names_every_address(centre):
    answer = centre.session.get(f"{centre.url}/openapi.json", timeout=10)
    document = answer.json(parse_float=lambda number: pytest.fail(f"{number} is no whole number"))
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/livez",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/v1/audit",
        "/v1/alarms",
        "/v1/claims",
        "/v1/claims/{claim}",
        "/v1/claims/{claim}/lines/{record_id}/correct",
        "/v1/claims/{claim}/lines/{record_id}/reject",
        "/v1/claims/{claim}/pay",
        "/v1/devices",
        "/v1/devices/{device}/freeze",
        "/v1/devices/{device}/replace",
        "/v1/devices/{device}/unfreeze",
        "/v1/differences",
        "/v1/enrolments",
        "/v1/facts",
        "/v1/freezes",
        "/v1/freezes/lift",
        "/v1/funds",
        "/v1/heard",
        "/v1/holds",
        "/v1/holds/{record_id}",
        "/v1/holds/{record_id}/free-goods",
        "/v1/holds/{record_id}/release",
        "/v1/holds/{record_id}/release-by-decision",
        "/v1/ledger/trial-balance",
        "/v1/login",
        "/v1/logout",
        "/v1/meter",
        "/v1/night",
        "/v1/packs",
        "/v1/proposals",
        "/v1/proposals/{proposal}",
        "/v1/proposals/{proposal}/approve",
        "/v1/proposals/{proposal}/decline",
        "/v1/records/{record_id}/invoice",
        "/v1/records/{record_id}/accept",
        "/v1/records/{record_id}/reject",
        "/v1/payments/{pay_ref}/offer",
        "/v1/proposals/{proposal}/withdraw",
        "/v1/records",
        "/v1/records/{record_id}",
        "/v1/records/{record_id}/repaid",
        "/v1/records/{record_id}/return",
        "/v1/records/{record_id}/return/end",
        "/v1/returns",
    }
    hold = document["paths"]["/v1/holds"]["post"]
    assert set(hold["responses"]) >= {"200", "400", "401", "403", "413", "415", "422"}
    assert hold["responses"]["401"] == {"$ref": "#/components/responses/401"}
    assert MEDIA_TYPE in document["components"]["responses"]["401"]["content"]
    assert "HoldRequest" in str(hold["requestBody"])


@pytest.mark.parametrize(
    "path", ["/", "/schema", "/schema/redoc", "/docs", "/v1", "/v1/nothing", "/openapi.yaml"]
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_what_is_not_here_is_a_problem_and_never_a_page(centre, path, accept):
    answer = centre.session.get(centre.url + path, headers={"Accept": accept}, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
    assert answer.json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/facts"), ("PUT", "/v1/holds"), ("POST", "/livez")])
def test_another_method_is_a_problem_that_names_the_right_ones(centre, method, path):
    answer = centre.session.request(method, centre.url + path, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (405, MEDIA_TYPE)
    assert answer.headers["allow"]


def test_a_fault_of_ours_is_a_problem_without_its_details(centre, monkeypatch):
    def fail(*_all):
        raise RuntimeError("the number 321202199003070013 was in it")

    monkeypatch.setattr("settlement.web.read_models.funds", fail)
    answer = centre.get("/v1/funds")
    assert (answer.status_code, answer.headers["content-type"]) == (500, MEDIA_TYPE)
    assert answer.json()["code"] == "INTERNAL"
    assert "321202199003070013" not in answer.text


def test_who_asks_while_the_database_is_away_is_told_to_come_again(centre):
    client = centre.enrol()
    file = centre.folder / "centre.sqlite3"
    away = file.rename(centre.folder / "away")
    try:
        hold = msgspec.json.encode(client.hold_request(client.pack_hash, person=30))
        answers = [
            client.post("/v1/holds", hold),
            client.post("/v1/packs", v1.PackRequest(v=1, pack_hash=client.pack_hash)),
            client.post("/v1/records", client.sealed(client.upload())),
            centre.get("/v1/funds"),
        ]
    finally:
        away.rename(file)
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert answer.json()["retryable"] is True
        assert answer.headers["Retry-After"] == "1"
    assert client.said(client.post("/v1/holds", hold)).promise is not None
