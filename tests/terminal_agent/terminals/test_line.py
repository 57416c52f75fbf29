"""What happens when the port is taken, pulled, or its other side dies?"""

import signal
import subprocess
import sys
import threading
import time
from typing import ClassVar

import msgspec
import pytest
from emulator import REPO, EmulatedTerminal, short_profile

from terminal_agent.checkout.ports import Say
from terminal_agent.terminals import link_serial
from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.link_serial import open_patiently, open_serial
from terminal_agent.terminals.profile import Line

LINE = short_profile().line


def test_a_port_in_use_is_refused_and_free_again_after_closing(emulator):
    with open_serial(str(emulator.link), LINE), pytest.raises(LinkFault, match="in use"):
        open_serial(str(emulator.link), LINE)
    open_serial(str(emulator.link), LINE).close()


def test_a_port_held_by_another_process_is_refused(emulator):
    program = f"""
import serial, sys
port = serial.Serial({str(emulator.link)!r}, exclusive=True)
print("held", flush=True)
sys.stdin.read()
port.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LinkFault):
            open_serial(str(emulator.link), LINE)


def test_while_the_port_is_in_use_nothing_is_sent_and_nothing_is_claimed(emulator, driver, ask_for):
    ask = ask_for()
    with open_serial(str(emulator.link), LINE):
        assert driver.prepare(ask) is None
        assert driver.take(ask).say is Say.UNCLEAR
        assert driver.query(ask).say is Say.UNCLEAR
    assert emulator.moved(ask.pay_ref) == []


def test_the_port_is_free_between_two_calls(emulator, driver, ask_for):
    ask = ask_for()
    for call in (driver.prepare, driver.take, driver.query):
        call(ask)
        open_serial(str(emulator.link), LINE).close()


def test_a_port_that_does_not_exist_is_one_fault(tmp_path):
    with pytest.raises(LinkFault, match="Check its cable"):
        open_serial(str(tmp_path / "nothing"), LINE)


def test_a_file_is_no_port(tmp_path):
    (tmp_path / "file").write_text("no port")
    with pytest.raises(LinkFault):
        open_serial(str(tmp_path / "file"), LINE)


def test_reading_and_writing_a_line_that_was_pulled_is_one_fault(emulator):
    with open_serial(str(emulator.link), LINE) as link:
        emulator.unplug(300)
        with pytest.raises(LinkFault, match="lost"):
            link.read(0.2)
        with pytest.raises(LinkFault, match="lost"):
            link.write(b"\x06")


def test_a_line_pulled_during_a_read_ends_it(emulator):
    with open_serial(str(emulator.link), LINE) as link:
        pull = threading.Timer(0.1, emulator.unplug, (200,))
        pull.start()
        began = time.monotonic()
        with pytest.raises(LinkFault):
            link.read(5)
        assert time.monotonic() - began < 2
        pull.join()


def test_a_cable_pushed_back_in_is_found_again(emulator, driver, ask_for):
    emulator.unplug(300)
    assert driver.prepare(ask_for()) is not None


def test_a_cable_that_stays_out_is_given_up_after_its_time(emulator, drive, ask_for):
    emulator.unplug(3000)
    began = time.monotonic()
    assert drive(emulator, status_wait_ms=600).prepare(ask_for()) is None
    assert 0.4 < time.monotonic() - began < 2.5
    assert drive(emulator, status_wait_ms=8000).prepare(ask_for()) is not None


def test_the_pauses_between_tries_grow_to_five_seconds():
    class Paused:
        def __init__(self):
            self.now = 0
            self.pauses = []

        def wall_ms(self):
            return self.now

        def steady_ms(self):
            return self.now

        def sleep(self, seconds):
            self.pauses.append(seconds)
            self.now += int(seconds * 1000)

    def never():
        raise LinkFault("away")

    clock = Paused()
    with pytest.raises(LinkFault):
        open_patiently(never, clock, for_s=20)
    assert clock.pauses == [0.5, 1, 2, 4, 5, 5]


def test_a_terminal_that_was_switched_off_knows_its_last_transaction(tmp_path, drive, ask_for):
    ask = ask_for()
    with EmulatedTerminal.start(tmp_path) as terminal:
        driver = drive(terminal, status_wait_ms=3000)
        assert driver.prepare(ask) == "000000"
        terminal.fault("lost_answer")
        assert driver.take(ask).say is Say.UNCLEAR
        terminal.kill()
    with EmulatedTerminal.start(tmp_path) as again:
        found = driver.query(ask)
        assert found.say is Say.APPROVED
        assert driver.prepare(ask) == found.evidence.trace == "000001"
        assert driver.reverse(ask, found.evidence).say is Say.APPROVED
        assert again.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]


def test_a_terminal_that_dies_during_a_sale_leaves_it_unclear_and_then_not_found(tmp_path, drive, ask_for):
    ask = ask_for()
    with EmulatedTerminal.start(tmp_path, work_ms=5000) as terminal:
        driver = drive(terminal, answer_wait_ms=3000, answer_cap_ms=3000)
        ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
        death = threading.Timer(0.2, terminal.kill)
        death.start()
        assert driver.take(ask).say is Say.UNCLEAR
        death.join()
    with EmulatedTerminal.start(tmp_path) as again:
        assert driver.query(ask).say is Say.NOT_FOUND
        assert again.books() == []


@pytest.mark.parametrize("point", ["after_ack", "after_approval", "after_answer"])
def test_the_terminal_goes_on_with_the_sale_when_the_till_dies(point, emulator, driver, ask_for):
    ask = ask_for()
    waits_for_ever = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(waits_for_ever, stdin=subprocess.PIPE) as till:
        emulator.fault("kill", point=point, pid=till.pid)
        driver.take(ask)
        assert till.wait(timeout=5) == -signal.SIGKILL
    assert driver.query(ask).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [("sale", ask.amount_fen)]


def test_a_frame_whose_till_died_before_the_ack_is_not_charged(emulator, drive, ask_for):
    ask = ask_for()
    driver = drive(emulator)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    till = f"""
import sys
sys.path[:0] = [{str(REPO)!r}, {str(REPO / "tests/support")!r}]
import os, time
from emulator import short_profile
from terminal_agent.checkout.ports import Ask
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal
class Clock:
    wall_ms = steady_ms = staticmethod(lambda: time.monotonic_ns() // 1_000_000)
    sleep = staticmethod(time.sleep)
print(os.getpid(), flush=True)
sys.stdin.readline()
profile = short_profile()
DrivenTerminal(profile, lambda: open_serial({str(emulator.link)!r}, profile.line), Clock).take(
    Ask({ask.pay_ref!r}, 100, "07", "1"))
"""
    with subprocess.Popen(
        [sys.executable, "-c", till], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        emulator.fault("kill", point="frame_received", pid=int(process.stdout.readline()))
        process.communicate(b"go\n", timeout=10)
        assert process.returncode == -signal.SIGKILL
    assert driver.query(ask).say is Say.NOT_FOUND
    assert emulator.moved(ask.pay_ref) == []


def test_a_port_is_opened_as_the_profile_says_with_the_lines_down(monkeypatch):
    # A pseudo-terminal has neither parity nor modem lines, so a recorder stands in for the port.
    class Recorder:
        opened: ClassVar[list[dict]] = []

        def open(self):
            if self.port != "/dev/ttyUSB7":  # a relay that an earlier test has left waits for its line
                raise link_serial.serial.SerialException
            self.opened.append(dict(vars(self)))

    monkeypatch.setattr(link_serial.serial, "Serial", Recorder)
    open_serial("/dev/ttyUSB7", Line(baud=115_200, parity="even", stop_bits=2))
    (settings,) = Recorder.opened
    assert settings == {
        "port": "/dev/ttyUSB7",
        "baudrate": 115_200,
        "parity": "E",
        "stopbits": 2,
        "write_timeout": 2.0,
        "exclusive": True,
        "dtr": False,
        "rts": False,
    }
