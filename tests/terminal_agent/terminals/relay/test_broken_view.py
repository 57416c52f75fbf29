"""What when nobody understands or watches the line? Every byte passes, and nothing is called unpaid.

Real sockets throughout.
"""

import socket
import threading

from watched_line import FEN, WatchedLine, eventually, given_up

from terminal_agent.checkout.ports import Say


def test_bytes_pass_untouched_both_ways_whatever_they_are():
    with socket.create_server(("127.0.0.1", 0)) as door, WatchedLine(host=CardHostAt(door)) as line:
        terminal = socket.create_connection(("127.0.0.1", line.forwarder.port))
        host, _ = door.accept()
        for content in (b"\x16\x03\x01" + bytes(range(256)) * 40, b"\x00", b"GET /\r\n" * 5000):
            for source, target in ((terminal, host), (host, terminal)):
                sender = threading.Thread(target=source.sendall, args=(content,))
                sender.start()
                received = b""
                while len(received) < len(content):
                    received += target.recv(65_536)
                sender.join()
                assert received == content
        terminal.shutdown(socket.SHUT_WR)
        assert host.recv(1) == b""
        host.sendall(b"still there")
        assert terminal.recv(100) == b"still there"
        host.close()
        assert terminal.recv(1) == b""
        terminal.close()


class CardHostAt:
    """Stands for a host that a test plays itself."""

    def __init__(self, door):
        self.address = door.getsockname()


# Without a whole view there is no "not paid".


def test_bytes_that_nobody_understands_break_the_view_and_pass_all_the_same(line):
    ask = line.arm(FEN)
    line.terminal.noise(b"\x00\x14" + b"\x60" + b"\xff" * 19)
    line.settle()
    assert line.until(ask, Say.UNCLEAR)
    assert line.payment.query(given_up(ask)).say is Say.UNCLEAR
    eventually(lambda: line.host.received == [b"\x00\x14" + b"\x60" + b"\xff" * 19])


def test_a_broken_view_does_not_hide_a_yes(line):
    ask = line.arm(FEN)
    line.new_terminal().noise(b"garbage")
    line.until(ask, Say.UNCLEAR)
    assert line.terminal.sell(FEN).approved
    assert line.until(ask, Say.APPROVED).approved_fen == FEN


def test_a_broken_view_is_whole_again_for_what_is_armed_next(line):
    first = line.arm(FEN)
    line.new_terminal().noise(b"garbage")
    line.until(first, Say.UNCLEAR)
    second = line.arm(FEN)
    assert line.payment.query(given_up(second)).say is Say.DECLINED
    assert line.payment.query(first).say is Say.UNCLEAR


def test_a_line_that_the_terminal_encrypts_passes_and_is_told_and_nothing_is_armed_on_it(line):
    armed_before = line.arm(FEN)
    with socket.create_connection(("127.0.0.1", line.forwarder.port)) as terminal:
        terminal.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        eventually(lambda: line.host.received == [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
    assert line.until(armed_before, Say.UNCLEAR)
    assert line.payment.prepare(line.new_ask(FEN)) is None
    assert "encrypts" in line.payment.state()["problem"]


def test_a_terminal_that_was_sent_away_may_go_another_way_so_the_view_is_broken():
    with socket.create_server(("127.0.0.1", 0)) as door:
        nobody = CardHostAt(door)
    with WatchedLine(host=nobody) as line:
        ask = line.arm(FEN)
        assert line.terminal.sell(FEN).code == ""
        assert line.until(ask, Say.UNCLEAR)


def test_what_another_run_has_armed_is_unclear(line):
    assert line.payment.query(line.new_ask(FEN)).say is Say.UNCLEAR
    assert line.payment.reverse(line.new_ask(FEN), line.payment.query(line.new_ask(FEN)).evidence).say is (
        Say.PENDING
    )


# The forwarding path does not depend on whoever watches.


def test_a_watcher_that_dies_holds_up_no_byte():
    def dies(_content):
        raise SystemExit

    with WatchedLine(understand=dies) as line:
        ask = line.arm(FEN)
        assert line.terminal.sell(FEN).approved
        eventually(lambda: not line.observer.runs)
        assert all(line.terminal.sell(FEN + no).approved for no in range(20))
        assert line.payment.query(ask).say is Say.UNCLEAR
        assert line.payment.prepare(line.new_ask(FEN)) is None
        assert "nobody watches" in line.payment.state()["problem"]
        assert [event for event, _ in line.logged] == ["relay.listening", "relay.observer_dead"]
        assert len(line.observer._box._waiting) < 10


def test_a_watcher_that_stumbles_breaks_the_view_and_goes_on():
    stumbles = threading.Event()

    with WatchedLine() as line:
        understand = line.observer._understand

        def once(content):
            if not stumbles.is_set():
                stumbles.set()
                raise ValueError("6299998473651209384")
            return understand(content)

        line.observer._understand = once
        ask = line.arm(FEN)
        assert line.terminal.sell(FEN).approved
        assert line.until(ask, Say.UNCLEAR)
        second = line.arm(FEN)
        assert line.terminal.sell(FEN).approved
        assert line.until(second, Say.APPROVED)
        assert ("relay.observer_failed", {"error": "ValueError"}) in line.logged


def test_a_watcher_that_hangs_loses_its_view_and_no_byte():
    goes_on = threading.Event()
    with WatchedLine(most_bytes=2000) as line:
        understand = line.observer._understand
        line.observer._understand = lambda content: (goes_on.wait(20), understand(content))[1]
        ask = line.new_ask(FEN)
        line.payment.take(ask)
        slips = [line.terminal.sell(FEN + no) for no in range(1, 30)]
        assert all(slip.approved for slip in slips)
        assert line.observer._box._held <= 2000
        goes_on.set()
        assert line.until(ask, Say.UNCLEAR)


def test_a_port_that_is_taken_is_told_and_tried_again(line):
    from terminal_agent.system import SystemClock
    from terminal_agent.terminals.relay.forward import Forwarder

    second = Forwarder(("127.0.0.1", line.forwarder.port), ("127.0.0.1", 1), line.observer, SystemClock())
    threading.Thread(target=second.run, args=(lambda *_a, **_k: None,), daemon=True).start()
    assert str(line.forwarder.port) in eventually(lambda: "used" in second.problem and second.problem)
