"""When is a frame sent again, when never, and what is answered on the line?"""

import pytest
from emulator import short_profile
from hypothesis import given
from hypothesis import strategies as st

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Say
from terminal_agent.terminals.exchange import Conversation, LinkFault, Wanted
from terminal_agent.terminals.framing import frame, pack
from terminal_agent.terminals.serial_ecr import DrivenTerminal

ACK, NAK = b"\x06", b"\x15"
REF = "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"
REQUEST = pack([(0x01, b"\x02"), (0x1A, b"2LTD7E01")])
SENT = frame(REQUEST)
WANTED = Wanted(2, "2LTD7E01", REF)
MANNERS = short_profile(ack_wait_ms=2000, gap_ms=200).manners


def answer(kind=2, nonce=b"2LTD7E01", code=b"00", trace=b"000017", **more):
    fields = [(0x01, bytes((kind,))), (0x14, code), (0x0E, trace), (0x02, b"000000000100")]
    if nonce:
        fields.append((0x1A, nonce))
    return frame(pack(fields + [(int(tag[1:], 16), value) for tag, value in more.items()]))


class Line:
    """A line that brings what it is told, each time after so many milliseconds, and keeps what is sent."""

    def __init__(self, *brings: tuple[int, bytes]) -> None:
        self.now = 0
        self.log: list[tuple[int, bytes]] = []
        self._brings = sorted(brings, key=lambda one: one[0])

    def wall_ms(self) -> int:
        return self.now

    def steady_ms(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)

    def write(self, data: bytes) -> None:
        self.log.append((self.now, data))

    def read(self, wait_s: float) -> bytes:
        until = self.now + round(wait_s * 1000)
        if self._brings and self._brings[0][0] <= until:
            at, data = self._brings.pop(0)
            self.now = max(self.now, at)
            return data
        self.now = until
        return b""

    def close(self) -> None:
        self.log.append((self.now, b"closed"))

    @property
    def sent(self) -> list[bytes]:
        return [data for _, data in self.log]

    def ask(self, wait_s: float = 90, cap_s: float = 180):
        return Conversation(self, self, MANNERS).ask(REQUEST, WANTED, wait_s, cap_s)


def test_a_frame_is_sent_three_times_into_silence_two_seconds_apart_and_no_more():
    line = Line()
    assert line.ask() is None
    assert line.log == [(0, SENT), (2000, SENT), (4000, SENT)]
    assert line.now == 6000


def test_after_the_ack_nothing_is_sent_again_however_long_the_silence():
    line = Line((100, ACK))
    assert line.ask() is None
    assert line.sent == [SENT]
    assert line.now == 90_100


@pytest.mark.parametrize(
    "first", [b"\x00", b"\x86", b"\x02", answer()[:5], NAK + b"\x07"], ids=lambda first: first.hex()
)
def test_after_any_byte_that_may_have_been_an_ack_nothing_is_sent_again(first):
    line = Line((100, first))
    line.ask()
    assert line.sent.count(SENT) == 1


def test_a_nak_is_followed_by_the_identical_frame_at_once():
    line = Line((10, NAK), (20, NAK), (30, ACK), (40, answer()))
    assert line.ask() is not None
    assert line.log == [(0, SENT), (10, SENT), (20, SENT), (40, ACK)]


def test_an_answer_without_an_ack_before_it_is_taken():
    line = Line((1500, answer()))
    assert line.ask().evidence.trace == "000017"
    assert line.sent == [SENT, ACK]


def test_ack_and_answer_in_one_piece_are_both_heard():
    line = Line((10, ACK + answer()))
    assert line.ask() is not None


def test_a_good_frame_is_acknowledged_at_once_also_when_it_is_not_ours():
    line = Line((10, ACK), (500, answer(nonce=b"OTHER999")), (900, answer()))
    assert line.ask() is not None
    assert line.log[1:] == [(500, ACK), (900, ACK)]


@pytest.mark.parametrize(
    "not_ours",
    [
        answer(nonce=b"OTHER999"),
        answer(nonce=b""),
        answer(kind=3),
        answer(kind=15),
        answer(xFF=b"AAAAAAAAAAAAAAAAAAAAAAAAAA01"),
        answer(xFF=b"AN-ORDER-OF-SOMEBODY-ELSE"),
        frame(b"no fields"),
        frame(b""),
    ],
)
def test_only_our_type_nonce_and_order_are_our_answer(not_ours):
    line = Line((10, ACK), (20, not_ours))
    assert line.ask() is None
    assert line.now == 90_010


def test_our_own_order_beside_the_nonce_is_our_answer():
    assert Line((10, ACK), (20, answer(xFF=REF.encode()))).ask() is not None


def test_a_damaged_answer_is_asked_for_three_times_and_then_given_up():
    damaged = answer()[:-1] + b"\x00"
    line = Line((10, ACK), (20, damaged), (30, damaged), (40, damaged), (50, answer()))
    assert line.ask() is None
    assert line.log[1:] == [(20, NAK), (30, NAK), (40, NAK)]


def test_a_damaged_answer_that_comes_again_whole_is_taken():
    line = Line((10, ACK), (20, answer()[:-1] + b"\x00"), (30, answer()))
    assert line.ask() is not None
    assert line.sent == [SENT, NAK, ACK]


def test_an_answer_broken_off_is_asked_for_again_after_the_gap():
    line = Line((10, ACK), (20, answer()[:9]), (5000, answer()))
    assert line.ask() is not None
    assert line.log[1:] == [(220, NAK), (5000, ACK)]


def progress(nonce=b"2LTD7E01"):
    return frame(pack([(0x01, b"\x07"), *([(0x1A, nonce)] if nonce else [])]))


@pytest.mark.parametrize("nonce", [b"2LTD7E01", b""])
def test_progress_restarts_the_wait_but_not_the_cap(nonce):
    reports = [(at, progress(nonce)) for at in range(50_000, 400_000, 50_000)]
    line = Line((10, ACK), *reports)
    assert line.ask() is None
    assert line.now == 180_000


def test_progress_of_something_else_does_not_restart_the_wait():
    line = Line((10, ACK), (50_000, progress(b"OTHER999")), (95_000, answer()))
    assert line.ask() is None
    assert line.now == 90_010


def test_endless_single_bytes_end_with_the_wait():
    line = Line((10, ACK), *[(at, b"\x02") for at in range(100, 200_000, 100)])
    assert line.ask(wait_s=5, cap_s=5) is None
    assert line.now <= 5_300


ASK = Ask(REF, 100, operator="收银员", till_no="1", mark="000016")


def terminal(line):
    return DrivenTerminal(short_profile(ack_wait_ms=2000, gap_ms=200), lambda: line, line)


class Pulled(Line):
    """A line that is lost at its `at`-th use."""

    def __init__(self, at, *brings):
        super().__init__(*brings)
        self._left = at

    def _use(self):
        self._left -= 1
        if self._left < 0:
            raise LinkFault("lost")

    def write(self, data):
        self._use()
        super().write(data)

    def read(self, wait_s):
        self._use()
        return super().read(wait_s)


@pytest.mark.parametrize("at", range(9))
def test_a_lost_line_is_no_answer_and_never_raises(at):
    brings = [(10, ACK), (20, answer()), (30, ACK), (40, answer(kind=15))]
    evidence = Evidence(trace="000017")
    for call, nothing in (
        (lambda t: t.prepare(ASK), None),
        (lambda t: t.take(ASK), Answer(Say.UNCLEAR)),
        (lambda t: t.query(ASK), Answer(Say.UNCLEAR)),
        (lambda t: t.reverse(ASK, evidence), Answer(Say.UNCLEAR)),
    ):
        line = Pulled(at, *brings)
        outcome = call(terminal(line))
        assert at >= 2 or outcome == nothing
        assert line.sent[-1] == b"closed"


@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), max_size=12))
def test_whatever_a_line_brings_a_sale_is_sent_three_times_at_most_and_never_after_a_doubt(brings):
    line = Line(*brings)
    found = terminal(line).take(ASK)
    assert found.say is Say.UNCLEAR
    sale = line.sent[0]
    doubts = [at for at, data in brings if data.strip(NAK)]
    sends = [at for at, data in line.log if data == sale]
    assert 1 <= len(sends) <= 3
    assert all(at <= min(doubts, default=at) for at in sends)
    assert set(line.sent) <= {sale, ACK, NAK, b"closed"}


@pytest.mark.parametrize(
    ("last", "say"),
    [
        (answer(kind=15, x13=b"02", xFF=REF.encode()), Say.APPROVED),
        (answer(kind=15), Say.APPROVED),
        (answer(kind=15, code=b"10"), Say.APPROVED),
        (answer(kind=15, code=b"51"), Say.DECLINED),
        (answer(kind=15, code=b"96"), Say.UNCLEAR),
        (answer(kind=15, code=b""), Say.UNCLEAR),
        (answer(kind=15, code=b"B1"), Say.PENDING),
        (answer(kind=15, nonce=b"", code=b"B1"), Say.UNCLEAR),
        (answer(kind=15, nonce=b"OTHER999"), Say.UNCLEAR),
        (answer(kind=15, x13=b"03"), Say.UNCLEAR),
        # ASK.mark is 000016: the trace from before our sale.
        (answer(kind=15, nonce=b"OTHER999", trace=b"000016"), Say.NOT_FOUND),
        (answer(kind=15, nonce=b"", trace=b"000016"), Say.NOT_FOUND),
        (answer(kind=15, nonce=b"", trace=b"000016", code=b"B1"), Say.UNCLEAR),  # not idle
        (answer(kind=15, trace=b"000016", code=b"B1"), Say.PENDING),
        (answer(kind=15, trace=b"000016"), Say.UNCLEAR),  # our nonce on a trace older than ours
        (answer(kind=15, nonce=b"OTHER999", trace=b"000016", xFF=REF.encode()), Say.UNCLEAR),
    ],
)
def test_a_last_transaction_is_our_outcome_only_when_it_is_our_sale(last, say):
    found = terminal(Line((10, ACK), (20, last))).query(ASK)
    assert found.say is say
    undone = terminal(Line((10, ACK), (20, last))).reverse(ASK, Evidence())
    assert undone.say is (say if say in (Say.NOT_FOUND, Say.PENDING) else undone.say)
    assert undone.say is not Say.NOT_FOUND or say is Say.NOT_FOUND


def test_an_approval_without_an_amount_is_not_a_yes():
    no_amount = frame(
        pack([(0x01, b"\x02"), (0x14, b"00"), (0x0E, b"000017"), (0x1A, b"2LTD7E01"), (0x02, b"1.00")])
    )
    found = terminal(Line((10, ACK), (20, no_amount))).take(ASK)
    assert (found.say, found.approved_fen, found.evidence.trace) == (Say.UNCLEAR, None, "000017")


@pytest.mark.parametrize("operator", ["", "收银员", "😀" * 50, "x" * 5000])
def test_no_operators_name_keeps_a_sale_from_being_sent(operator):
    line = Line((10, ACK), (20, answer()))
    ask = Ask(REF, 100, operator=operator, till_no="1")
    assert terminal(line).take(ask).say is Say.APPROVED
