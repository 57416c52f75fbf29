"""A line that passes through us: every byte passes untouched, and what is said of a sale is what happened.

Real sockets throughout. The host's books are the truth.
"""

import socket
import threading
from contextlib import suppress

import pytest
from card_host import CardHost, Next
from watched_line import WatchedLine, eventually

from terminal_agent.checkout.ports import Say
from terminal_agent.checkout.sighting import Sight
from terminal_agent.emulators import line_frames
from terminal_agent.emulators.line_terminal import LineTerminal

FEN = 85_000


@pytest.fixture
def line():
    with WatchedLine() as one:
        yield one


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


def given_up(ask):
    return type(ask)(ask.pay_ref, ask.amount_fen, ask.operator, ask.till_no, given_up=True)


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


def test_a_doubled_answer_is_one(line):
    line.host.nexts.append(Next(twice=True))
    ask = line.arm(FEN)
    line.terminal.sell(FEN)
    line.until(ask, Say.APPROVED)
    assert line.terminal.void("000001").approved
    assert line.until(ask, Say.DECLINED).evidence.code == "VOIDED"


def test_a_line_that_stays_open_is_watched_like_any_other(line):
    terminal = line.new_terminal(keeps_line=True)
    for no in range(1, 4):
        ask = line.arm(FEN + no)
        terminal.sell(FEN + no)
        assert line.until(ask, Say.APPROVED).approved_fen == FEN + no
    terminal.drop()


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
    line.terminal.slips, line.terminal._trace = [*line.terminal.slips, _slip("000001")], 1
    assert line.terminal.reverse("000001").approved
    late.set()
    seller.join()
    line.settle()
    assert line.payment.query(ask).say is Say.DECLINED
    assert line.host.standing() == {}


def _slip(trace):
    from terminal_agent.emulators.line_terminal import Slip

    return Slip("sale", trace, "000001", FEN)


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
    line.terminal.slips.append(both_slip := _slip(paid))
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
