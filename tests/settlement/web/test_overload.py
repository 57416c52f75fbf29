"""What is said to a hold when as many are under way as can be answered soon, and what does it cost?"""

import itertools

import msgspec
import pytest

from settlement.web import quick_hold
from subsidy.wire import v1


@pytest.fixture(scope="module")
def client(centre):
    """An enrolled device."""
    return centre.enrol()


@pytest.fixture
def full(centre, monkeypatch):
    """The centre, which takes no more holds for now."""
    monkeypatch.setattr(quick_hold, "MOST_UNDER_WAY", 0)
    return centre


def request(path=b"/v1/holds", body=b"{}", method=b"POST"):
    """Return a request that nobody has signed."""
    head = b"%s %s HTTP/1.1\r\nHost: centre\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (method, path, len(body)) + body


def statuses(connection, count):
    """Read so many answers and return their statuses, in order."""
    found, raw = [], b""
    while len(found) < count:
        raw += connection.recv(65_536)
        while b"\r\n\r\n" in raw:
            head, _, rest = raw.partition(b"\r\n\r\n")
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(lines[b"content-length"])
            if len(rest) < length:
                break
            found.append(int(head.split()[1]))
            raw = rest[length:]
    assert raw == b""
    return found


def test_it_is_told_to_come_again_and_is_answered_then(full, client, monkeypatch):
    body = msgspec.json.encode(client.hold_request(client.pack_hash, person=1))
    before = full.state_hash()
    answer = client.post("/v1/holds", body)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert (answer.json()["code"], answer.json()["retryable"]) == ("UNAVAILABLE", True)
    assert full.state_hash() == before
    monkeypatch.undo()
    assert client.said(client.post("/v1/holds", body)).promise is not None


def test_it_is_said_before_anything_is_looked_at_and_is_counted(full):
    numbers = full._web.edge.turned_away
    before = numbers.busy
    with full.connect() as connection:
        for body in (b"", b"{}", b"x" * 100_000, b"x" * (3 << 20)):
            connection.sendall(request(body=body))
            assert statuses(connection, 1) == [503]
    assert numbers.busy == before + 4


def test_what_is_no_hold_is_answered_as_ever(full, client):
    entry = client.chain(b"poison")
    assert [ack.seq for ack in client.send_upload(entry)] == [entry.seq]
    assert client.post("/v1/packs", v1.PackRequest(v=1, pack_hash=client.pack_hash)).status_code == 200
    assert full.session.get(f"{full.url}/v1/holds", timeout=10).status_code != 503


def test_answers_come_in_the_order_of_the_requests_of_a_connection(full):
    one, other = (request(b"/livez", method=b"GET"), 200), (request(), 503)
    for order in itertools.product((one, other), repeat=3):
        with full.connect() as connection:
            connection.sendall(b"".join(raw for raw, _ in order))
            assert statuses(connection, 3) == [status for _, status in order]


def test_a_connection_that_is_to_be_closed_is(full):
    answer = full.raw("/v1/holds", ["Content-Type: application/json"], b"{}")
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


def test_a_caller_that_does_not_read_is_not_written_to_without_end(full):
    with full.connect() as connection:
        connection.settimeout(3)
        with pytest.raises(TimeoutError):
            connection.sendall(request() * 400_000)
    assert full.session.get(f"{full.url}/livez", timeout=10).status_code == 200
