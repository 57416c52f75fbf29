"""How is something proposed, approved, declined and withdrawn over HTTP?"""

import pytest
from centre import add_person

from settlement.db.connection import writing
from settlement.people import tokens, users
from settlement.people.roles import Grant, Role
from settlement.system import random_bytes


def top_up(number):
    """Return a top-up as JSON, each with a document of its own."""
    return {
        "type": "top_up",
        "year": 2026,
        "reference": f"doc {number}",
        "parts": [{"funder": "city", "fen": 5}],
    }


def test_over_http_one_proposes_and_another_approves(centre):
    proposed = centre.post("/v1/proposals", top_up(1))
    assert proposed.status_code == 202
    name = proposed.json()["proposal"]
    assert name in [one["proposal"] for one in centre.get("/v1/proposals?open=1").json()["proposals"]]
    assert centre.get(f"/v1/proposals/{name}", centre.second_token).json() == proposed.json()
    carried = centre.approve(proposed.json())
    assert (carried.status_code, carried.json()["proposal"]["state"]) == (200, "APPROVED")
    assert name not in [one["proposal"] for one in centre.get("/v1/proposals?open=1").json()["proposals"]]
    assert name in [one["proposal"] for one in centre.get("/v1/proposals").json()["proposals"]]
    assert centre.approve(proposed.json()).status_code == 409


def test_over_http_ones_own_is_not_approved_by_a_second_token_either(centre):
    both = (Grant(Role.OPERATIONS), Grant(Role.APPROVER))
    first = add_person(centre.centre, "both", *both)
    with writing(centre.centre.engine) as connection:
        second = tokens.make(connection, "both", "second", random_bytes, "both", centre.clock.now_ms())
    proposed = centre.post("/v1/proposals", top_up(2), first).json()
    for token in (first, second):
        refused = centre.approve(proposed, token)
        assert (refused.status_code, refused.json()["code"]) == (403, "SAME_PERSON")
    assert centre.approve(proposed).status_code == 200


def test_over_http_whoever_was_disabled_approves_nothing(centre):
    token = add_person(centre.centre, "gone", Grant(Role.APPROVER))
    proposed = centre.post("/v1/proposals", top_up(3)).json()
    with writing(centre.centre.engine) as connection:
        users.disable(connection, "gone", "tests", centre.clock.now_ms())
    assert centre.approve(proposed, token).status_code == 401
    assert centre.get(f"/v1/proposals/{proposed['proposal']}").json()["state"] == "OPEN"


def test_over_http_it_is_declined_or_withdrawn_with_a_reason(centre):
    declined = centre.post("/v1/proposals", top_up(4)).json()["proposal"]
    answer = centre.post(f"/v1/proposals/{declined}/decline", {"reason": "not ours"}, centre.second_token)
    assert (answer.status_code, answer.json()["state"], answer.json()["why"]) == (200, "DECLINED", "not ours")
    withdrawn = centre.post("/v1/proposals", top_up(5)).json()["proposal"]
    answer = centre.post(f"/v1/proposals/{withdrawn}/withdraw", {"reason": "typed twice"})
    assert (answer.status_code, answer.json()["state"]) == (200, "WITHDRAWN")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "place_hold"},
        {"type": "top_up"},
        {"type": "close_year", "year": "2026"},
        {"type": "close_year", "year": 2026, "more": 1},
        {"type": "propose", "proposal": "P-1", "by": "li", "kind": "", "command": "", "shown": ""},
        [top_up(6)],
    ],
)
def test_over_http_what_is_no_command_is_turned_away(centre, body):
    before = centre.state_hash()
    assert centre.post("/v1/proposals", body).status_code == 400
    assert centre.state_hash() == before


@pytest.mark.parametrize("name", ["P-NOTHERE", "%00", "x" * 500, "' OR 1=1 --"])
def test_over_http_a_proposal_that_is_not_there_is_a_404(centre, name):
    assert centre.get(f"/v1/proposals/{name}").status_code == 404
    approval_of_it = {"shown_hash": "0" * 64}
    path = f"/v1/proposals/{name}/approve"
    assert centre.post(path, approval_of_it, centre.second_token).status_code == 404
