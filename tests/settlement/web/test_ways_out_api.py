"""What do shops, operators and everybody read over HTTP when something is frozen, open or ringing?"""

import concurrent.futures
import contextlib

import pytest
import reference_data as reference
import requests
from centre import APPROVER, PROPOSER

from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze
from settlement.web.meter import LastMeter
from subsidy.policy.decide import Refused, decide
from subsidy.wire import v1


@pytest.fixture
def client(centre):
    """An enrolled device that knows which pack counts."""
    return centre.enrol()


@contextlib.contextmanager
def frozen(centre, kind, name):
    """Freeze something while the block runs."""
    writer = centre.centre.writer(raise_it)
    writer.write_now([ImposeFreeze(kind, name, "case 7", "li")])
    try:
        yield
    finally:
        writer.write_now([LiftFreeze(kind, name, "cleared", by="wang, li")])


def raise_it(wrong):
    raise wrong


def meter(centre):
    """Read the meter as anybody does, in a second of its own."""
    centre.clock.ahead_ms += 1000
    return centre.session.get(f"{centre.url}/v1/meter", timeout=10)


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        (Kind.MERCHANT, reference.MERCHANT, "MERCHANT_NOT_ACTIVE"),
        (Kind.SHOP, reference.SHOP, "MERCHANT_NOT_ACTIVE"),
        (Kind.SERIAL, "示例牌/SN-FROZEN", "RISK_BLOCKED"),
        (Kind.PROGRAMME, "TRAINING", "PROGRAMME_CLOSED"),
    ],
)
def test_a_quote_and_a_hold_are_refused_alike_while_it_is_frozen(centre, client, kind, name, reason):
    item = v1.Item(gtin=reference.FRIDGE, serial_no="SN-FROZEN")
    request = client.hold_request(client.pack_hash, person=30, item=item)
    question = v1.FactsRequest(
        v=1,
        item=item,
        prices=request.prices,
        qualification_code=request.qualification_code,
        terminal_no=request.terminal_no,
        tender=request.tender,
    )
    with frozen(centre, kind, name):
        quoted = decide(centre.centre.pack, client.facts(question).facts)
        assert quoted == Refused((reason,))
        assert client.hold(person=30, item=item).refused.reasons == (reason,)
        (listed,) = centre.get("/v1/freezes").json()["freezes"]
        assert (listed["kind"], listed["name"], listed["frozen_by"]) == (kind, name, "li")
    promise = client.hold(person=30, item=item).promise
    assert promise is not None
    client.release(promise.record_id, promise.hold_no)


def test_a_hold_is_explained_over_http(centre, client):
    promise = client.hold(person=31).promise
    found = centre.get(f"/v1/holds/{promise.record_id}").json()
    assert (found["state"], found["over"]) == ("HELD", False)
    assert [one["proof"] for one in found["proofs"]] == ["paid", "closed", "statement", "files", "people"]
    assert all(one["zh"] and one["en"] for one in found["proofs"])
    assert found["device"]["device"] == client.name
    assert "taking the money now" in found["next_step"]["en"]
    with frozen(centre, Kind.SHOP, reference.SHOP):
        found = centre.get(f"/v1/holds/{promise.record_id}").json()
        assert found["frozen"] == [f"frozen: shop {reference.SHOP} (case 7)"]
        record = centre.get(f"/v1/records/{promise.record_id}").json()
        assert (record["frozen"], record["goods_freed"]) == (found["frozen"], False)
    client.release(promise.record_id, promise.hold_no)
    ended = centre.get(f"/v1/holds/{promise.record_id}").json()
    assert (ended["state"], ended["proofs"], ended["why"]) == ("RELEASED", [], "closed: stopped")
    index = centre.centre.keys.person_index(reference.identity_no(31))
    assert index not in centre.get(f"/v1/holds/{promise.record_id}").text


@pytest.mark.parametrize("name", ["nobody", "0192f4a0-0000-7000-8000-000000000000", "' OR 1=1 --"])
def test_a_hold_that_is_not_here_is_a_404(centre, name):
    assert centre.get(f"/v1/holds/{name}").status_code == 404


def test_the_meter_is_public_and_may_be_cached(centre):
    answer = meter(centre)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=5"
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["open"] is True
    assert all(one["largest_grant_fen"] > 0 for one in document["categories"])
    assert document["years"][0]["left_fen"] > 0


def test_the_meter_follows_the_books_from_one_second_to_the_next(centre, client):
    before = meter(centre).json()
    promise = client.hold(person=32).promise
    after = meter(centre).json()
    assert before["years"][0]["left_fen"] - after["years"][0]["left_fen"] == 43_500
    assert after["centre_ms"] > before["centre_ms"]
    client.release(promise.record_id, promise.hold_no)


def test_the_meter_says_closed_while_the_programme_is_frozen(centre):
    with frozen(centre, Kind.PROGRAMME, "TRAINING"):
        document = meter(centre).json()
        assert document["open"] is False
        assert {one["why"] for one in document["categories"]} == {"PROGRAMME_CLOSED"}
        assert [one["left_fen"] for one in document["years"]] == [0]
    assert meter(centre).json()["open"] is True


def test_a_flood_reads_the_books_at_most_once_a_second(centre, monkeypatch):
    looks = []
    look = LastMeter._look

    def counted(self):
        looks.append(centre.clock.now_ms() // 1000)
        return look(self)

    monkeypatch.setattr(LastMeter, "_look", counted)
    centre.clock.ahead_ms += 1000
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = pool.map(lambda _: requests.get(f"{centre.url}/v1/meter", timeout=30).status_code, range(200))
        assert list(asked) == [200] * 200
    assert looks
    assert len(looks) <= looks[-1] - looks[0] + 2 < 100


def test_alarms_are_told_with_what_to_do_and_as_figures(centre, client):
    centre.sql(f"UPDATE device SET frozen = 'x' WHERE device = '{client.name}'")
    item = f"'{client.name}', 'device_frozen', 'operations', 'x', 1, '', 0, '', '', NULL"
    centre.sql(f"INSERT INTO difference VALUES ({item})")
    found = centre.get("/v1/alarms").json()["alarms"]
    (alarm,) = [one for one in found if one["code"] == "DEVICE_FROZEN"]
    assert (alarm["severity"], alarm["since_ms"], alarm["about"]) == ("warning", 1, [client.name])
    assert alarm["zh"]
    assert alarm["next_en"]
    figures = centre.session.get(f"{centre.url}/metrics", timeout=10).text
    assert 'settlement_alarm{code="DEVICE_FROZEN",severity="warning"} 1' in figures
    assert 'settlement_alarm{code="BOOKS_NOT_TRUE",severity="critical"} 0' in figures


# What people change.


def carried_out(centre, path, body):
    """Propose over HTTP as one person, approve as the other, and return the proposal."""
    proposed = centre.post(path, body)
    assert proposed.status_code == 202, proposed.text
    approved = centre.approve(proposed.json())
    assert (approved.status_code, approved.json()["proposal"]["state"]) == (200, "APPROVED"), approved.text
    return proposed.json()


def freezes(centre):
    """Return what is listed as frozen."""
    return centre.get("/v1/freezes").json()["freezes"]


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("merchant", reference.MERCHANT, reference.MERCHANT),
        ("shop", reference.SHOP, reference.SHOP),
        ("serial", "示例牌/sn-frozen-2", "示例牌/SN-FROZEN-2"),
        ("programme", "TRAINING", "TRAINING"),
    ],
)
def test_one_freezes_at_once_and_two_lift(centre, kind, name, shown):
    answer = centre.post("/v1/freezes", {"kind": kind, "name": name, "reason": "case 7"})
    assert answer.status_code == 200, answer.text
    frozen = answer.json()
    assert (frozen["kind"], frozen["name"], frozen["frozen_by"]) == (kind, shown, PROPOSER)
    assert frozen in freezes(centre)
    assert centre.post("/v1/freezes", {"kind": kind, "name": name, "reason": "again"}).status_code == 409
    carried_out(centre, "/v1/freezes/lift", {"kind": kind, "name": shown, "reason": "cleared"})
    assert freezes(centre) == []


def test_a_person_is_frozen_by_a_sale_and_lifted_as_listed(centre, client):
    promise = client.hold(person=33).promise
    body = {"kind": "person", "name": promise.record_id, "reason": "case 7"}
    frozen = centre.post("/v1/freezes", body).json()
    index = centre.centre.keys.person_index(reference.identity_no(33))
    assert (frozen["name"], frozen["of_record"]) == (index[:12], promise.record_id)
    lift = {"kind": "person", "name": frozen["name"], "reason": "cleared"}
    assert carried_out(centre, "/v1/freezes/lift", lift)["shown"]["command"]["name"] == index[:12]
    assert freezes(centre) == []
    client.release(promise.record_id, promise.hold_no)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "merchant", "name": "NOSUCH", "reason": "why"}, 404),
        ({"kind": "serial", "name": "SN-1", "reason": "why"}, 422),
        ({"kind": "person", "name": "321202199003070013", "reason": "why"}, 422),
        ({"kind": "person", "name": "0192f4a0-0000-7000-8000-000000000000", "reason": "why"}, 404),
        ({"kind": "nothing", "name": "x", "reason": "why"}, 400),
        ({"kind": "shop", "name": reference.SHOP}, 400),
        ({"kind": "shop", "name": reference.SHOP, "reason": " "}, 400),
        ({"kind": "shop", "name": reference.SHOP, "reason": "why", "by": "the mayor"}, 400),
        ({"kind": "shop", "name": "a\0b", "reason": "why"}, 400),
    ],
)
def test_what_cannot_be_frozen_is_told_and_changes_nothing(centre, body, status):
    before = centre.state_hash()
    answer = centre.post("/v1/freezes", body)
    assert (answer.status_code, "321202199003070013" in answer.text) == (status, False)
    assert centre.state_hash() == before


def test_a_hold_is_freed_in_two_steps_by_two_people(centre, client):
    promise = client.hold(person=34).promise
    path = f"/v1/holds/{promise.record_id}"
    carried_out(centre, f"{path}/free-goods", {"reason": "the shopper waits"})
    assert centre.get(path).json()["goods_freed"] is True
    carried_out(centre, f"{path}/release-by-decision", {"reason": "the shop burnt down"})
    ended = centre.get(path).json()
    assert (ended["state"], ended["why"]) == ("RELEASED", "decided by people: the shop burnt down")
    again = centre.post(f"{path}/release-by-decision", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "NOT_HELD")


def test_a_device_is_frozen_at_once_and_let_go_or_replaced_by_two(centre):
    device = centre.enrol()
    path = f"/v1/devices/{device.name}"
    frozen = centre.post(f"{path}/freeze", {"reason": "stolen"}, centre.second_token).json()
    assert (frozen["frozen"], frozen["frozen_by"]) == ("stolen", APPROVER)
    carried_out(centre, f"{path}/unfreeze", {"reason": "found again"})
    carried_out(centre, f"{path}/replace", {"reason": "its disk is dead"})
    (found,) = [one for one in centre.get("/v1/devices").json()["devices"] if one["device"] == device.name]
    both = f"{PROPOSER}, {APPROVER}"
    assert (found["replaced"], found["frozen_by"], found["frozen"]) == (
        True,
        both,
        "replaced: its disk is dead",
    )
    again = centre.post(f"{path}/replace", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "DEVICE_REPLACED")


def test_goods_whose_host_is_gone_are_returned_by_the_centre(centre):
    device = centre.enrol()
    said = device.hold(person=35)
    device.send_upload(device.chain(device.paid(said.sealed)))
    path = f"/v1/records/{said.promise.record_id}"
    early = centre.post(f"{path}/return", {"reason": "does not cool"})
    assert (early.status_code, early.json()["code"]) == (409, "HOST_MAY_RETURN")
    carried_out(centre, f"/v1/devices/{device.name}/replace", {"reason": "its disk is dead"})
    told = centre.post(f"{path}/return", {"reason": "does not cool"}).json()
    record = centre.get(path).json()
    assert (told["refund_fen"], told["pay_ref"]) == (record["paid_fen"], record["pay_ref"])
    assert record["blocks"] == ["returning"]
    wrong = centre.post(f"{path}/return/end", {"refunded": "yes", "reference": "17"})
    assert wrong.status_code == 400
    carried_out(centre, f"{path}/return/end", {"refunded": True, "reference": "void slip 17"})
    assert centre.get(path).json()["state"] == "RETURNED"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/records/{}/return",
        "/v1/holds/{}/free-goods",
        "/v1/holds/{}/release-by-decision",
        "/v1/devices/{}/freeze",
        "/v1/devices/{}/unfreeze",
        "/v1/devices/{}/replace",
    ],
)
@pytest.mark.parametrize("name", ["nobody", "%00", "x" * 500, "' OR 1=1 --"])
def test_what_is_not_here_is_a_404_and_changes_nothing(centre, path, name):
    before = centre.state_hash()
    assert centre.post(path.format(name), {"reason": "why"}).status_code == 404
    assert centre.state_hash() == before
