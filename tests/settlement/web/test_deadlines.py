"""Can a slow, endless or senseless request tie the centre up?"""

import socket
import time

import pytest

from settlement.web import read_models, serve
from subsidy.strict.json_bytes import MOST_BYTES

HALF_A_HEADER = b"POST /v1/packs HTTP/1.1\r\nHost: centre\r\nContent-Ty"
HEADER = HALF_A_HEADER + b"pe: application/json\r\nContent-Length: 100\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: centre\r\n\r\n"


@pytest.fixture
def impatient(monkeypatch):
    """Make the deadline as short as a test can wait."""
    monkeypatch.setattr(serve, "DEADLINE_S", 0.4)


def seconds_until_closed(connection, limit_s=5.0):
    """Return how long it takes until the other side closes."""
    connection.settimeout(limit_s)
    began = time.monotonic()
    while connection.recv(65_536):
        pass
    return time.monotonic() - began


def is_cut_off(connection, pieces, pause_s=0.0):
    """Whether the other side closes before all pieces are sent and an answer has come."""
    try:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        return connection.recv(1) == b""
    except OSError:
        return True


UNFINISHED = {
    "nothing": b"",
    "a letter": b"P",
    "half a header": HALF_A_HEADER,
    "no body": HEADER,
    "half a body": HEADER + b'{"v":',
    "half a second request": GET + HALF_A_HEADER,
    "a line end": b"\r\n",
}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_what_does_not_become_a_request_in_time_is_closed(centre, impatient, sent):
    with centre.connect() as connection:
        connection.sendall(sent)
        assert 0.2 < seconds_until_closed(connection) < 3


def test_a_request_that_drips_is_closed_at_the_same_time(centre, impatient):
    with centre.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        assert is_cut_off(connection, (bytes([byte]) for byte in HEADER + b" " * 1_000), pause_s=0.02)
        assert 0.2 < time.monotonic() - began < 3


def test_line_ends_between_requests_do_not_keep_a_connection_open(centre, impatient):
    with centre.connect() as connection:
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        assert seconds_until_closed(connection) < 3


def test_requests_in_time_share_a_connection_for_longer_than_a_deadline(centre, monkeypatch):
    monkeypatch.setattr(serve, "DEADLINE_S", 2.0)
    began = time.monotonic()
    with centre.connect() as connection:
        while time.monotonic() - began < 2.5:
            connection.sendall(GET)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)


def test_a_request_that_came_in_time_may_be_answered_after_the_deadline(centre, impatient, monkeypatch):
    funds = read_models.funds

    def slow(*arguments):
        time.sleep(0.8)
        return funds(*arguments)

    monkeypatch.setattr(read_models, "funds", slow)
    assert centre.get("/v1/funds").status_code == 200


def test_a_header_without_end_is_closed_before_it_is_kept(centre):
    with centre.connect() as connection:
        assert is_cut_off(connection, [b"GET /livez HTTP/1.1\r\nX: ", *[b"a" * 4_096] * 4_000])


NO_HTTP = [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 10]


@pytest.mark.parametrize("sent", NO_HTTP)
def test_bytes_that_are_no_http_get_a_problem_and_not_a_page(centre, sent):
    with centre.connect() as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"content-type: application/problem+json" in answer
    assert b"html" not in answer.lower()


def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_comes(centre):
    with centre.connect() as connection:
        head = HEADER.replace(b"100", str(MOST_BYTES + 1).encode())
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_body_in_pieces_is_refused_once_it_is_too_large(centre):
    with centre.connect() as connection:
        connection.sendall(HEADER.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked"))
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        for _ in range(MOST_BYTES // 65_536 + 1):
            connection.sendall(piece)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_one_connection_too_many_is_closed_at_once_and_the_others_are_served(centre, monkeypatch):
    centre.session.close()
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 5)
    taken = [centre.connect() for _ in range(5)]
    with centre.connect() as sixth:
        assert seconds_until_closed(sixth) < 2
    for connection in taken:
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.close()


def test_many_idle_connections_do_not_keep_others_out(centre, impatient):
    idle = [centre.connect() for _ in range(100)]
    try:
        assert centre.session.get(f"{centre.url}/livez", timeout=5).status_code == 200
    finally:
        for connection in idle:
            connection.close()
