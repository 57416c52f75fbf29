"""How do returns reach the centre over HTTP, and how do operators' programs work with claims?"""

import datetime
import json

import pytest
import reference_data as reference

from subsidy import calendar

GRANT_FEN = 43_500
POSTS = (
    ("/v1/claims", {"date": "2026-03-01"}),
    ("/v1/claims/C-M001-2026-03-01/pay", {"reference": "bank 1"}),
    ("/v1/claims/C-M001-2026-03-01/lines/{record_id}/reject", {"reason": "no invoice"}),
    ("/v1/claims/C-M001-2026-03-01/lines/{record_id}/correct", {"reason": "no photo"}),
    ("/v1/records/{record_id}/repaid", {"reference": "bank 2"}),
)
NOBODYS = "0192f4a0-0000-7000-8000-000000000000"


@pytest.fixture
def client(centre):
    """An enrolled device that states its holds."""
    return centre.enrol()


@pytest.fixture(autouse=True)
def people(request, centre):
    """Every sale of this file has a person of its own."""
    if not hasattr(centre, "next_person"):
        centre.next_person = iter(range(reference.PEOPLE))


def sell(centre, client):
    """Sell something and return its promise."""
    said = client.hold(person=next(centre.next_person))
    client.send_upload(client.chain(client.paid(said.sealed)))
    return said.promise


def end_day(centre, *clients):
    """Let a day end, and its night match what was sold; return it."""
    ended = calendar.business_day(calendar.from_ms(centre.clock.now_ms()))
    centre.clock.ahead_ms += int(datetime.timedelta(days=1) / datetime.timedelta(milliseconds=1))
    for client in clients:
        client.send_upload()
    centre.let_a_night_match()
    return ended.isoformat()


def claimed(centre, client):
    """Return a promise and the claim that its record is in."""
    promise = sell(centre, client)
    built = centre.post("/v1/claims", {"date": end_day(centre, client)}).json()["claims"]
    return promise, next(one["claim"] for one in built if one["claim"])


def is_problem(answer, status, code):
    """Check that an answer is this problem."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


# Devices.


def test_a_return_sent_early_is_acknowledged_and_blocks_the_line(centre, client):
    promise = sell(centre, client)
    entry = client.chain(client.returning(promise))
    assert client.send_return(entry).answer == "accepted"
    assert client.send_return(entry).answer == "repeat"
    record = centre.get(f"/v1/records/{promise.record_id}").json()
    assert (record["state"], record["blocks"]) == ("BLOCKED", ["returning"])
    assert record["goods_return"]["state"] == "RETURNING"
    assert client.send_upload(entry)[0].answer == "repeat"
    end = client.chain(client.returned(promise))
    assert client.send_return(end).answer == "accepted"
    assert centre.get(f"/v1/records/{promise.record_id}").json()["state"] == "RETURNED"


@pytest.mark.parametrize("kind", ["closed", "paid", "poison"])
def test_nothing_but_a_return_is_taken_there(centre, client, kind):
    said = client.hold(person=next(centre.next_person))
    entries = {
        "closed": client.closed(said.promise.record_id, said.promise.hold_no),
        "paid": client.paid(said.sealed),
        "poison": b'{"kind": "returning"}',
    }
    before = centre.state_hash()
    is_problem(client.post("/v1/returns", client.chain(entries[kind]).wire), 422, "NOT_A_RETURN")
    assert centre.state_hash() == before


def test_a_return_must_be_signed(centre, client):
    entry = client.chain(client.returning(sell(centre, client)))
    body = json.dumps({"seq": entry.wire.seq, "prev": entry.wire.prev, "body": entry.wire.body}).encode()
    for headers in ({}, {"Authorization": f"Bearer {centre.token}"}):
        answer = client.send("/v1/returns", body, {"Content-Type": "application/json", **headers})
        is_problem(answer, 401, "NOT_AUTHENTICATED")


def test_returns_under_way_are_listed_with_their_age(centre, client):
    promise = sell(centre, client)
    client.send_return(client.chain(client.returning(promise, reason="call 13812345678")))

    def listed():
        found = centre.get("/v1/returns?open=1").json()["returns"]
        return next((one for one in found if one["record_id"] == promise.record_id), None)

    fresh = listed()
    assert (fresh["late"], fresh["record_state"], fresh["operator"]) == (False, "BLOCKED", "007")
    assert "138" not in fresh["reason"]
    centre.clock.ahead_ms += 301_000  # the training programme's lag target is 300 s
    old = listed()
    assert old["late"] is True
    assert old["age_s"] >= 301
    client.send_return(client.chain(client.returned(promise)))
    assert listed() is None


def test_only_open_returns_are_listed(centre):
    is_problem(centre.get("/v1/returns"), 400, "BAD_REQUEST")


# Operators.


@pytest.mark.parametrize(("path", "body"), POSTS)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_nothing_is_done_without_a_token_of_ours(centre, client, path, body, token):
    before = centre.state_hash()
    is_problem(centre.post(path.format(record_id=NOBODYS), body, token), 401, "NOT_AUTHENTICATED")
    assert centre.state_hash() == before


@pytest.mark.parametrize(("path", "body"), POSTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda body: {},
        lambda body: [body],
        lambda body: body | {"more": 1},
        lambda body: dict.fromkeys(body, 1),
        lambda body: dict.fromkeys(body, ""),
        lambda body: dict.fromkeys(body, " "),
        lambda body: dict.fromkeys(body, "a\nb"),
        lambda body: dict.fromkeys(body, "x" * 201),
        lambda body: dict.fromkeys(body, "2026-02-30") if "date" in body else {},
        lambda body: dict.fromkeys(body, "2026-03-01T00:00:00") if "date" in body else {},
    ],
)
def test_a_body_of_another_form_is_turned_away(centre, path, body, change):
    before = centre.state_hash()
    is_problem(centre.post(path.format(record_id=NOBODYS), change(body)), 400, "BODY_INVALID")
    assert centre.state_hash() == before


@pytest.mark.parametrize(("path", "body"), POSTS[1:])
def test_what_is_not_there_is_not_found(centre, path, body):
    before = centre.state_hash()
    answer = centre.post(path.replace("2026", "1999").format(record_id=NOBODYS), body)
    assert answer.status_code == 404
    assert centre.state_hash() == before


def test_a_claim_is_built_shown_paid_and_shown_again(centre, client):
    promise, claim = claimed(centre, client)
    shown = centre.get(f"/v1/claims/{claim}").json()
    assert shown["totals"]["submitted"] == shown["totals"]["open"] == {"lines": 1, "fen": GRANT_FEN}
    assert [(line["record_id"], line["state"]) for line in shown["lines"]] == [
        (promise.record_id, "SUBMITTED")
    ]
    before = centre.get("/v1/ledger/trial-balance").json()
    proposed = centre.post(f"/v1/claims/{claim}/pay", {"reference": "bank 1"})
    assert (proposed.status_code, proposed.json()["state"]) == (202, "OPEN")
    assert centre.get("/v1/ledger/trial-balance").json() == before
    paid = centre.approve(proposed.json()).json()["claimed"]
    assert (paid["claim"], paid["lines"], paid["fen"], paid["left_out"]) == (claim, 1, GRANT_FEN, [])
    shown = centre.get(f"/v1/claims/{claim}").json()
    assert shown["totals"]["paid"] == {"lines": 1, "fen": GRANT_FEN}
    assert [(one["reference"], one["fen"]) for one in shown["payments"]] == [("bank 1", GRANT_FEN)]
    is_problem(centre.post(f"/v1/claims/{claim}/pay", {"reference": "bank 1"}), 409, "ALREADY_PAID")
    assert claim in [one["claim"] for one in centre.get("/v1/claims").json()["claims"]]
    record = centre.get(f"/v1/records/{promise.record_id}").json()
    assert [(line["claim"], line["state"]) for line in record["claims"]] == [(claim, "PAID")]


def test_building_again_builds_nothing(centre, client):
    claimed(centre, client)
    day = end_day(centre, client)
    first = centre.post("/v1/claims", {"date": day}).json()["claims"]
    before = centre.state_hash()
    again = centre.post("/v1/claims", {"date": day}).json()["claims"]
    assert [one["claim"] for one in again] == [None] * len(first)
    assert centre.state_hash() == before


def test_a_claim_may_be_built_for_one_merchant(centre, client):
    promise = sell(centre, client)
    day = end_day(centre, client)
    (theirs,) = centre.post("/v1/claims", {"date": day, "merchant": "M002"}).json()["claims"]
    assert (theirs["claim"], theirs["merchant"]) == (None, "M002")
    is_problem(centre.post("/v1/claims", {"date": day, "merchant": "M9"}), 404, "MERCHANT_UNKNOWN")
    (mine,) = centre.post("/v1/claims", {"date": day, "merchant": "M001"}).json()["claims"]
    assert promise.record_id in [
        line["record_id"] for line in centre.get(f"/v1/claims/{mine['claim']}").json()["lines"]
    ]


def test_what_is_left_out_is_named_with_the_reason(centre, client):
    promise = sell(centre, client)
    client.send_return(client.chain(client.returning(promise)))
    built = centre.post("/v1/claims", {"date": end_day(centre, client)}).json()["claims"]
    left_out = {line["record_id"]: line["why"] for one in built for line in one["left_out"]}
    assert left_out[promise.record_id] == "blocked: returning"


def test_a_line_is_rejected_or_sent_back_to_be_corrected(centre, client):
    promise, claim = claimed(centre, client)
    line = f"/v1/claims/{claim}/lines/{promise.record_id}"
    centre.agree(f"{line}/correct", {"reason": "no photo"})
    back = centre.get(f"/v1/records/{promise.record_id}").json()
    assert (back["state"], back["why"]) == ("PAYABLE", "to correct: no photo")
    is_problem(centre.post(f"{line}/reject", {"reason": "no invoice"}), 409, "LINE_ENDED")
    built = centre.post("/v1/claims", {"date": claim[-10:]}).json()["claims"]
    (again,) = [one["claim"] for one in built if one["claim"]]
    assert again == f"{claim}-2"
    line = line.replace(claim, again)
    centre.agree(f"{line}/reject", {"reason": "no invoice"})
    assert centre.get(f"/v1/records/{promise.record_id}").json()["state"] == "AVAILABLE_AGAIN"


@pytest.mark.parametrize("has_its_own_address", [True, False])
def test_a_reason_keeps_nothing_personal(centre, client, has_its_own_address):
    promise, claim = claimed(centre, client)
    address, body = (
        f"/v1/claims/{claim}/lines/{promise.record_id}/reject",
        {"reason": "card 6222021234567890123"},
    )
    if not has_its_own_address:
        line = {"type": "send_back", "claim": claim, "record_id": promise.record_id, "to_correct": False}
        address, body = "/v1/proposals", line | body
    proposed = centre.post(address, body)
    assert "6222021234567890123" not in proposed.text
    assert centre.approve(proposed.json()).status_code == 200
    assert "[removed]" in centre.get(f"/v1/records/{promise.record_id}").json()["why"]


def test_a_merchant_repays(centre, client):
    promise, claim = claimed(centre, client)
    address = f"/v1/records/{promise.record_id}/repaid"
    centre.agree(f"/v1/claims/{claim}/pay", {"reference": "bank 1"})
    is_problem(centre.post(address, {"reference": "bank 2"}), 409, "NOTHING_OWED")
    client.send_return(client.chain(client.returned(promise)))
    centre.agree(address, {"reference": "bank 2"})
    record = centre.get(f"/v1/records/{promise.record_id}").json()
    assert (record["state"], record["money"]) == ("RETURNED", None)
    assert record["goods_return"]["repaid_by"] == "bank 2"
    is_problem(centre.post(address, {"reference": "bank 2"}), 409, "ALREADY_REPAID")


@pytest.mark.parametrize("claim", ["%00", "..", "x" * 500, "C-M001-2026-03-01'--"])
def test_an_odd_name_is_only_an_unknown_claim(centre, claim):
    assert centre.get(f"/v1/claims/{claim}").status_code == 404
    assert centre.post(f"/v1/claims/{claim}/pay", {"reference": "bank 1"}).status_code == 404
