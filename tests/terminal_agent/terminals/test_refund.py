"""Is money given back once, by a void while the batch is open and by a refund after, and to nobody else?"""

import msgspec
import pytest
from emulator import EmulatedTerminal, short_profile

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Back, Say
from terminal_agent.terminals.exchange import Conversation, Wanted
from terminal_agent.terminals.framing import pack
from terminal_agent.terminals.link_serial import open_serial

FEN = 12_000
SOLD, VOIDED, REFUNDED = ("sale", FEN), ("void", FEN), ("refund", FEN)


def types(emulator, ask):
    return [line["type"] for line in emulator.books() if line["pay_ref"] == ask.pay_ref]


def test_in_an_open_batch_the_sale_is_voided(emulator, driver, sell, begin_return):
    ask, paid = sell()
    back = begin_return(ask, paid)
    answers = [driver.refund(ask, back) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert (answers[0].say, answers[0].approved_fen) == (Say.APPROVED, FEN)
    assert emulator.moved(ask.pay_ref) == [SOLD, VOIDED]


def test_after_the_batch_was_closed_the_void_is_refused_and_a_refund_follows(
    emulator, driver, sell, begin_return
):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    answers = [driver.refund(ask, back) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert (answers[0].say, answers[0].approved_fen) == (Say.APPROVED, FEN)
    assert emulator.moved(ask.pay_ref) == [SOLD, REFUNDED]
    assert types(emulator, ask) == [2, 3, 4]
    *_, line = emulator.books()
    assert (line["refund_no"], line["orig_trace"]) == (back.refund_no, paid.evidence.trace)
    assert (line["trace"], line["rrn"]) == (answers[0].evidence.trace, answers[0].evidence.rrn)
    assert line["nonce"][:2] == "0R"


def test_a_trace_of_an_earlier_batch_is_never_voided(emulator, driver, sell, begin_return):
    ask, paid = sell()
    emulator.settle()
    sell()
    assert driver.refund(ask, begin_return(ask, paid)).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, REFUNDED]
    assert types(emulator, ask) == [2, 4]


def test_a_part_is_refunded_and_never_voided(emulator, driver, sell, begin_return):
    ask, paid = sell()
    answer = driver.refund(ask, begin_return(ask, paid, FEN - 1))
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, FEN - 1)
    assert emulator.moved(ask.pay_ref) == [SOLD, ("refund", FEN - 1)]
    assert types(emulator, ask) == [2, 4]


def test_more_than_was_paid_is_refused(emulator, driver, sell, begin_return):
    ask, paid = sell()
    answer = driver.refund(ask, begin_return(ask, paid, FEN + 1))
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "64")
    assert emulator.moved(ask.pay_ref) == [SOLD]


def test_sales_made_since_the_sale_do_not_hinder(emulator, driver, sell, begin_return):
    ask, paid = sell()
    other, _ = sell()
    assert driver.refund(ask, begin_return(ask, paid)).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, VOIDED]
    assert emulator.moved(other.pay_ref) == [SOLD]


@pytest.mark.parametrize("settled", [False, True], ids=["open batch", "closed batch"])
def test_once_others_have_used_the_terminal_nothing_is_sent(settled, emulator, driver, sell, begin_return):
    ask, paid = sell()
    if settled:
        emulator.settle()
    back = begin_return(ask, paid)
    sell()
    lines_before = len(emulator.books())
    assert [driver.refund(ask, back) for _ in range(2)] == [Answer(Say.UNCLEAR)] * 2
    assert len(emulator.books()) == lines_before


@pytest.mark.parametrize(("fault", "back_by"), [("lost_answer", [REFUNDED]), ("lost_request", [])])
def test_a_refund_in_doubt_is_never_sent_again_after_others(
    fault, back_by, emulator, driver, sell, begin_return
):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault(fault, on="refund")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    sell()
    assert [driver.refund(ask, back) for _ in range(2)] == [Answer(Say.UNCLEAR)] * 2
    assert emulator.moved(ask.pay_ref) == [SOLD, *back_by]


def test_a_stranger_between_the_refused_void_and_the_refund_stops_it(emulator, driver, sell, begin_return):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault("lost_request", on="refund")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    sell()
    assert driver.reverse(ask, paid.evidence).say is Say.UNCLEAR  # somebody's mistake: another void of ours
    lines_before = len(emulator.books())
    assert driver.refund(ask, back) == Answer(Say.UNCLEAR)
    assert len(emulator.books()) == lines_before


def test_an_unanswered_refund_is_found_by_asking(emulator, driver, sell, begin_return):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault("lost_answer", on="refund")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    found = driver.refund(ask, back)
    assert (found.say, found.approved_fen) == (Say.APPROVED, FEN)
    assert emulator.moved(ask.pay_ref) == [SOLD, REFUNDED]


def test_a_refused_refund_stays_refused_until_a_new_return_is_prepared(emulator, driver, sell, begin_return):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault("declined", on="refund", code="61")
    answers = [driver.refund(ask, back) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert (answers[0].say, answers[0].evidence.code) == (Say.DECLINED, "61")
    assert types(emulator, ask) == [2, 3, 4]

    again = begin_return(ask, paid)
    assert again.refund_no == back.refund_no
    assert driver.refund(ask, again).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [SOLD, REFUNDED]


@pytest.mark.parametrize("settled", [False, True], ids=["voided", "refunded"])
def test_a_return_prepared_after_the_money_went_back_finds_it_there(
    settled, emulator, driver, sell, begin_return
):
    ask, paid = sell()
    if settled:
        emulator.settle()
    driver.refund(ask, begin_return(ask, paid))
    again = driver.refund(ask, begin_return(ask, paid))
    assert (again.say, again.approved_fen) == (Say.APPROVED, FEN)
    assert len(emulator.moved(ask.pay_ref)) == 2


def test_a_second_refund_under_a_number_is_refused_by_the_host_and_no_answer_for_us(
    emulator, driver, sell, begin_return
):
    ask, paid = sell()
    assert driver.refund(ask, begin_return(ask, paid, 5_000)).say is Say.APPROVED
    sell()
    answer = driver.refund(ask, begin_return(ask, paid, 5_000))  # whoever prepares again forgets the first
    assert (answer.say, answer.evidence.code) == (Say.UNCLEAR, "94")
    assert emulator.moved(ask.pay_ref) == [SOLD, ("refund", 5_000)]


def test_a_sale_that_was_voided_by_hand_is_not_given_back_again(emulator, driver, sell, begin_return, clock):
    ask, paid = sell()
    fields = (
        (0x01, b"\x03"),
        (0x20, paid.evidence.trace.encode()),
        (0x1A, b"BYHAND01"),
    )
    profile = short_profile()
    with open_serial(str(emulator.link), profile.line) as link:
        Conversation(link, clock, profile.manners).ask(pack(fields), Wanted(3, "BYHAND01"), 1, 1)
    answer = driver.refund(ask, begin_return(ask, paid))
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "64")
    voids = [line for line in emulator.books() if line["orig_trace"] == paid.evidence.trace]
    assert [line["kind"] for line in voids] == ["void", "declined", "declined"]


@pytest.mark.parametrize(
    "changes",
    [
        {"terminal_no": "EMU00002"},
        {"terminal_no": ""},
        {"trace": ""},
        {"trace": "000000"},
        {"trace": "12345x"},
        {"code": "51"},
        {"code": "98"},
        {"code": ""},
    ],
    ids=str,
)
def test_without_proof_of_a_payment_here_nothing_is_sent(changes, emulator, driver, sell, begin_return):
    ask, paid = sell()
    back = begin_return(ask, paid)
    back = msgspec.structs.replace(back, evidence=msgspec.structs.replace(paid.evidence, **changes))
    lines_before = len(emulator.books())
    assert driver.refund(ask, back) == Answer(Say.UNCLEAR)
    assert len(emulator.books()) == lines_before


@pytest.mark.parametrize("mark", [None, "", "000000", "999999"])
def test_without_the_mark_of_this_return_nothing_is_sent(mark, emulator, driver, sell, begin_return):
    ask, paid = sell()
    back = msgspec.structs.replace(begin_return(ask, paid), mark=mark)
    lines_before = len(emulator.books())
    assert driver.refund(ask, back) == Answer(Say.UNCLEAR)
    assert len(emulator.books()) == lines_before


@pytest.mark.parametrize("missing", ["rrn", "host_date"])
def test_without_the_originals_reference_and_date_no_refund_is_sent(
    missing, emulator, driver, sell, begin_return
):
    ask, paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    back = msgspec.structs.replace(back, evidence=msgspec.structs.replace(paid.evidence, **{missing: ""}))
    answers = [driver.refund(ask, back) for _ in range(2)]
    assert {(one.say, one.evidence.code) for one in answers} == {(Say.DECLINED, "NO_ORIGINAL")}
    assert types(emulator, ask) == [2, 3]


def test_an_unknown_batch_is_no_open_one(emulator, driver, sell, begin_return):
    ask, paid = sell()
    back = begin_return(ask, paid)
    back = msgspec.structs.replace(back, evidence=msgspec.structs.replace(paid.evidence, batch=""))
    assert driver.refund(ask, back).say is Say.APPROVED
    assert types(emulator, ask) == [2, 4]


def test_what_was_never_paid_is_not_given_back(emulator, driver, ask_for):
    ask = ask_for()
    mark = driver.prepare(ask)
    back = Back(ids.refund_no(ask.pay_ref), ask.amount_fen, Evidence(), mark)
    assert driver.refund(ask, back) == Answer(Say.UNCLEAR)
    assert types(emulator, ask) == []


def test_a_terminal_at_work_on_our_refund_says_so(emulator, driver, sell, begin_return):
    ask, paid = sell()
    other, other_paid = sell()
    emulator.settle()
    back = begin_return(ask, paid)
    emulator.fault("progress", on="refund", n=7, every_ms=300)
    assert driver.refund(ask, back).say is Say.UNCLEAR
    assert driver.refund(ask, back).say is Say.PENDING
    assert driver.refund(other, begin_return(other, other_paid)) == Answer(Say.UNCLEAR)
    answer = driver.refund(ask, back)
    while answer.say is Say.PENDING:
        answer = driver.refund(ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, FEN)
    assert emulator.moved(ask.pay_ref) == [SOLD, REFUNDED]
    assert emulator.moved(other.pay_ref) == [SOLD]


def test_no_two_tries_have_the_same_nonce(emulator, driver, sell, begin_return):
    ask, paid = sell()
    emulator.settle()
    nonces = []
    for _ in range(3):
        emulator.fault("declined", on="refund", code="61")
        assert driver.refund(ask, begin_return(ask, paid)).say is Say.DECLINED
        nonces.append(emulator.books()[-1]["nonce"])
    assert len(set(nonces)) == 3
    assert all(len(one) == 8 for one in nonces)


def test_a_terminal_that_was_switched_off_knows_its_refund_and_its_batch(tmp_path, drive, ask_for):
    with EmulatedTerminal.start(tmp_path) as terminal:
        driver = drive(terminal, status_wait_ms=3000)
        ask = ask_for(FEN)
        paid = driver.take(ask)
        terminal.settle()
        terminal.kill()
    with EmulatedTerminal.start(tmp_path) as terminal:
        back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, driver.prepare(ask))
        terminal.fault("lost_answer", on="refund")
        assert driver.refund(ask, back).say is Say.UNCLEAR
        terminal.kill()
    with EmulatedTerminal.start(tmp_path) as terminal:
        assert driver.refund(ask, back).say is Say.APPROVED
        assert terminal.moved(ask.pay_ref) == [SOLD, REFUNDED]
        assert [line["batch"] for line in terminal.books()] == ["000001", "000001", "000002", "000002"]
