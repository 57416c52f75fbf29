"""Which of the sales that pass is the one that was armed, and which is another's or nobody's?

Real sockets throughout.
"""

import socket
import threading
from contextlib import suppress

import pytest
from card_host import CardHost, Next
from watched_line import FEN, WatchedLine, eventually, given_up, slip_of

from terminal_agent.checkout.ports import Say
from terminal_agent.checkout.sighting import Sight
from terminal_agent.emulators import line_frames


def frame_of(line, fen=FEN, trace="000900"):
    return line_frames.write(*line.terminal.request("sale", trace, fen))


def test_a_sale_of_exactly_the_armed_amount_is_the_attempt(line):
    ask = line.arm(FEN)
    slip = line.terminal.sell(FEN)

    answer = line.until(ask, Say.APPROVED)
    assert (answer.approved_fen, answer.evidence.trace, answer.evidence.rrn) == (FEN, slip.trace, slip.rrn)
    assert answer.evidence.masked_pan == "629999*********9384"
    assert line.host.standing() == {slip.trace: FEN}
    assert line.payment.state()["armed"] is None


def test_a_sale_that_was_not_armed_is_nobodys(line):
    slip = line.terminal.sell(FEN)
    ask = line.arm(FEN)
    assert line.payment.query(ask).say is Say.PENDING
    assert line.host.standing() == {slip.trace: FEN}
    assert line.sightings == []


def test_a_sale_of_another_amount_is_not_the_attempt(line):
    ask = line.arm(FEN)
    assert line.terminal.sell(FEN - 1).approved
    line.settle()
    assert line.payment.query(ask).say is Say.PENDING
    assert line.terminal.sell(FEN).approved
    assert line.until(ask, Say.APPROVED).evidence.trace == "000002"


def test_a_sale_of_another_terminal_on_the_same_line_is_not_the_attempt(line):
    ask = line.arm(FEN)
    assert line.new_terminal(terminal_no="EMU00002").sell(FEN).approved
    line.settle()
    assert line.payment.query(ask).say is Say.PENDING


def test_the_first_sale_of_the_amount_is_the_attempt_and_a_second_one_is_told_apart(line):
    ask = line.arm(FEN)
    first, second = line.terminal.sell(FEN), line.terminal.sell(FEN)
    assert line.until(ask, Say.APPROVED).evidence.trace == first.trace
    line.settle()
    beside = [one for one in line.sightings if one.sight is Sight.SALE_NOT_OURS]
    assert [one.evidence.trace for one in beside] == [second.trace]


def test_when_nothing_passed_in_time_nothing_was_paid():
    with WatchedLine(armed_for_ms=150) as line:
        ask = line.arm(FEN)
        line.terminal.sign_in()
        assert line.until(ask, Say.DECLINED).evidence.code == "NOTHING_PASSED"
        assert line.terminal.sell(FEN).approved
        line.settle()
        assert line.payment.query(ask).say is Say.DECLINED
        assert [one.sight for one in line.sightings if one.sight is not Sight.LAST_CALL] == [
            Sight.SALE_NOT_OURS
        ]


def test_an_answer_that_comes_after_the_time_still_counts():
    late = threading.Event()
    host = CardHost()
    host.nexts.append(Next(before=late))
    with host, WatchedLine(host=host, armed_for_ms=150) as line:
        ask = line.arm(FEN)
        seller = threading.Thread(target=line.terminal.sell, args=(FEN,))
        seller.start()
        eventually(lambda: any(one.sight is Sight.SALE_SENT for one in line.sightings))
        threading.Event().wait(0.3)
        assert line.payment.query(ask).say is Say.PENDING
        late.set()
        assert line.until(ask, Say.APPROVED).approved_fen == FEN
        seller.join()


def test_once_given_up_nothing_more_can_become_the_attempt(line):
    ask = line.arm(FEN)
    assert line.payment.query(given_up(ask)).say is Say.DECLINED
    line.terminal.sell(FEN)
    line.settle()
    assert line.payment.query(ask).say is Say.DECLINED


def test_what_was_half_sent_when_it_was_given_up_is_waited_for(line):
    ask = line.arm(FEN)
    frame = frame_of(line)
    line.terminal.noise(frame[:40])
    eventually(lambda: line.host.received)
    assert line.payment.query(given_up(ask)).say is Say.PENDING
    line.terminal.noise(frame[40:])
    assert line.until(ask, Say.APPROVED).approved_fen == FEN


def test_half_a_sale_whose_line_ends_never_was_one(line):
    ask = line.arm(FEN)
    line.terminal.noise(frame_of(line)[:40])
    eventually(lambda: line.host.received)
    assert line.payment.query(given_up(ask)).say is Say.PENDING
    line.terminal.drop()
    assert line.until(ask, Say.DECLINED).evidence.code == "NOTHING_PASSED"
    assert line.host.standing() == {}


def test_two_frames_in_one_segment_are_two(line):
    ask = line.arm(FEN)
    line.terminal.noise(frame_of(line, FEN + 1, "000801") + frame_of(line, FEN, "000802"))
    assert line.until(ask, Say.APPROVED).evidence.trace == "000802"
    eventually(lambda: line.host.standing() == {"000801": FEN + 1, "000802": FEN})


def test_a_line_that_stays_open_is_watched_like_any_other(line):
    terminal = line.new_terminal(keeps_line=True)
    for no in range(1, 4):
        ask = line.arm(FEN + no)
        terminal.sell(FEN + no)
        assert line.until(ask, Say.APPROVED).approved_fen == FEN + no
    terminal.drop()


# Somebody else on the line.


def numbered(line, trace):
    """Return another terminal with the same number, whose next sale has this trace."""
    terminal = line.new_terminal()
    terminal._trace = trace - 1
    return terminal


def in_the_background(do, *args):
    worker = threading.Thread(target=do, args=args)
    worker.start()
    return worker


@pytest.mark.parametrize("trace", [900, 1])  # 1: it has guessed the trace of the sale to come
def test_the_refusal_of_anothers_frame_does_not_end_the_sale_that_still_runs(line, trace):
    refused, goes_on = threading.Event(), threading.Event()
    line.host.nexts.extend([Next(code="05", before=refused), Next(before=goes_on)])
    ask = line.arm(FEN)
    stranger = in_the_background(numbered(line, trace).sell, FEN)
    eventually(lambda: len(line.host.received) == 1)
    seller = in_the_background(line.terminal.sell, FEN)
    eventually(lambda: len(line.host.received) == 2)
    refused.set()
    stranger.join()
    line.settle()
    assert line.payment.query(ask).say is Say.PENDING
    goes_on.set()
    seller.join()
    assert line.until(ask, Say.APPROVED).evidence.trace == "000001"
    assert line.sightings[-1].evidence.trace == "000001"  # it can be found again after a restart


def test_when_all_that_ran_were_refused_nothing_was_paid(line):
    goes_on = threading.Event()
    line.host.nexts.extend([Next(code="05", before=goes_on), Next(code="51", before=goes_on)])
    ask = line.arm(FEN)
    both = [in_the_background(numbered(line, no).sell, FEN) for no in (1, 2)]
    eventually(lambda: len(line.host.received) == 2)
    assert line.payment.query(ask).say is Say.PENDING
    goes_on.set()
    for one in both:
        one.join()
    assert line.until(ask, Say.DECLINED).evidence.code in ("05", "51")


def test_of_two_that_ran_and_were_paid_one_is_the_attempt_and_the_other_is_told(line):
    goes_on = threading.Event()
    line.host.nexts.extend([Next(before=goes_on), Next(before=goes_on)])
    ask = line.arm(FEN)
    both = [in_the_background(numbered(line, no).sell, FEN) for no in (1, 2)]
    eventually(lambda: len(line.host.received) == 2)
    goes_on.set()
    for one in both:
        one.join()
    paid = line.until(ask, Say.APPROVED).evidence.trace
    line.settle()
    beside = [one.evidence.trace for one in line.sightings if one.sight is Sight.SALE_NOT_OURS]
    assert sorted([paid, *beside]) == ["000001", "000002"]
    line.terminal.slips.append(both_slip := slip_of(paid))
    assert line.terminal.void(both_slip.trace).approved
    assert line.until(ask, Say.DECLINED).evidence.code == "VOIDED"


def test_a_sale_after_the_refusal_is_not_the_attempt_and_is_told(line):
    line.host.nexts.append(Next(code="51"))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.DECLINED)
    assert line.terminal.sell(FEN).approved
    line.settle()
    assert line.payment.query(ask).say is Say.DECLINED
    assert line.sightings[-1].sight is Sight.SALE_NOT_OURS


@pytest.fixture
def guarded():
    with WatchedLine(callers=frozenset({"127.0.0.1"})) as one:
        yield one


def test_who_calls_from_elsewhere_is_sent_away_and_counted_and_changes_nothing(guarded):
    ask = guarded.arm(FEN)
    for _ in range(3):
        stranger = socket.create_connection(
            ("127.0.0.1", guarded.forwarder.port), source_address=("127.0.0.66", 0)
        )
        with suppress(OSError):
            stranger.sendall(frame_of(guarded))
        with suppress(OSError):
            assert stranger.recv(1) == b""
        stranger.close()
    eventually(lambda: guarded.payment.state()["refused"] == 3)
    assert guarded.payment.state()["refused_from"] == "127.0.0.66"
    assert guarded.payment.state()["problem"] == ""
    assert guarded.logged.count(("relay.refused", {"address": "127.0.0.66"})) == 1
    assert guarded.host.received == []
    guarded.terminal.sell(FEN)
    assert guarded.until(ask, Say.APPROVED).approved_fen == FEN
