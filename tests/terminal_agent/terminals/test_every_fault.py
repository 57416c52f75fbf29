"""What does the driver answer for each fault of a real emulator on a real line, and did money move?"""

from typing import NamedTuple

import msgspec
import pytest

from terminal_agent.checkout.ports import Say

FEN = 339_915


class Case(NamedTuple):
    name: str
    fault: str
    options: dict
    took: Say
    query: Say
    booked: list
    approved_fen: int | None = FEN


ONCE = [("sale", FEN)]
NEVER = []

CASES = [
    Case("an explicit no is a no", "declined", {}, Say.DECLINED, Say.DECLINED, NEVER),
    Case("a terminal that hears nothing", "no_ack", {}, Say.UNCLEAR, Say.NOT_FOUND, NEVER),
    Case("one lost frame is sent again", "no_ack", {"frames": 1}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("a lost ACK is not paid twice", "no_ack", {"charged": True}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("one NAK is sent again", "nak", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("three NAKs end it", "nak", {"n": 3}, Say.UNCLEAR, Say.NOT_FOUND, NEVER),
    Case("one damaged answer is asked for again", "bad_lrc", {"n": 1}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("three damaged answers end it", "bad_lrc", {}, Say.UNCLEAR, Say.APPROVED, ONCE),
    Case("a request lost after its ACK", "lost_request", {}, Say.UNCLEAR, Say.NOT_FOUND, NEVER),
    Case("an answer lost after the charge", "lost_answer", {}, Say.UNCLEAR, Say.APPROVED, ONCE),
    Case("an answer that comes too late", "late_answer", {"ms": 1500}, Say.UNCLEAR, Say.APPROVED, ONCE),
    Case(
        "an answer that comes late but in time", "late_answer", {"ms": 250}, Say.APPROVED, Say.APPROVED, ONCE
    ),
    Case("an answer that comes twice", "doubled_answer", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("another's answer before ours", "crossed_answer", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case(
        "another's answer instead", "crossed_answer", {"then_right": False}, Say.UNCLEAR, Say.APPROVED, ONCE
    ),
    Case(
        "another amount is told as it is",
        "wrong_amount",
        {"fen": 1},
        Say.APPROVED,
        Say.APPROVED,
        [("sale", 1)],
        1,
    ),
    Case("half is told as half", "partial", {}, Say.APPROVED, Say.APPROVED, [("sale", FEN // 2)], FEN // 2),
    Case("another terminal's number is told", "wrong_terminal", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("an answer with another nonce is not ours", "wrong_nonce", {}, Say.UNCLEAR, Say.APPROVED, ONCE),
    Case("an unclear code, charged", "unclear_code", {}, Say.UNCLEAR, Say.UNCLEAR, ONCE),
    Case("an unclear code, not charged", "unclear_code", {"charged": False}, Say.UNCLEAR, Say.UNCLEAR, NEVER),
    Case("garbage on the line", "noise", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("an answer in single bytes", "split", {}, Say.APPROVED, Say.APPROVED, ONCE),
    Case("an answer torn by long pauses", "split", {"pause_ms": 120}, Say.UNCLEAR, Say.APPROVED, ONCE),
    Case(
        "progress keeps the wait alive",
        "progress",
        {"n": 2, "every_ms": 400},
        Say.APPROVED,
        Say.APPROVED,
        ONCE,
    ),
    Case("a cable pulled after the ACK", "unplug_after_ack", {"ms": 300}, Say.UNCLEAR, Say.APPROVED, ONCE),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_answered_as_it_is_and_money_moves_at_most_once(case, emulator, driver, ask_for):
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    assert ask.mark is not None
    emulator.fault(case.fault, **case.options)

    took = driver.take(ask)
    found = driver.query(ask)

    assert (took.say, found.say) == (case.took, case.query)
    assert emulator.moved(ask.pay_ref) == case.booked
    for answer in (took, found):
        assert answer.approved_fen == (case.approved_fen if answer.say is Say.APPROVED else None)
    if case.booked:
        assert driver.reverse(ask, found.evidence).say is Say.APPROVED
        assert emulator.moved(ask.pay_ref) == [*case.booked, ("void", case.booked[0][1])]


def test_every_known_fault_has_a_case(emulator):
    elsewhere = {"clear_card", "silent_query"}  # below
    in_other_files = {"void_declined", "kill"}  # test_reverse.py, test_line.py
    known = set(emulator.call("GET", "/faults")["known"])
    assert {case.fault for case in CASES} | elsewhere | in_other_files == known


def test_an_undisturbed_sale_is_paid_once_with_its_proof(emulator, driver, ask_for):
    ask = ask_for(FEN)
    mark = driver.prepare(ask)

    answer = driver.take(ask)

    (line,) = [line for line in emulator.books() if line["pay_ref"] == ask.pay_ref]
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, FEN)
    assert int(answer.evidence.trace) == int(mark) + 1
    assert answer.evidence == driver.query(ask).evidence
    assert (answer.evidence.terminal_no, answer.evidence.merchant_no) == ("EMU00001", "EMU000000000001")
    assert (answer.evidence.code, answer.evidence.text) == ("00", "交易成功")
    assert answer.evidence.masked_pan == "629999*********9384"
    for kept, booked in (("trace", "trace"), ("rrn", "rrn"), ("auth", "auth"), ("batch", "batch")):
        assert getattr(answer.evidence, kept) == line[booked]
    assert line["fen"] == FEN
    assert line["nonce"] == ask.pay_ref[-8:]


def test_the_wrong_terminal_is_named_in_the_evidence(emulator, driver, ask_for):
    emulator.fault("wrong_terminal")
    assert driver.take(ask_for()).evidence.terminal_no == "EMU99999"


def test_a_partial_approval_keeps_its_code(emulator, driver, ask_for):
    emulator.fault("partial")
    assert driver.take(ask_for()).evidence.code == "10"


@pytest.mark.parametrize("form", ["text", "bcd", "hex"])
def test_nothing_of_a_clear_card_is_kept(form, emulator, driver, ask_for):
    card, phone, identity = "6299998473651209384", "13800138000", "11010519491231002X"
    ask = ask_for()
    emulator.fault("clear_card", form=form)

    answers = [driver.take(ask), driver.query(ask)]

    packed = bytes.fromhex(card + "F")
    for answer in answers:
        assert answer.say is Say.APPROVED
        shown = repr(answer) + repr(msgspec.to_builtins(answer))
        for secret in (card, phone, identity, card.encode().hex(), packed.decode("gbk", errors="ignore")):
            assert secret not in shown
        assert answer.evidence.masked_pan in ("", "629999*********9384")
        assert card[6:15] not in shown


def test_a_terminal_at_work_says_so_and_is_asked_again(emulator, driver, ask_for):
    ask = ask_for()
    emulator.fault("progress", n=7, every_ms=300)

    assert driver.take(ask).say is Say.UNCLEAR  # the cap of 1.4 s holds against any progress
    assert driver.query(ask).say is Say.PENDING
    assert driver.query(ask_for()).say is Say.UNCLEAR  # somebody else's work is not ours
    assert driver.take(second := ask_for()).say is Say.PENDING  # and takes no second sale meanwhile
    assert emulator.moved(second.pay_ref) == []
    assert driver.prepare(ask_for()) is None
    assert driver.reverse(ask, driver.query(ask).evidence).say is Say.PENDING

    answer = driver.query(ask)
    while answer.say is Say.PENDING:
        answer = driver.query(ask)
    assert answer.say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [("sale", ask.amount_fen)]


def test_a_silent_query_is_no_answer_and_may_be_repeated(emulator, driver, ask_for):
    ask = ask_for()
    driver.take(ask)
    emulator.fault("silent_query", times=2)

    assert driver.query(ask).say is Say.UNCLEAR
    assert driver.prepare(ask) is None
    assert driver.query(ask).say is Say.APPROVED


def test_a_trace_moved_by_somebody_else_is_not_a_no(emulator, driver, ask_for):
    ask = ask_for()
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    emulator.fault("lost_request")
    driver.take(ask)
    driver.take(ask_for(5_000))  # a plain sale by the shop's other software

    found = driver.query(ask)

    assert found.say is Say.UNCLEAR
    assert found.evidence == type(found.evidence)()  # or the stranger's sale would be voided


def test_without_a_mark_the_same_trace_proves_nothing(emulator, driver, ask_for):
    ask = ask_for()
    emulator.fault("lost_request")
    driver.take(ask)
    assert driver.query(ask).say is Say.UNCLEAR
