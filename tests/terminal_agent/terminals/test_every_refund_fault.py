"""Whatever goes wrong while money is given back: do the books agree to the fen with what was answered?"""

import signal
import subprocess
import sys
from typing import NamedTuple

import msgspec
import pytest
from emulator import REPO

from terminal_agent.checkout.ports import Say

FEN = 339_915
SOLD, VOIDED, REFUNDED = ("sale", FEN), ("void", FEN), ("refund", FEN)
A, D, U, P = Say.APPROVED, Say.DECLINED, Say.UNCLEAR, Say.PENDING

VOID, REFUND = "void", "refund"
"""The step that goes wrong: the void of an open batch, or the refund after a void was refused."""


class Case(NamedTuple):
    """A fault at one step: the first answer, what every later one is in the end, and what the books hold."""

    step: str
    fault: str
    options: dict
    first: Say
    later: Say
    booked: list


def both(fault, first, later=A, *, booked=True, **options):
    """Return the case of each step. `booked` says whether the step itself is in the books."""
    return [
        Case(VOID, fault, options, first, later, [VOIDED] if booked else []),
        Case(REFUND, fault, options, first, later, [REFUNDED] if booked else []),
    ]


CASES = [
    *both("no_ack", U),
    *both("no_ack", A, frames=1),
    *both("no_ack", A, charged=True),
    *both("nak", A),
    *both("nak", U, n=3),
    *both("bad_lrc", A, n=1),
    *both("bad_lrc", U),
    *both("lost_request", U),
    *both("lost_answer", U),
    *both("late_answer", U, ms=1500),
    *both("late_answer", A, ms=250),
    *both("doubled_answer", A),
    *both("crossed_answer", A),
    *both("crossed_answer", U, then_right=False),
    *both("wrong_terminal", U),  # its last transaction names the right one
    *both("wrong_nonce", U),
    *both("unclear_code", U, U),
    *both("unclear_code", U, U, charged=False, booked=False),
    *both("clear_card", A),
    *both("noise", A),
    *both("split", A),
    *both("split", U, pause_ms=120),
    *both("progress", A, n=2, every_ms=400),
    *both("unplug_after_ack", U, ms=300),
    Case(VOID, "declined", {}, A, A, [REFUNDED]),  # a sure no: the refund follows at once
    Case(VOID, "void_declined", {}, A, A, [REFUNDED]),
    Case(VOID, "void_declined", {"code": "94"}, U, U, []),  # an earlier void may have been done
    Case(REFUND, "declined", {"code": "61"}, D, D, []),
    Case(REFUND, "declined", {"code": "A0"}, U, U, []),  # no terminal undoes a refund
    Case(REFUND, "partial", {}, A, A, [("refund", FEN // 2)]),
    Case(REFUND, "wrong_amount", {"fen": 1}, A, A, [("refund", 1)]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.step}: {case.fault} {case.options}")
def test_a_fault_is_answered_as_it_is_and_money_goes_back_at_most_once(
    case, emulator, driver, sell, begin_return
):
    ask, paid = sell(FEN)
    if case.step == REFUND:
        emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault(case.fault, on=case.step, **case.options)

    answers = [driver.refund(ask, back) for _ in range(2)]
    while answers[-1].say is P:
        answers.append(driver.refund(ask, back))
    answers += [driver.refund(ask, back) for _ in range(2)]

    assert answers[0].say is case.first
    assert {one.say for one in answers[1:]} == {case.later}
    booked = emulator.moved(ask.pay_ref)
    assert booked == [SOLD, *case.booked]
    agrees(answers, booked)


def test_every_known_fault_has_a_case_at_the_step_that_it_can_strike(emulator):
    elsewhere = {"silent_query", "kill"}  # below
    for_sales = {"partial", "wrong_amount"}  # a void has no amount of its own
    known = set(emulator.call("GET", "/faults")["known"])
    struck = {step: {case.fault for case in CASES if case.step == step} for step in (VOID, REFUND)}
    assert struck[VOID] | elsewhere | for_sales == known
    assert struck[REFUND] | elsewhere | {"void_declined"} == known


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "bad_lrc", "no_ack", "unplug_after_ack"])
def test_a_fault_at_every_step_of_one_return_gives_back_once(fault, emulator, driver, sell, begin_return):
    ask, paid = sell(FEN)
    emulator.settle()
    back = begin_return(ask, paid)
    answers = []
    for step in (VOID, "query", REFUND, "query"):
        emulator.fault("silent_query" if step == "query" else fault, on=step)
    for _ in range(8):
        answers.append(driver.refund(ask, back))
    assert answers[0].say is U
    assert answers[-1].say is A
    assert emulator.call("GET", "/faults")["faults"] == []
    agrees(answers, booked := emulator.moved(ask.pay_ref))
    assert booked == [SOLD, REFUNDED]


def test_a_silent_query_sends_nothing(emulator, driver, sell, begin_return):
    ask, paid = sell(FEN)
    back = begin_return(ask, paid)
    emulator.fault("silent_query", times=2)
    assert [driver.refund(ask, back).say for _ in range(3)] == [U, U, A]
    assert emulator.moved(ask.pay_ref) == [SOLD, VOIDED]


def test_a_cable_that_is_out_sends_nothing(emulator, drive, sell, begin_return):
    ask, paid = sell(FEN)
    back = begin_return(ask, paid)
    emulator.unplug(1200)
    assert drive(emulator, status_wait_ms=300).refund(ask, back).say is U
    assert drive(emulator, status_wait_ms=3000).refund(ask, back).say is A
    assert emulator.moved(ask.pay_ref) == [SOLD, VOIDED]


TILL = f"""
import sys
sys.path[:0] = [{str(REPO)!r}, {str(REPO / "tests/support")!r}]
import os, time
import msgspec
from emulator import short_profile
from terminal_agent.checkout.ports import Ask, Back
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal
class Clock:
    wall_ms = staticmethod(lambda: time.time_ns() // 1_000_000)
    steady_ms = staticmethod(lambda: time.monotonic_ns() // 1_000_000)
    sleep = staticmethod(time.sleep)
print(os.getpid(), flush=True)
link = sys.stdin.readline().strip()
back = msgspec.json.decode(sys.stdin.readline(), type=Back)
profile = short_profile()
ask = Ask(back.refund_no[:-1], back.fen, "07", "1")
DrivenTerminal(profile, lambda: open_serial(link, profile.line), Clock).refund(ask, back)
"""


@pytest.mark.parametrize("point", ["frame_received", "after_ack", "after_approval", "after_answer"])
@pytest.mark.parametrize("step", [VOID, REFUND])
def test_a_till_that_dies_during_a_return_finishes_it_after(
    step, point, emulator, driver, sell, begin_return
):
    ask, paid = sell(FEN)
    if step == REFUND:
        emulator.settle()
    back = begin_return(ask, paid)
    with subprocess.Popen(
        [sys.executable, "-c", TILL], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        emulator.fault("kill", on=step, point=point, pid=int(process.stdout.readline()))
        process.communicate(
            b"%s\n%s\n" % (str(emulator.link).encode(), msgspec.json.encode(back)), timeout=10
        )
        assert process.returncode == -signal.SIGKILL

    answer = driver.refund(ask, back)
    while answer.say is P:
        answer = driver.refund(ask, back)
    assert answer.say is A
    booked = emulator.moved(ask.pay_ref)
    assert booked == [SOLD, VOIDED if step == VOID else REFUNDED]
    agrees([answer], booked)


def agrees(answers, booked):
    """Hold what was answered against the books: to the fen, and never two give-backs."""
    given_back = [fen for kind, fen in booked if kind != "sale"]
    assert len(given_back) <= 1
    for answer in answers:
        assert answer.approved_fen == (sum(given_back) if answer.say is A else None)
        if answer.say is A:
            assert given_back
        if answer.say is D:
            assert not given_back
