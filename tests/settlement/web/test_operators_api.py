"""What may operators' programs read, and only with a token?"""

import json

import pytest
import reference_data as reference

from settlement.ledger.accounts import Account
from subsidy.wire import v1

READS = (
    "/v1/funds",
    "/v1/ledger/trial-balance",
    "/v1/records/0192f4a0-0000-7000-8000-000000000000",
    "/v1/holds?open=1",
    "/v1/holds/0192f4a0-0000-7000-8000-000000000000",
    "/v1/freezes",
    "/v1/alarms",
    "/v1/differences",
    "/v1/devices",
    "/v1/claims",
    "/v1/claims/C-M001-2026-03-01",
    "/v1/returns?open=1",
)


@pytest.fixture(scope="module")
def client(centre):
    """An enrolled device that has sold, kept, closed and forgotten something."""
    client = centre.enrol()
    client.open = client.hold().promise
    paid, kept, closed = client.hold(), client.hold(), client.hold().promise
    client.paid_record = paid.promise
    client.kept_record = kept.promise
    client.send_upload(
        client.chain(client.paid(paid.sealed)),
        client.chain(client.paid(kept.sealed, paid_fen=1)),
        client.chain(client.closed(closed.record_id, closed.hold_no)),
        still_open=[v1.OpenHold(record_id=client.open.record_id, hold_no=client.open.hold_no)],
    )
    return client


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}"]
)
def test_nothing_is_read_without_a_token_of_ours(centre, path, header):
    headers = {} if header is None else {"Authorization": header.format(token=centre.token)}
    answer = centre.session.get(centre.url + path, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "NOT_AUTHENTICATED"


def test_a_devices_signature_reads_nothing(centre, client):
    headers = client.signature("/v1/funds", b"", client.nonce(), method="GET")
    answer = centre.session.get(f"{centre.url}/v1/funds", headers=headers, timeout=10)
    assert answer.status_code == 401


@pytest.mark.parametrize("path", [path for path in READS if path not in ("/v1/claims", "/v1/freezes")])
def test_an_operator_cannot_post_there(centre, path):
    headers = {"Authorization": f"Bearer {centre.token}", "Content-Type": "application/json"}
    answer = centre.session.post(centre.url + path, data=b"{}", headers=headers, timeout=10)
    assert answer.status_code in (401, 405)


def test_the_fund_shows_every_account_and_what_is_left(centre, client):
    document = centre.get("/v1/funds").json()
    assert document["programme"] == "TRAINING"
    (central,) = [one for one in document["funds"] if one["funder"] == "central"]
    accounts = central["accounts"]
    assert set(accounts) == {account.value for account in Account}
    assert accounts["appropriated"] == 85_000_000
    assert accounts["payable"] == 36_975
    assert accounts["held"] == 2 * 36_975
    assert accounts["available"] == 85_000_000 - 3 * 36_975
    assert document["years"] == [{"year": 2026, "pool": "", "fund_left_fen": 100_000_000 - 3 * 43_500}]


def test_the_trial_balance_adds_up_to_nothing(centre, client):
    document = centre.get("/v1/ledger/trial-balance").json()
    assert document["sum_fen"] == 0 == sum(row["fen"] for row in document["rows"])
    assert document["imbalance"] == []
    assert {row["account"] for row in document["rows"]} == {"appropriated", "available", "held", "payable"}


def test_a_record_shows_its_money_its_entries_and_its_postings(centre, client):
    record = centre.get(f"/v1/records/{client.paid_record.record_id}").json()
    assert (record["state"], record["money"], record["why"]) == ("PAYABLE", "payable", "paid")
    assert sum(part["fen"] for part in record["split"]) == record["subsidy_fen"] == 43_500
    assert [(one["kind"], one["answer"], one["seq"], one["problem"]) for one in record["entries"]] == [
        ("paid", "accepted", 1, "")
    ]
    assert [one["happening"] for one in record["postings"]] == ["hold_placed"] * 8 + ["record_booked"] * 8
    assert sum(one["fen"] for one in record["postings"]) == 0


def test_a_kept_record_shows_why_and_whose_it_is(centre, client):
    record = centre.get(f"/v1/records/{client.kept_record.record_id}").json()
    assert (record["state"], record["owner"]) == ("KEPT", "platform")
    (difference,) = record["differences"]
    assert (difference["kind"], difference["owner"]) == ("record_does_not_fit", "platform")
    assert difference["detail"] == record["why"] == "the amount paid is not the amount asked"


def test_a_record_shows_nothing_personal(centre, client):
    text = centre.get(f"/v1/records/{client.paid_record.record_id}").text
    keys = centre.centre.keys
    for person in range(reference.PEOPLE):
        assert keys.person_index(reference.identity_no(person)) not in text
        assert keys.qualification_index(reference.code(person)) not in text
    assert not {"person", "qualification", "request_mac", "promise", "operator"} & set(json.loads(text))


@pytest.mark.parametrize("name", ["nobody", "0192f4a0-0000-7000-8000-00000000000A", "%00", "' OR 1=1 --"])
def test_a_record_that_is_not_here_is_a_404(centre, name):
    answer = centre.get(f"/v1/records/{name}")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_open_holds_are_listed_and_no_others(centre, client):
    document = centre.get("/v1/holds?open=1").json()
    assert [one["record_id"] for one in document["holds"]] == [client.open.record_id]
    assert document["holds"][0]["over"] is False
    assert document["next"] is None


def test_a_hold_whose_time_is_past_says_so(centre, client):
    centre.clock.ahead_ms = 901_000
    try:
        assert centre.get("/v1/holds?open=1").json()["holds"][0]["over"] is True
    finally:
        centre.clock.ahead_ms = 0


@pytest.mark.parametrize("query", ["", "?open=0", "?open=", "?open=true"])
def test_only_open_holds_are_listed(centre, query):
    assert centre.get(f"/v1/holds{query}").status_code == 400


def test_differences_are_listed_with_their_owner(centre, client):
    (found,) = centre.get("/v1/differences").json()["differences"]
    assert (found["subject"], found["kind"]) == (client.kept_record.record_id, "record_does_not_fit")
    assert found["owner"] == "platform"


def test_devices_are_listed_with_how_far_they_have_come(centre, client):
    (found,) = centre.get("/v1/devices").json()["devices"]
    assert (found["device"], found["last_seq"], found["entries"], found["missing_entries"]) == (
        client.name,
        3,
        3,
        0,
    )
    assert (found["upload_no"], found["stated_hold_no"], found["frozen"]) == (1, 4, None)


@pytest.mark.parametrize(
    ("path", "field", "by"),
    [
        ("holds?open=1&", "holds", "record_id"),
        ("differences?", "differences", "position"),
        ("devices?", "devices", "device"),
    ],
)
def test_long_lists_come_in_pages(centre, client, monkeypatch, path, field, by):
    monkeypatch.setattr("settlement.web.operators.MOST", 1)
    centre.enrol()
    centre.enrol().hold(person=30)
    whole, after = [], ""
    for _ in range(10):
        page = centre.get(f"/v1/{path}after={after}").json()
        whole += page[field]
        after = page["next"]
        if after is None:
            break
    monkeypatch.setattr("settlement.web.operators.MOST", 500)
    assert whole == centre.get(f"/v1/{path}").json()[field]
    assert [one[by] for one in whole] == sorted(one[by] for one in whole)


def test_reading_changes_nothing(centre, client):
    before = centre.state_hash()
    for path in READS:
        centre.get(path)
    assert centre.state_hash() == before
