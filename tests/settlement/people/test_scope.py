"""What does somebody see whose role reaches over one county or one merchant?"""

import datetime
from urllib.parse import quote

import pytest
import reference_data as reference
from centre import add_person

from settlement.people.roles import Grant, Role, Scope
from settlement.people.users import UserRefused
from settlement.reconcile.apply_night import ApplyNight, Find
from subsidy import calendar, ids
from subsidy.wire import v1

HERE, THERE = "321202", "321203"


@pytest.fixture(scope="module")
def seen(centre):
    """A sale, an open hold, a return and a kept record in each of two counties, and a claim over both."""
    shops = {HERE: centre.enrol(reference.SHOP), THERE: centre.enrol(reference.OTHER_SHOP)}
    terminals = {HERE: reference.TERMINAL, THERE: reference.TERMINAL_OF_OTHER_SHOP}
    people = iter(range(reference.PEOPLE))
    found = {}
    for county, client in shops.items():

        def hold(client=client, county=county):
            return client.hold(person=next(people), terminal_no=terminals[county])

        sold, back, kept = hold(), hold(), hold()
        client.send_upload(
            client.chain(client.paid(sold.sealed)),
            client.chain(client.paid(back.sealed)),
            client.chain(client.paid(kept.sealed, paid_fen=1)),
        )
        client.send_return(client.chain(client.returning(back.promise)))
        open_ = hold()
        found[county] = {
            "sold": sold.promise.record_id,
            "returning": back.promise.record_id,
            "kept": kept.promise.record_id,
            "open": open_.promise.record_id,
        }
    day = calendar.business_day(calendar.from_ms(centre.clock.now_ms())).isoformat()
    centre.clock.ahead_ms += int(datetime.timedelta(days=1) / datetime.timedelta(milliseconds=1))
    for county, client in shops.items():
        shown = centre.get(f"/v1/records/{found[county]['open']}").json()
        client.send_upload(still_open=[v1.OpenHold(record_id=shown["record_id"], hold_no=shown["hold_no"])])
    centre.let_a_night_match()
    built = centre.post("/v1/claims", {"date": day}).json()["claims"]
    found["claim"] = next(one["claim"] for one in built if one["claim"])
    return found


@pytest.fixture(scope="module")
def reviewer(centre):
    """A token of a reviewer of one county."""
    return add_person(centre.centre, "county-reviewer", Grant(Role.REVIEWER, Scope.COUNTY, HERE))


@pytest.fixture(scope="module")
def merchants(centre):
    """Tokens of two merchants."""
    return {
        name: add_person(centre.centre, name.lower(), Grant(Role.MERCHANT, Scope.MERCHANT, name))
        for name in ("M001", "M002")
    }


def test_records_of_another_county_are_not_there(centre, seen, reviewer):
    for name in ("sold", "returning", "kept", "open"):
        assert centre.get(f"/v1/records/{seen[HERE][name]}", reviewer).status_code == 200
        hidden = centre.get(f"/v1/records/{seen[THERE][name]}", reviewer)
        nowhere = centre.get("/v1/records/0192f4a0-0000-7000-8000-000000000000", reviewer)
        assert (hidden.status_code, hidden.content) == (404, nowhere.content)


LISTS = {
    "holds?open=1": ("holds", "record_id", {"open"}),
    "returns?open=1": ("returns", "record_id", {"returning"}),
    "differences?": ("differences", "subject", {"kept"}),
}


def without_age(rows):
    """Return what was listed, but for how old it is: a second may pass between two looks."""
    return [{name: value for name, value in row.items() if name not in ("age_s", "late")} for row in rows]


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_what_is_of_the_county_and_nothing_else(centre, seen, reviewer, path):
    field, by, names = LISTS[path]
    whole = {one[by] for one in centre.get(f"/v1/{path}").json()[field]}
    mine = {one[by] for one in centre.get(f"/v1/{path}", reviewer).json()[field]}
    all_here, all_there = set(seen[HERE].values()), set(seen[THERE].values())
    assert whole & all_there
    assert mine == whole & all_here
    assert mine <= {seen[HERE][name] for name in names}


def test_long_lists_of_a_county_are_paged_over_what_is_seen(centre, seen, reviewer, monkeypatch):
    whole = centre.get("/v1/holds?open=1", reviewer).json()["holds"]
    monkeypatch.setattr("settlement.web.operators.MOST", 1)
    first = centre.get("/v1/holds?open=1", reviewer).json()
    assert first["holds"] == whole[:1]
    assert first["next"] == whole[0]["record_id"]


def test_of_a_claim_a_county_sees_its_own_lines_and_their_sums(centre, seen, reviewer):
    claim = f"/v1/claims/{seen['claim']}"
    whole, mine = centre.get(claim).json(), centre.get(claim, reviewer).json()
    assert {one["record_id"] for one in whole["lines"]} == {seen[HERE]["sold"], seen[THERE]["sold"]}
    assert [one["record_id"] for one in mine["lines"]] == [seen[HERE]["sold"]]
    assert (whole["totals"]["submitted"]["fen"], mine["totals"]["submitted"]["fen"]) == (87_000, 43_500)
    (listed,) = centre.get("/v1/claims", reviewer).json()["claims"]
    assert listed["totals"] == mine["totals"]


def test_a_county_does_not_see_what_was_paid_elsewhere(centre, seen, reviewer):
    claim = f"/v1/claims/{seen['claim']}"
    if not centre.get(claim).json()["payments"]:
        centre.agree(f"{claim}/pay", {"reference": "bank 1"})
    assert centre.get(claim).json()["payments"]
    assert centre.get(claim, reviewer).json()["payments"] == []


def test_a_merchant_sees_its_own_and_nothing_else(centre, seen, merchants):
    for county in (HERE, THERE):
        path = f"/v1/records/{seen[county]['sold']}"
        assert centre.get(path, merchants["M001"]).status_code == 200
        assert centre.get(path, merchants["M002"]).status_code == 404
    assert centre.get(f"/v1/claims/{seen['claim']}", merchants["M002"]).status_code == 404
    for path, (field, _, _) in LISTS.items():
        assert centre.get(f"/v1/{path}", merchants["M002"]).json()[field] == []
        seen_by_it = without_age(centre.get(f"/v1/{path}", merchants["M001"]).json()[field])
        assert seen_by_it == without_age(centre.get(f"/v1/{path}").json()[field])
    assert centre.get("/v1/claims", merchants["M002"]).json()["claims"] == []


@pytest.mark.parametrize("county", ["3212", "32120", "321202 ", "0", "321202' OR '1'='1", "%"])
def test_a_county_is_the_whole_code_and_no_pattern(centre, seen, county):
    name = f"odd-{county.encode().hex()}"[:32]
    if county in ("3212", "32120", "0"):
        token = add_person(centre.centre, name, Grant(Role.REVIEWER, Scope.COUNTY, county))
        assert centre.get("/v1/holds?open=1", token).json()["holds"] == []
    else:
        with pytest.raises(UserRefused, match="not a code"):
            add_person(centre.centre, name, Grant(Role.REVIEWER, Scope.COUNTY, county))


def test_two_grants_reach_over_both(centre, seen):
    token = add_person(
        centre.centre,
        "two-counties",
        Grant(Role.REVIEWER, Scope.COUNTY, HERE),
        Grant(Role.REVIEWER, Scope.COUNTY, THERE),
    )
    assert centre.get("/v1/holds?open=1", token).json() == centre.get("/v1/holds?open=1").json()


def test_what_the_night_found_of_payments_is_seen_where_their_sales_are(centre, seen, reviewer, monkeypatch):
    monkeypatch.setattr("settlement.web.read_models._LOOKED_AT", 1)

    def found(county, attempt_no):
        ref = ids.pay_ref(seen[county]["sold"], attempt_no)
        return Find(ref, "doubled", "2026-03-01", 500, ref, None, "", "platform", "row 1", "ask")

    of_nobody = Find("row 7", "unknown_row", "2026-03-01", 500, "", None, "", "platform", "row 7", "ask")
    centre.submit(ApplyNight((found(HERE, 2), found(THERE, 2), found(HERE, 3), of_nobody)))
    mine = {one["pay_ref"] for one in centre.get("/v1/differences", reviewer).json()["differences"]} - {""}
    assert mine == {ids.pay_ref(seen[HERE]["sold"], no) for no in (2, 3)}
    assert "row 7" not in centre.get("/v1/differences", reviewer).text


def test_page_by_page_nothing_that_waits_within_a_scope_is_left_out(centre, seen, reviewer, monkeypatch):
    whole = centre.get("/v1/differences", reviewer).json()["differences"]
    assert len(whole) > 1
    monkeypatch.setattr("settlement.web.operators.MOST", 1)
    turned, after = [], ""
    while after is not None:
        page = centre.get(f"/v1/differences?after={quote(after)}", reviewer).json()
        assert len(page["differences"]) <= 1
        turned, after = turned + page["differences"], page["next"]
    assert turned == whole
