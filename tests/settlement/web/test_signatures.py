"""Is a request taken only when a known device signed it, just now, once?"""

import datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from settlement.web.signed import Nonces
from subsidy.wire import v1
from subsidy.wire.http_signature import WINDOW_S


@pytest.fixture(scope="module")
def client(centre):
    """An enrolled device."""
    return centre.enrol()


@pytest.fixture
def body(client):
    """A request that changes nothing."""
    return msgspec.json.encode(v1.PackRequest(v=1, pack_hash=client.pack_hash))


def is_refused(answer, code):
    """Check that an answer is a 401 with this code."""
    assert answer.status_code == 401, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return answer.json()


def signed(client, body, path="/v1/packs", **changes):
    """Return the headers of a right request, `changes` in what is signed."""
    nonce = changes.pop("nonce", None) or client.nonce()
    return {"Content-Type": "application/json", **client.signature(path, body, nonce, **changes)}


def test_a_request_signed_by_its_device_is_taken(client, body):
    assert client.send("/v1/packs", body, signed(client, body)).status_code == 200


SIGNED_ADDRESSES = ["/v1/facts", "/v1/heard", "/v1/packs", "/v1/holds", "/v1/holds/x/release", "/v1/records"]


@pytest.mark.parametrize("path", SIGNED_ADDRESSES)
def test_every_address_of_agents_wants_a_signature(centre, client, path):
    before = centre.state_hash()
    is_refused(client.send(path, b"{}", {"Content-Type": "application/json"}), "NOT_AUTHENTICATED")
    assert centre.state_hash() == before


@pytest.mark.parametrize(
    "name", ["Content-Digest", "Signature", "Signature-Input", "tradein-device", "tradein-epoch"]
)
def test_no_part_of_a_signature_may_be_missing(client, body, name):
    headers = {key: value for key, value in signed(client, body).items() if key != name}
    is_refused(client.send("/v1/packs", body, headers), "NOT_AUTHENTICATED")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Digest", "sha-256=:AAAA:"),
        ("Content-Digest", "sha-512=:AAAA:"),
        ("Content-Digest", "é"),
        ("Signature", "é"),
        ("tradein-device", "é"),
        ("Signature", "sig1=:AAAA:"),
        ("Signature", "sig1=:" + "A" * 86 + "==:"),
        ("Signature", "sig2=:" + "A" * 86 + "==:"),
        ("Signature-Input", "sig1=()"),
        ("Signature-Input", 'sig1=("@method");created=1;nonce="aaaaaaaaaaaaaaaa";keyid="0";alg="ed25519"'),
        ("tradein-device", "nobody"),
        ("tradein-device", "0" * 16),
        ("tradein-device", "../../etc"),
        ("tradein-epoch", "0"),
        ("tradein-epoch", "01"),
        ("tradein-epoch", "x"),
    ],
)
def test_no_part_of_a_signature_may_be_another(client, body, name, value):
    is_refused(client.send("/v1/packs", body, {**signed(client, body), name: value}), "NOT_AUTHENTICATED")


def test_a_body_that_was_changed_on_the_way_is_refused(client, body):
    headers = signed(client, body)
    is_refused(client.send("/v1/packs", body + b" ", headers), "NOT_AUTHENTICATED")


def test_a_request_for_another_address_is_refused(client, body):
    is_refused(client.send("/v1/facts", body, signed(client, body)), "NOT_AUTHENTICATED")


def test_a_query_that_was_added_is_refused(client, body):
    is_refused(client.send("/v1/packs?x=1", body, signed(client, body)), "NOT_AUTHENTICATED")


def test_the_path_counts_as_it_was_sent(centre, client, body):
    headers = [f"{name}: {value}" for name, value in signed(client, body).items()]
    assert centre.raw("/v1/pack%73", headers, body).startswith(b"HTTP/1.1 401")


def test_a_header_that_stands_twice_counts_as_missing(centre, client, body):
    headers = [f"{name}: {value}" for name, value in signed(client, body).items()]
    again = [*headers, f"tradein-device: {client.name}"]
    assert centre.raw("/v1/packs", again, body).startswith(b"HTTP/1.1 401")
    assert centre.raw("/v1/packs", headers, body).startswith(b"HTTP/1.1 200")


def test_another_devices_key_is_refused(centre, client, body):
    other = centre.enrol()
    is_refused(client.send("/v1/packs", body, signed(client, body, key=other.key)), "NOT_AUTHENTICATED")
    is_refused(client.send("/v1/packs", body, signed(client, body, device=other.name)), "NOT_AUTHENTICATED")


def test_a_key_that_nobody_enrolled_is_refused(client, body):
    key = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    is_refused(client.send("/v1/packs", body, signed(client, body, key=key)), "NOT_AUTHENTICATED")


def test_a_request_is_heard_once(centre, client, body):
    headers = signed(client, body)
    assert client.send("/v1/packs", body, headers).status_code == 200
    before = centre.state_hash()
    is_refused(client.send("/v1/packs", body, headers), "REPLAYED")
    assert centre.state_hash() == before


def test_a_nonce_counts_for_its_device_alone(centre, client, body):
    other = centre.enrol()
    for one in (client, other):
        headers = signed(one, body, nonce="the-same-nonce-of-both")
        assert one.send("/v1/packs", body, headers).status_code == 200


def test_a_wrong_signature_does_not_use_the_nonce_up(client, body):
    nonce = client.nonce()
    wrong = {**signed(client, body, nonce=nonce), "Signature": "sig1=:" + "A" * 86 + "==:"}
    is_refused(client.send("/v1/packs", body, wrong), "NOT_AUTHENTICATED")
    assert client.send("/v1/packs", body, signed(client, body, nonce=nonce)).status_code == 200


@pytest.mark.parametrize("skew_s", [-302, 302, -86_400, 86_400])
def test_a_clock_that_is_off_is_told_the_centres_time(centre, client, body, skew_s):
    created_s = client.now_ms() // 1000 + skew_s
    problem = is_refused(
        client.send("/v1/packs", body, signed(client, body, created_s=created_s)), "CLOCK_SKEW"
    )
    told = datetime.datetime.fromisoformat(problem["centre_time"])
    assert abs(told.timestamp() - centre.clock.now_ms() / 1000) < 5
    assert problem["retryable"] is True


@pytest.mark.parametrize("skew_s", [-298, 298])
def test_a_clock_within_five_minutes_is_taken(client, body, skew_s):
    created_s = client.now_ms() // 1000 + skew_s
    assert client.send("/v1/packs", body, signed(client, body, created_s=created_s)).status_code == 200


@pytest.mark.parametrize("epoch", [2, 999_999_999])
def test_another_epoch_is_refused(client, body, epoch):
    is_refused(client.send("/v1/packs", body, signed(client, body, epoch=epoch)), "OLD_EPOCH")


def test_an_old_epoch_is_refused_after_the_device_was_replaced(centre, body):
    client = centre.enrol()
    centre.sql(f"UPDATE device SET epoch = 2 WHERE device = '{client.name}'")
    is_refused(client.send("/v1/packs", body, signed(client, body)), "OLD_EPOCH")


def test_a_nonce_is_remembered_for_as_long_as_its_time_counts(centre, body):
    client = centre.enrol()
    ahead = signed(client, body, created_s=client.now_ms() // 1000 + 299)
    assert client.send("/v1/packs", body, ahead).status_code == 200
    try:
        for minutes in (2, 4, 6, 8, 9):
            centre.clock.ahead_ms = minutes * 60_000
            assert client.send("/v1/packs", body, signed(client, body)).status_code == 200
            is_refused(client.send("/v1/packs", body, ahead), "REPLAYED")
        centre.clock.ahead_ms = 11 * 60_000
        is_refused(client.send("/v1/packs", body, ahead), "CLOCK_SKEW")
    finally:
        centre.clock.ahead_ms = 0


@pytest.mark.parametrize("heard_s", [0, 1, 300, 599, 600, 601, 1199])
def test_a_nonce_is_remembered_for_ten_minutes_whenever_it_was_heard(heard_s):
    begun_s = 1_772_330_400
    nonces = Nonces()
    nonces.first_time("device", "the very first", begun_s)
    assert nonces.first_time("device", "nonce", begun_s + heard_s)
    for later_s in range(heard_s, heard_s + 2 * WINDOW_S, 7):
        nonces.first_time("another", f"nonce {later_s}", begun_s + later_s)
        assert not nonces.first_time("device", "nonce", begun_s + later_s)


def test_nonces_are_forgotten_once_they_cannot_count():
    nonces = Nonces()
    for hour in range(100):
        for number in range(10):
            assert nonces.first_time("device", f"{hour} {number}", 1_772_330_400 + 3_600 * hour)
    assert nonces.kept() <= 20


def test_a_clock_that_is_set_back_forgets_no_nonce(centre, body):
    client = centre.enrol()
    headers = signed(client, body)
    assert client.send("/v1/packs", body, headers).status_code == 200
    try:
        centre.clock.ahead_ms = -120_000
        is_refused(client.send("/v1/packs", body, headers), "REPLAYED")
    finally:
        centre.clock.ahead_ms = 0


def test_an_upload_sealed_with_another_key_is_refused(centre, client):
    other = centre.enrol()
    before = centre.state_hash()
    answer = client.post("/v1/records", other.sealed(client.upload()))
    assert (answer.status_code, answer.json()["code"]) == (422, "NOT_SEALED")
    assert centre.state_hash() == before


def test_an_upload_of_another_device_is_refused(centre, client):
    other = centre.enrol()
    answer = client.post("/v1/records", client.sealed(other.upload()))
    assert (answer.status_code, answer.json()["code"]) == (422, "ANOTHER_DEVICE")
    answer = client.post("/v1/records", client.sealed(client.upload(epoch=2)))
    assert (answer.status_code, answer.json()["code"]) == (422, "ANOTHER_DEVICE")
