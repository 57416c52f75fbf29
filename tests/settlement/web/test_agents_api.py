"""What do shops' installations get from the centre, over HTTP?"""

import msgspec
import pytest
import reference_data as reference
from centre import POLICIES, RunningCentre
from fake_device import promised

from subsidy import seal
from subsidy.policy.read_pack import pack_hash
from subsidy.problem import MEDIA_TYPE
from subsidy.wire import v1


@pytest.fixture(scope="module")
def client(centre):
    """An enrolled device."""
    return centre.enrol()


def facts_request(client, **changes):
    """Return the questions of a quote."""
    request = client.hold_request(client.pack_hash, **changes)
    return v1.FactsRequest(
        v=1,
        item=request.item,
        prices=request.prices,
        qualification_code=request.qualification_code,
        terminal_no=request.terminal_no,
        tender=request.tender,
    )


# Enrolment.


def test_a_host_becomes_a_device_and_learns_what_to_pin(centre):
    client = centre.client()
    enrolled = client.enrol(centre.make_code())
    assert enrolled.device == client.name
    assert (enrolled.epoch, enrolled.programme, enrolled.training) == (1, "TRAINING", True)
    assert (enrolled.shop, enrolled.shop_name) == (reference.SHOP, "示例电器海陵店")
    assert enrolled.terminals == (reference.TERMINAL, reference.OTHER_TERMINAL)
    assert enrolled.lag_target_s == 300
    assert seal.key_id(seal.public_key(enrolled.centre_keys[0])) == centre.centre.keys.kid


def test_the_same_host_gets_the_same_answer_again(centre):
    client, code = centre.client(), centre.make_code()
    assert client.enrol(code) == client.enrol(code)


@pytest.mark.parametrize("why", ["used", "expired", "unknown", "of another key"])
def test_a_code_that_does_not_count_is_a_403_in_the_same_words(centre, why):
    code = centre.make_code()
    if why == "used":
        centre.client().enrol(code)
    if why == "expired":
        code = centre.make_code(valid_ms=-1)
    if why == "unknown":
        code = "B" * 26 + code[26:]
    if why == "of another key":
        code = code[:27] + "f" * 16
    before = centre.state_hash()
    client = centre.client()
    request = v1.EnrolmentRequest(
        v=1, code=code, public_key=client.public_text, host="till", agent_version="1"
    )
    json = {"Content-Type": "application/json"}
    answer = client.send("/v1/enrolments", msgspec.json.encode(request), json)
    assert answer.status_code == 403
    problem = answer.json()
    assert (problem["code"], problem["next_action"]) == ("CODE_INVALID", "CALL_SUPPORT")
    assert problem["detail"] == "The code is unknown, used or expired. Ask for a new one"
    assert centre.state_hash() == before


# Facts and packs.


def test_facts_are_those_that_a_hold_then_rests_on(client):
    request = facts_request(client, person=20)
    answer = client.facts(request)
    promise = client.hold(person=20, item=request.item).promise
    assert promise is not None
    held = msgspec.json.decode(promise.facts, type=type(answer.facts))
    assert msgspec.structs.replace(held, sold_at=answer.facts.sold_at) == answer.facts
    assert answer.pack_hash == promise.pack_hash


def test_asking_for_facts_changes_nothing(centre, client):
    before = centre.state_hash()
    client.facts(facts_request(client, person=21))
    assert centre.state_hash() == before


def test_what_nobody_knows_is_known_to_be_none(client):
    item = v1.Item(gtin=reference.NOT_LISTED, serial_no="SN-1")
    request = msgspec.structs.replace(facts_request(client), item=item, qualification_code="NOBODYS")
    facts = client.facts(request).facts
    assert (facts.product_listed, facts.category, facts.filed_price_fen) == (False, None, None)
    assert (facts.qualification_known, facts.qualification_valid) == (False, False)


def test_a_pack_is_handed_out_by_its_hash(centre, client):
    answer = client.post("/v1/packs", v1.PackRequest(v=1, pack_hash=client.pack_hash))
    payload = seal.unseal(client.sealed_answer(answer), v1.PACK, client.centre_keys)
    pack = msgspec.json.decode(payload, type=v1.PackAnswer)
    assert pack.programme == "TRAINING"
    assert pack_hash(pack.files) == client.pack_hash == centre.centre.pack.hash


def test_other_packs_of_the_folder_are_handed_out_too(tmp_path):
    with RunningCentre.start(tmp_path, policies=POLICIES) as centre:
        client = centre.enrol()
        others = set(centre.centre.packs()) - {client.pack_hash}
        assert others
        for one in others:
            answer = client.post("/v1/packs", v1.PackRequest(v=1, pack_hash=one))
            payload = seal.unseal(client.sealed_answer(answer), v1.PACK, client.centre_keys)
            assert pack_hash(msgspec.json.decode(payload, type=v1.PackAnswer).files) == one


def test_a_pack_that_is_not_here_is_a_404(client):
    answer = client.post("/v1/packs", v1.PackRequest(v=1, pack_hash="0" * 64))
    assert (answer.status_code, answer.json()["code"]) == (404, "PACK_UNKNOWN")


def heard_of(client):
    answer = client.post("/v1/heard", v1.HeardRequest(v=1))
    payload = seal.unseal(client.sealed_answer(answer), v1.HEARD, client.centre_keys)
    heard = msgspec.json.decode(payload, type=v1.Heard)
    assert (heard.device, heard.epoch) == (client.name, 1)
    return heard.upload_no, heard.last_seq


def test_a_device_is_told_how_far_its_own_reports_have_come(centre):
    client = centre.enrol()
    assert heard_of(client) == (0, 0)
    client.send_upload(*(client.chain(client.closed(client.record_id(), number)) for number in (1, 2)))
    client.send_upload()
    assert heard_of(client) == (2, 2)
    assert heard_of(centre.enrol()) == (0, 0)


def test_a_frozen_device_is_told_that_instead(centre):
    client = centre.enrol()
    client.send_upload(client.chain(client.closed(client.record_id(), 1)))
    other = client.at(1, "0" * 64, client.closed(client.record_id(), 2))
    client.post("/v1/records", client.sealed(client.upload([other])))
    answer = client.post("/v1/heard", v1.HeardRequest(v=1))
    assert (answer.status_code, answer.json()["code"]) == (403, "DEVICE_FROZEN")


# Holds, releases and records.


def test_a_sale_goes_from_hold_to_record(centre, client):
    said = client.hold(person=22)
    promise = said.promise
    entry = client.chain(client.paid(said.sealed))
    (ack,) = client.send_upload(entry, still_open=open_holds(centre, client))
    assert (ack.seq, ack.hash, ack.answer) == (entry.seq, entry.hash, "accepted")
    (again,) = client.send_upload(entry, still_open=open_holds(centre, client))
    assert (again.hash, again.answer) == (entry.hash, "repeat")
    assert centre.get(f"/v1/records/{promise.record_id}").json()["state"] == "PAYABLE"


def test_the_same_hold_request_gets_the_same_bytes(client):
    body = msgspec.json.encode(client.hold_request(client.pack_hash, person=23))
    assert client.post("/v1/holds", body).content == client.post("/v1/holds", body).content


def test_books_that_are_busy_are_a_503_and_asking_again_is_safe(centre, client, monkeypatch):
    body = msgspec.json.encode(client.hold_request(client.pack_hash, person=28))
    with monkeypatch.context() as busy:
        busy.setattr("settlement.web.later.ANSWER_WITHIN_S", 0)
        answer = client.post("/v1/holds", body)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.json()["retryable"] is True
    assert client.said(client.post("/v1/holds", body)).promise is not None


def test_a_refusal_is_an_answer_and_no_problem(client):
    said = client.hold(person=24, terminal_no="NOSUCH01")
    assert said.refused is not None
    assert [one.value for one in said.refused.reasons] == ["TERMINAL_NOT_REGISTERED"]


def test_a_release_frees_the_hold_and_comes_again_as_a_repeat(centre, client):
    promise = client.hold(person=25).promise
    entry = client.chain(client.closed(promise.record_id, promise.hold_no))
    path = f"/v1/holds/{promise.record_id}/release"
    first, again = (client.acks(client.post(path, entry.wire))[0] for _ in range(2))
    assert (first.hash, first.answer, again.answer) == (entry.hash, "accepted", "repeat")
    assert centre.get(f"/v1/records/{promise.record_id}").json()["state"] == "RELEASED"


@pytest.mark.parametrize("what", ["another record", "paid", "poison"])
def test_a_release_takes_nothing_but_the_closed_entry_of_its_record(centre, what):
    client = centre.enrol()
    said = client.hold(person=26)
    promise = said.promise
    other = client.record_id()
    entry = {
        "another record": client.closed(other, promise.hold_no),
        "paid": client.paid(said.sealed),
        "poison": b"poison",
    }[what]
    before = centre.state_hash()
    answer = client.post(f"/v1/holds/{promise.record_id}/release", client.chain(entry).wire)
    assert (answer.status_code, answer.json()["code"]) == (422, "NOT_THIS_RELEASE")
    assert centre.state_hash() == before
    client.release(promise.record_id, promise.hold_no)


@pytest.mark.parametrize("change", [{"head_hash": "0" * 64}, {"head_seq": 77}])
def test_an_upload_is_sealed_over_the_hash_of_its_last_entry(centre, change):
    client = centre.enrol()
    entry = client.chain(client.closed(client.record_id(), 1))
    before = centre.state_hash()
    answer = client.post("/v1/records", client.sealed(client.upload([entry], **change)))
    assert (answer.status_code, answer.json()["code"]) == (422, "HEAD_DIFFERS")
    assert centre.state_hash() == before


def test_a_poison_entry_gets_its_signed_ack_and_the_next_one_goes_on(centre):
    client = centre.enrol()
    bad = client.chain(b"poison")
    good = client.chain(client.closed(client.record_id(), 1))
    assert [ack.answer for ack in client.send_upload(bad, good)] == ["quarantined", "accepted"]


def test_a_fork_is_told_to_the_device_and_to_people(centre):
    client = centre.enrol()
    client.send_upload(client.chain(client.closed(client.record_id(), 1)))
    other = client.at(1, "0" * 64, client.closed(client.record_id(), 2))
    answer = client.post("/v1/records", client.sealed(client.upload([other])))
    assert (answer.status_code, answer.json()["code"]) == (403, "DEVICE_FROZEN")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert client.post("/v1/facts", facts_request(client)).json()["code"] == "DEVICE_FROZEN"
    assert client.post("/v1/holds", client.hold_request(client.pack_hash)).json()["code"] == "DEVICE_FROZEN"
    (found,) = [one for one in centre.get("/v1/devices").json()["devices"] if one["device"] == client.name]
    assert "two contents" in found["frozen"]


def test_a_batch_of_many_entries_is_taken_in_one_upload(centre):
    client = centre.enrol()
    entries = [client.chain(client.closed(client.record_id(), number)) for number in range(1, 301)]
    assert {ack.answer for ack in client.send_upload(*entries)} == {"accepted"}


def open_holds(centre, client):
    """Return what is open of a device."""
    found = centre.get("/v1/holds?open=1").json()["holds"]
    return [
        v1.OpenHold(record_id=one["record_id"], hold_no=one["hold_no"])
        for one in found
        if one["device"] == client.name
    ]


def test_every_promise_names_the_device_that_asked(client):
    assert promised(client.hold(person=27).sealed).device == client.name
