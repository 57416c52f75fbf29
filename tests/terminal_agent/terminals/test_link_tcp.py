"""What happens when a terminal on the network is away, goes away, or says nothing?"""

import socket
import threading
import time

import pytest

from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.link_tcp import open_tcp


@pytest.fixture
def far():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_nobody_there_is_one_fault_with_a_remedy():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(LinkFault, match="Check its power, network and address"):
        open_tcp("127.0.0.1", port, 1)
    with pytest.raises(LinkFault):
        open_tcp("no-such-host.invalid", 4000, 1)


def test_a_line_is_watched_and_nothing_is_held_back(far):
    link = open_tcp("127.0.0.1", far.getsockname()[1], 1)
    connection = link._connection
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    idle = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    assert [connection.getsockopt(socket.IPPROTO_TCP, one) for one in idle] == [15, 5, 3]
    link.close()


def test_silence_is_empty_after_its_time_and_bytes_come_as_they_are(far):
    link = open_tcp("127.0.0.1", far.getsockname()[1], 1)
    near, _ = far.accept()
    with near:
        began = time.monotonic()
        assert link.read(0.1) == b""
        assert 0.05 < time.monotonic() - began < 2
        near.sendall(b"\x00\x01")
        assert link.read(1) == b"\x00\x01"
        link.write(b"request")
        assert near.recv(100) == b"request"
    link.close()


def test_a_line_that_the_other_side_closes_is_lost_at_once(far):
    link = open_tcp("127.0.0.1", far.getsockname()[1], 1)
    near, _ = far.accept()
    closing = threading.Timer(0.1, near.close)
    closing.start()
    began = time.monotonic()
    with pytest.raises(LinkFault, match="was lost"):
        link.read(5)
    assert time.monotonic() - began < 2
    closing.join()
    with pytest.raises(LinkFault, match="was lost"):
        link.write(b"x" * 50_000_000)
    link.close()
