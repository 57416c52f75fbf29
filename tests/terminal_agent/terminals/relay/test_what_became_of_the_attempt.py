"""Is what is said of an armed sale what became of its money?

Real sockets throughout. The host's books are the truth.
"""

import threading

import pytest
from card_host import Next
from watched_line import FEN, eventually, given_up, slip_of

from terminal_agent.checkout.ports import Say
from terminal_agent.checkout.sighting import Sight
from terminal_agent.emulators import line_frames
from terminal_agent.emulators.line_terminal import LineTerminal


def test_a_refused_card_is_an_explicit_no(line):
    line.host.nexts.append(Next(code="51"))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    answer = line.until(ask, Say.DECLINED)
    assert answer.evidence.code == "51"
    assert line.host.standing() == {}


def test_less_than_asked_is_told_with_its_own_amount(line):
    line.host.nexts.append(Next(code="10", fen=FEN - 500))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    assert line.until(ask, Say.APPROVED).approved_fen == FEN - 500


@pytest.mark.parametrize("code", ["68", "91", "96", "98", "94"])
def test_a_host_that_does_not_know_itself_is_no_answer(line, code):
    line.host.nexts.append(Next(code=code))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    assert line.until(ask, Say.UNCLEAR).evidence.code == ""


def test_a_doubled_answer_is_one(line):
    line.host.nexts.append(Next(twice=True))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.APPROVED)
    assert line.terminal.void("000001").approved
    assert line.until(ask, Say.DECLINED).evidence.code == "VOIDED"


SALE = line_frames.write(*LineTerminal(("127.0.0.1", 1)).request("sale", "000001", FEN))


@pytest.mark.parametrize("cut", range(len(SALE)))
def test_the_terminals_line_cut_at_any_byte_of_the_request_is_never_a_wrong_answer(line, cut):
    ask = line.arm(FEN)
    line.terminal.noise(SALE[:cut] if cut else b"")
    if cut:
        eventually(lambda: sum(map(len, line.host.received)) == cut)
    line.terminal.drop()
    line.settle()
    assert line.payment.query(ask).say is Say.PENDING
    assert line.payment.query(given_up(ask)).say in (Say.PENDING, Say.DECLINED)
    assert line.until(ask, Say.DECLINED).evidence.code == "NOTHING_PASSED"
    assert line.host.standing() == {}


TOLD = line_frames.write("0210", {3: "000000", 4: f"{FEN:012d}", 11: "000001", 39: "00", 41: "EMU00001"})


def test_that_answer_whole_is_a_yes(line):
    ask = line.arm(FEN)
    line.host.nexts.append(Next(raw=TOLD))
    assert line.terminal.sell(FEN).approved
    assert line.until(ask, Say.APPROVED)


@pytest.mark.parametrize("cut", range(len(TOLD)))
def test_the_hosts_line_cut_at_any_byte_of_the_answer_leaves_it_unclear_until_it_is_reversed(line, cut):
    ask = line.arm(FEN)
    line.host.nexts.append(Next(raw=TOLD[:cut], pieces=(cut // 2,)))
    line.terminal.sell(FEN, wait_s=0.05)

    assert line.until(ask, Say.UNCLEAR).approved_fen is None
    assert line.host.standing() == {"000001": FEN}
    assert line.terminal.reverse("000001").approved
    assert line.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert line.host.standing() == {}


@pytest.mark.parametrize("cuts", [(1,), (2,), (3,), (20, 21, 22), tuple(range(1, len(SALE)))])
def test_a_request_in_pieces_is_the_same_request(line, cuts):
    ask = line.arm(FEN)
    assert line.terminal.sell(FEN, cuts=cuts).approved
    assert line.until(ask, Say.APPROVED).approved_fen == FEN


def test_a_sale_without_an_answer_is_unclear_and_a_reversal_ends_it(line):
    line.host.nexts.append(Next(answers=False))
    ask = line.arm(FEN)
    line.terminal.sell(FEN, wait_s=0.1)
    assert line.until(ask, Say.UNCLEAR)
    line.terminal.reverse("000001")
    assert line.until(ask, Say.DECLINED).evidence.code == "REVERSED"


def test_a_late_yes_after_the_reversal_makes_nothing_paid(line):
    late = threading.Event()
    line.host.nexts.append(Next(before=late))
    ask = line.arm(FEN)
    keeps = line.new_terminal(keeps_line=True)
    seller = threading.Thread(target=keeps.sell, args=(FEN,))
    seller.start()
    eventually(lambda: line.host.standing())
    line.terminal.slips, line.terminal._trace = [*line.terminal.slips, slip_of("000001")], 1
    assert line.terminal.reverse("000001").approved
    late.set()
    seller.join()
    line.settle()
    assert line.payment.query(ask).say is Say.DECLINED
    assert line.host.standing() == {}


def test_a_yes_that_the_terminal_is_not_there_to_hear_is_none_until_it_is_reversed_or_the_files_come(line):
    late = threading.Event()
    line.host.nexts.append(Next(before=late))
    ask = line.arm(FEN)
    line.gives_up(lambda: line.terminal.sell(FEN, wait_s=0.05))
    eventually(lambda: line.host.standing() == {"000001": FEN})
    line.settle()
    late.set()
    assert line.until(ask, Say.UNCLEAR)
    assert line.terminal.reverse("000001").approved
    assert line.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert line.host.standing() == {}


@pytest.mark.parametrize(("undo", "counts"), [("reverse", True), ("refund", True), ("void", False)])
def test_money_that_went_back_unheard_is_back_unless_the_terminal_will_undo_that_too(line, undo, counts):
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.APPROVED)
    late = threading.Event()
    line.host.nexts.append(Next(before=late))
    line.gives_up(lambda: getattr(line.terminal, undo)("000001", wait_s=0.05))
    eventually(lambda: line.host.standing() == {})
    line.settle()
    late.set()
    if counts:
        assert line.until(ask, Say.DECLINED)
    else:
        threading.Event().wait(0.2)
        assert line.payment.query(ask).say is Say.APPROVED
        assert line.terminal.reverse("000002").approved
        assert line.host.standing() == {"000001": FEN}


def test_a_terminal_that_hangs_up_the_moment_it_has_its_answer_has_heard_it(line):
    for no in range(60):
        ask = line.arm(FEN + no)
        assert line.terminal.sell(FEN + no).approved
        assert line.until(ask, Say.APPROVED).approved_fen == FEN + no


def test_no_original_counts_only_once_the_sale_cannot_be_on_its_way_any_more(line):
    line.host.nexts.extend([Next(answers=False, books=False), Next(code="25")])
    ask = line.arm(FEN)
    line.terminal.sell(FEN, wait_s=0.05)
    line.terminal.reverse("000001")
    assert line.until(ask, Say.UNCLEAR)
    threading.Event().wait(0.3)  # two host time-outs
    line.host.nexts.append(Next(code="25"))
    line.terminal.reverse("000001")
    assert line.until(ask, Say.DECLINED).evidence.code == "REVERSED"
    assert line.host.standing() == {}


@pytest.mark.parametrize("undo", ["void", "refund"])
def test_a_void_or_refund_that_passes_later_is_money_back(line, undo):
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.APPROVED)
    if undo == "void":
        line.terminal.void("000001")
    else:
        line.terminal.settle()
        line.terminal.refund("000001")
    line.until(ask, Say.DECLINED)
    back = line.sightings[-1]
    assert (back.sight, back.evidence.batch, back.evidence.trace) == (Sight.MONEY_BACK, "000001", "000001")
    assert line.host.standing() == {}


def test_a_refused_void_gives_nothing_back(line):
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.host.nexts.append(Next(code="05"))
    line.terminal.void("000001")
    line.settle()
    assert line.payment.query(ask).say is Say.APPROVED


def test_a_part_that_goes_back_is_told_and_the_sale_stands(line):
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.APPROVED)
    line.terminal.refund("000001", 100)
    eventually(lambda: line.sightings[-1].sight is Sight.MONEY_BACK)
    assert line.sightings[-1].fen == 100
    assert line.payment.query(ask).say is Say.APPROVED


def test_a_void_that_is_itself_reversed_is_told(line):
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.terminal.void("000001")
    line.until(ask, Say.DECLINED)
    line.terminal.reverse("000002")
    eventually(lambda: line.sightings[-1].sight is Sight.VOID_UNDONE)
    assert line.host.standing() == {"000001": FEN}
    assert line.sightings[-1].evidence.trace == "000001"
