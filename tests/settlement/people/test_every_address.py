"""May each role call each address? Every pair is asked, over HTTP, against a table written by hand."""

import re

import pytest
from centre import add_person
from litestar import Litestar, get

from settlement.people.roles import Grant, Role, Scope
from settlement.web import quick_hold
from settlement.web.app import build_web
from settlement.web.guard import Unguarded, addresses, may, refuse_unguarded

# Who may: A administrator, O operations, P approver, R reviewer of a county, M one merchant's, U auditor.
ALL = "AOPRMU"
LETTERS = {
    "A": Grant(Role.ADMINISTRATOR),
    "O": Grant(Role.OPERATIONS),
    "P": Grant(Role.APPROVER),
    "R": Grant(Role.REVIEWER, Scope.COUNTY, "321202"),
    "M": Grant(Role.MERCHANT, Scope.MERCHANT, "M001"),
    "U": Grant(Role.AUDITOR),
}
SIGNED, ANYBODY = "signed by a device", "anybody"
EXPECTED = {
    "GET /livez": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": ANYBODY,
    "GET /openapi.json": ANYBODY,
    "POST /v1/login": ANYBODY,
    "POST /v1/enrolments": ANYBODY,
    "POST /v1/facts": SIGNED,
    "POST /v1/heard": SIGNED,
    "POST /v1/packs": SIGNED,
    "POST /v1/holds": SIGNED,
    "POST /v1/holds/{record_id}/release": SIGNED,
    "POST /v1/records": SIGNED,
    "POST /v1/returns": SIGNED,
    "POST /v1/logout": ALL,
    "GET /v1/meter": ANYBODY,
    "GET /v1/funds": "OPU",
    "GET /v1/alarms": "OPU",
    "GET /v1/freezes": "OPU",
    "GET /v1/holds/{record_id}": "OPRMU",
    "POST /v1/freezes": "OP",
    "POST /v1/freezes/lift": "O",
    "POST /v1/holds/{record_id}/release-by-decision": "O",
    "POST /v1/holds/{record_id}/free-goods": "O",
    "POST /v1/devices/{device}/freeze": "OP",
    "POST /v1/devices/{device}/unfreeze": "O",
    "POST /v1/devices/{device}/replace": "O",
    "GET /v1/ledger/trial-balance": "OPU",
    "GET /v1/devices": "OPU",
    "GET /v1/night": "OPU",
    "GET /v1/records/{record_id}": "OPRMU",
    "GET /v1/holds": "OPRMU",
    "GET /v1/returns": "OPRMU",
    "GET /v1/differences": "OPRMU",
    "GET /v1/claims": "OPRMU",
    "GET /v1/claims/{claim}": "OPRMU",
    "POST /v1/claims": "O",
    "POST /v1/claims/{claim}/pay": "O",
    "POST /v1/claims/{claim}/lines/{record_id}/reject": "O",
    "POST /v1/claims/{claim}/lines/{record_id}/correct": "O",
    "POST /v1/records/{record_id}/repaid": "O",
    "POST /v1/records/{record_id}/return": "OP",
    "POST /v1/records/{record_id}/return/end": "O",
    "POST /v1/records/{record_id}/invoice": "O",
    "POST /v1/records/{record_id}/reject": "O",
    "POST /v1/records/{record_id}/accept": "O",
    "POST /v1/payments/{pay_ref}/offer": "O",
    "GET /v1/proposals": "AOPU",
    "GET /v1/proposals/{proposal}": "AOPU",
    "POST /v1/proposals": "O",
    "POST /v1/proposals/{proposal}/withdraw": "O",
    "POST /v1/proposals/{proposal}/approve": "P",
    "POST /v1/proposals/{proposal}/decline": "P",
    "GET /v1/audit": "AU",
}


@pytest.fixture(scope="module")
def tokens(centre):
    """A token of somebody with each role, and of somebody with none."""
    made = {
        letter: add_person(centre.centre, f"role-{letter.lower()}", grant)
        for letter, grant in LETTERS.items()
    }
    return made | {"-": add_person(centre.centre, "nobody")}


def ask(centre, address, token):
    """Call an address with nothing in it and return the answer."""
    method, path = address.split(" ")
    url = centre.url + re.sub(r"\{\w+\}", "x", path)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return centre.session.request(
        method, url, json={} if method == "POST" else None, headers=headers, timeout=30
    )


def test_the_table_names_every_address(centre):
    # Holds are answered before the framework: their signature is asked for there.
    listed = [f"{method} {path}" for method, path, _ in addresses(centre._web.app)]
    assert sorted([*listed, f"POST {quick_hold.PATH}"]) == sorted(EXPECTED)


@pytest.mark.parametrize("letter", [*LETTERS, "-"])
@pytest.mark.parametrize("address", EXPECTED)
def test_a_role_may_call_what_the_table_says_and_nothing_else(centre, tokens, address, letter):
    status = ask(centre, address, tokens[letter]).status_code
    if EXPECTED[address] is ANYBODY:
        assert status != 403
    elif EXPECTED[address] is SIGNED:
        assert status == 401
    elif letter in EXPECTED[address] or address == "POST /v1/logout":
        assert status not in (401, 403)
    else:
        assert status == 403


@pytest.mark.parametrize("address", [one for one, who in EXPECTED.items() if who is not ANYBODY])
def test_nobody_unknown_is_let_in(centre, address):
    assert ask(centre, address, None).status_code == 401
    assert ask(centre, address, "x" * 43).status_code == 401


def test_an_application_with_an_open_address_is_not_built(centre, monkeypatch):
    @get("/v1/open", sync_to_thread=False)
    def forgotten() -> None:
        """Say nothing of who may."""

    monkeypatch.setattr("settlement.web.app._ROUTES", (forgotten,))
    with pytest.raises(Unguarded, match="GET /v1/open"):
        build_web(centre._web.edge)


def test_an_address_that_is_public_and_guarded_is_a_contradiction():
    @get("/livez", sync_to_thread=False, guards=[may("read_books")])
    def both() -> None:
        """Say two things."""

    with pytest.raises(Unguarded):
        refuse_unguarded(Litestar([both], openapi_config=None))


def test_every_request_of_a_known_user_is_in_the_audit_and_no_other(centre, tokens):
    def noted():
        return centre.get("/v1/audit?after=0", tokens["U"]).json()["entries"]

    before = len(noted())
    ask(centre, "GET /v1/funds", None)
    ask(centre, "GET /v1/funds", tokens["O"])
    ask(centre, "GET /v1/funds", tokens["R"])
    ask(centre, "POST /v1/claims/{claim}/pay", tokens["O"])
    found = [
        (one["who"], one["via"], one["what"], one["subject"], one["outcome"]) for one in noted()[before + 1 :]
    ]
    assert found == [
        ("role-o", "token", "read_books", "GET /v1/funds", "200"),
        ("role-r", "token", "read_books", "GET /v1/funds", "403"),
        ("role-o", "token", "propose", "POST /v1/claims/x/pay", "400"),
    ]
