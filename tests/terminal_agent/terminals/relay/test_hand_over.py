"""A terminal without a network hands its frames over its serial port: the same line, the same truth."""

import threading

import pytest
from card_host import CardHost, Next
from serial_asker import SerialAsker
from watched_line import TERMINAL, eventually, profile_text

from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.system import SystemClock
from terminal_agent.terminals.drivers import DRIVERS

FEN = 85_000


class Counter:
    def __init__(self, asker, host):
        text = profile_text(host.address).replace(
            "# line:\n#   baud: 9600\n#   parity: none\n#   stop_bits: 1",
            "line:\n  baud: 9600\n  parity: none\n  stop_bits: 1",
        )
        self.host, self.asker, self.terminal = host, asker, asker.terminal
        self.payment = DRIVERS["relay"](asker.port, text, "relay.yaml").payment(SystemClock())
        self.seen, self.logged = [], []
        log = lambda event, **_: self.logged.append(event)  # noqa: E731
        for run in self.payment.workers(TERMINAL, self.seen.append, log).values():
            threading.Thread(target=run, daemon=True).start()
        eventually(lambda: self.payment.state()["problem"] == "")

    def arm(self):
        ask = Ask(f"PAYREF{len(self.seen):020d}01", FEN, "cashier-1", "01")
        assert self.payment.take(ask).say is Say.PENDING
        return ask

    def until(self, ask, say):
        return eventually(lambda: (said := self.payment.query(ask)).say is say and said)


@pytest.fixture
def counter():
    with CardHost() as host, SerialAsker(host.address) as asker:
        yield Counter(asker, host)


def test_a_sale_that_is_carried_is_the_attempt(counter):
    ask = counter.arm()
    slip = counter.terminal.sell(FEN)
    assert slip.approved
    assert counter.until(ask, Say.APPROVED).evidence.trace == slip.trace
    assert counter.terminal.void(slip.trace).approved
    assert counter.until(ask, Say.DECLINED).evidence.code == "VOIDED"
    assert counter.host.standing() == {}
    assert counter.asker.codes == [b"00", b"00"]


def test_a_frame_that_comes_twice_is_carried_once(counter):
    ask = counter.arm()
    counter.asker.lose_ack = 1
    assert counter.terminal.sell(FEN).approved
    counter.until(ask, Say.APPROVED)
    assert counter.host.standing() == {"000001": FEN}
    assert len(counter.host.received) == 1


def test_an_answer_that_never_comes_is_told_to_the_terminal_and_a_reversal_ends_it(counter):
    counter.host.nexts.append(Next(answers=False))
    ask = counter.arm()
    assert not counter.terminal.sell(FEN).approved
    assert counter.asker.codes == [b"E1"]
    assert counter.until(ask, Say.UNCLEAR)
    assert counter.terminal.reverse("000001").approved
    assert counter.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert counter.host.standing() == {}


def test_nothing_is_carried_anywhere_but_to_the_acquirer(counter):
    assert counter.asker.ask(b"\0\0", to=("127.0.0.1", 1)) is None
    assert counter.asker.ask(b"\0\0", to=("203.0.113.9", counter.host.address[1])) is None
    assert counter.asker.codes == [b"E2", b"E2"]
    assert counter.host.received == []


def test_noise_on_the_cable_harms_nothing(counter):
    counter.asker.write(b"\xff\x02\x10\x00\x7e" * 50)
    threading.Event().wait(0.5)
    ask = counter.arm()
    assert counter.terminal.sell(FEN).approved
    assert counter.until(ask, Say.APPROVED)
