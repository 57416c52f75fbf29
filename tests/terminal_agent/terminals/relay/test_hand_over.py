"""A terminal without a network hands its frames over its serial port: the same line, the same truth."""

import threading
from contextlib import suppress

import pytest
from card_host import CardHost, Next
from msgspec.structs import replace
from watched_line import TERMINAL, eventually, profile_text

from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.checkout.sighting import Sight
from terminal_agent.emulators import line_frames
from terminal_agent.emulators.pty_link import PtyLink
from terminal_agent.emulators.serial_asker import HandingTerminal, SerialAsker
from terminal_agent.system import SystemClock
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.relay.forward import ENDS

FEN = 85_000
ACK = b"\x06"
ACK_WAIT_S = 0.5
HOST_MS = 1000


class Counter:
    def __init__(self, port, asker, host):
        text = profile_text(host.address, on_serial=True, host_timeout_ms=HOST_MS)
        self.host, self.asker, self.terminal = host, asker, HandingTerminal(asker)
        self.payment = DRIVERS["relay"](port, text, "relay.yaml").payment(SystemClock())
        self.seen, self.logged = [], []
        log = lambda event, **_: self.logged.append(event)  # noqa: E731
        for run in self.payment.workers(TERMINAL, self.seen.append, log).values():
            threading.Thread(target=self._until_dead, args=(run,), daemon=True).start()
        eventually(lambda: self.payment.state()["problem"] == "")

    @staticmethod
    def _until_dead(run):
        with suppress(SystemExit):
            run()

    def die(self):
        """End the thread on the port, which the next test may get by the same name."""

        def dead():
            raise SystemExit

        self.payment._line._open_link = dead

    def arm(self):
        ask = Ask(f"PAYREF{len(self.seen):020d}01", FEN, "cashier-1", "01")
        assert self.payment.take(ask).say is Say.PENDING
        return ask

    def until(self, ask, say):
        return eventually(lambda: (said := self.payment.query(ask)).say is say and said)


@pytest.fixture
def counter(tmp_path):
    port = tmp_path / "terminal"
    with CardHost() as host, SerialAsker(PtyLink(port), host.address, ACK_WAIT_S) as asker:
        counter = Counter(str(port), asker, host)
        yield counter
        counter.die()


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


def test_an_answer_that_the_terminal_never_takes_is_no_yes(counter):
    ask = counter.arm()
    counter.asker.takes_answers = False
    assert not counter.terminal.sell(FEN).approved
    assert counter.host.standing() == {"000001": FEN}
    assert counter.until(ask, Say.UNCLEAR)
    counter.asker.takes_answers = True
    assert counter.terminal.reverse("000001").approved
    assert counter.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert counter.host.standing() == {}


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


def test_a_frame_that_failed_and_comes_twice_is_carried_once(counter):
    counter.host.nexts.append(Next(answers=False))
    ask = counter.arm()
    counter.asker.lose_ack = 1
    assert not counter.terminal.sell(FEN).approved
    assert counter.asker.codes == [b"E1"]
    assert len(counter.host.received) == 1
    assert counter.until(ask, Say.UNCLEAR)


def test_a_refund_whose_yes_the_terminal_never_takes_is_known(counter):
    ask = counter.arm()
    slip = counter.terminal.sell(FEN)
    counter.until(ask, Say.APPROVED)
    counter.asker.takes_answers = False
    assert not counter.terminal.refund(slip.trace, wait_s=0.5).approved
    eventually(lambda: counter.host.standing() == {})
    counter.asker.takes_answers = True
    counter.terminal.sign_in()  # it has gone on
    assert counter.until(ask, Say.DECLINED).evidence.code == "REFUNDED"


def test_a_cable_that_is_pulled_before_the_answer_leaves_the_sale_unclear_and_not_under_way(counter):
    answers = threading.Event()
    counter.host.nexts.append(Next(before=answers))
    counter.payment._line._answer_wait_s = 20.0
    ask = counter.arm()
    seller = threading.Thread(target=counter.terminal.sell, args=(FEN,), kwargs={"wait_s": 1.0})
    seller.start()
    eventually(lambda: counter.host.received)
    assert counter.payment.query(ask).say is Say.PENDING
    counter.terminal.drop()
    answers.set()
    assert counter.until(ask, Say.UNCLEAR)
    seller.join()
    eventually(lambda: counter.payment.state()["problem"] == "")
    assert counter.terminal.reverse("000001").approved
    assert counter.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert counter.host.standing() == {}


def test_a_charge_that_is_given_up_while_its_host_is_dialled_still_counts(counter):
    dialled, goes_on = threading.Event(), threading.Event()

    def slow(address):
        dialled.set()
        assert goes_on.wait(20)
        return ENDS.dial(address)

    counter.payment._line._ends = ENDS._replace(dial=slow)
    ask = counter.arm()
    seller = threading.Thread(target=counter.terminal.sell, args=(FEN,), kwargs={"wait_s": 20.0})
    seller.start()
    assert dialled.wait(20)
    assert counter.payment.query(replace(ask, given_up=True)).say is Say.PENDING
    goes_on.set()
    seller.join()
    assert counter.until(ask, Say.APPROVED)
    assert counter.host.standing() == {"000001": FEN}


def test_after_half_a_frame_that_never_ends_a_sale_that_is_given_up_is_not_paid(counter):
    ask = counter.arm()
    counter.asker.write(b"\x02\x02\x00\x9f\x01")
    eventually(lambda: counter.payment._line._begun)
    assert counter.payment.query(replace(ask, given_up=True)).say is Say.PENDING
    assert counter.until(ask, Say.DECLINED)


def test_a_frame_that_is_carried_nowhere_may_have_gone_another_way(counter):
    ask = counter.arm()
    assert counter.asker.ask(b"\0\0", to=("127.0.0.1", 1)) is None
    assert counter.payment.query(replace(ask, given_up=True)).say is Say.UNCLEAR


def test_an_ack_behind_noise_that_looks_like_a_frame_is_heard_with_the_next_one(counter):
    ask, write = counter.arm(), counter.asker._link.write
    noise = [b"\x02\x10\x00"]
    counter.asker._link.write = lambda data: write((noise.pop() if data == ACK and noise else b"") + data)
    assert counter.terminal.sell(FEN).approved
    assert counter.until(ask, Say.APPROVED)
    assert noise == []


def test_one_frame_is_handed_back_though_the_acquirer_answers_twice(counter):
    counter.host.nexts.append(Next(twice=True))
    told = counter.asker.ask(line_frames.write(*counter.terminal.request("sale", "000001", FEN)))
    assert len(told) == int.from_bytes(told[:2]) + 2


def test_an_answer_that_no_frame_can_hold_is_none_and_ends_nothing(counter):
    counter.host.nexts.append(Next(raw=(4090).to_bytes(2) + bytes(4090)))
    assert not counter.terminal.sell(FEN).approved
    assert counter.asker.codes == [b"E1"]
    assert counter.terminal.sell(FEN).approved


def test_a_frame_that_begins_when_its_time_is_over_is_not_the_attempt(counter):
    ask = counter.arm()
    threading.Event().wait(counter.payment.clocks.answer_wait_s)
    assert counter.terminal.sell(FEN).approved
    eventually(lambda: any(one.sight is Sight.SALE_NOT_OURS for one in counter.seen))
    assert counter.payment.query(ask).say is Say.DECLINED
