"""What does each driver say of itself, and is it acted on?"""

import re

import msgspec
import pytest
from emulator import MIS_FILE, NEXO_FILE, PROFILE_FILES, EmulatedTerminal, short_profile_text

from subsidy import ids
from terminal_agent.checkout.ports import Back, Say
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.terminal import Can, LostAnswer

SEPARATED = PROFILE_FILES["separated"].read_text(encoding="utf-8")


def without_refund(text):
    found = re.sub(r"^  refund:\n(    .*\n)+", "", text, flags=re.MULTILINE)
    assert found != text
    return found


@pytest.mark.parametrize(
    ("driver", "port", "text", "can", "words"),
    [
        (
            "stx_lrc",
            "/dev/ttyUSB0",
            PROFILE_FILES["allinpay"].read_text(encoding="utf-8"),
            Can(LostAnswer.LAST_WITH_NUMBER, refund_later=True),
            "a lost answer is asked for its last transaction; returns on any day",
        ),
        (
            "serial_ecr",
            "/dev/ttyUSB0",
            without_refund(SEPARATED),
            Can(LostAnswer.LAST_WITH_NUMBER, refund_later=False),
            "a lost answer is asked for its last transaction; returns until the batch is closed",
        ),
        (
            "nexo_tcp",
            "10.0.0.7:4000/P400-1",
            NEXO_FILE.read_text(encoding="utf-8"),
            Can(LostAnswer.BY_NUMBER, refund_later=True),
            "a lost answer is asked by our number; returns on any day",
        ),
        (
            "mis_fixed",
            "dll:C:/ums/posinf.dll",
            MIS_FILE.read_text(encoding="utf-8"),
            Can(LostAnswer.LAST_THAT_FITS, refund_later=True),
            "a lost answer is asked for its last transaction, which fits or parks; returns on any day",
        ),
    ],
)
def test_a_driver_says_what_its_terminal_can(driver, port, text, can, words):
    terminal = DRIVERS[driver](port, text, "x.yaml")
    assert (terminal.port, terminal.can, terminal.can.in_words()) == (port, can, words)


def test_a_terminal_without_a_refund_voids_on_the_day_and_says_no_after(tmp_path, clock, ask_for):
    with EmulatedTerminal.start(tmp_path, work_ms=0, kind="separated") as emulator:
        text = without_refund(short_profile_text("separated"))
        driver = DRIVERS["serial_ecr"](str(emulator.link), text, "x.yaml").payment(clock)

        def sell():
            ask = ask_for(12_000)
            ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
            return ask, driver.take(ask)

        ask, paid = sell()
        back = Back(ids.refund_no(ask.pay_ref), 12_000, paid.evidence, driver.prepare(ask))
        assert driver.refund(ask, back).say is Say.APPROVED
        ask, paid = sell()
        emulator.settle()
        back = Back(ids.refund_no(ask.pay_ref), 12_000, paid.evidence, driver.prepare(ask))
        answer = driver.refund(ask, back)
        assert (answer.say, answer.evidence.code) == (Say.DECLINED, "NO_REFUND")
        assert emulator.moved(ask.pay_ref) == [("sale", 12_000)]
