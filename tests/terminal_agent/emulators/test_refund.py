"""Which refunds does the emulated acquirer take, and which does it refuse?"""

import itertools

import pytest

from terminal_agent.emulators import wire
from terminal_agent.emulators.books import Books, mmdd_of
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.terminal import Terminal
from terminal_agent.emulators.wire import Listener

FEN = 1000
nonces = (f"N{no:07d}".encode() for no in itertools.count())


class Bench:
    """A terminal without a line: what is due is done at once, and what it says is kept."""

    def __init__(self, books):
        self.books = books
        self.faults = Faults()
        self.said = []
        self._listener = Listener()
        self._terminal = Terminal(
            "EMU00001", "EMU000000000001", books, self.faults, self._hear, self, self._later, 0.0
        )

    def _later(self, seconds, step):
        if seconds < 1:  # nobody here needs an answer twice
            step()

    def unplug_for(self, seconds):
        raise AssertionError("no cable here")

    def _hear(self, data):
        for kind, middle in self._listener.hear(data, 0.0):
            if kind == "frame":
                self.said.append(wire.split(middle))

    def ask(self, type_, **fields):
        named = {getattr(wire, name): value for name, value in fields.items()}
        self._terminal.hear("frame", wire.join({wire.TYPE: bytes((type_,)), **named}))
        return self.said[-1]

    def sell(self, order=b"A01"):
        self.ask(wire.SALE, AMOUNT=b"%012d" % FEN, NONCE=next(nonces), ORDER=order)
        return self.books.lines[-1]

    def void(self, sale):
        return self.ask(wire.VOID, ORIGINAL_TRACE=sale.trace.encode(), NONCE=next(nonces))[wire.CODE]

    def refund(self, sale, fen=FEN, order=b"A01R", **changes):
        fields = {
            "AMOUNT": b"%012d" % fen,
            "REFERENCE": sale.rrn.encode(),
            "DATE": mmdd_of(sale).encode(),
            "ORIGINAL_TRACE": sale.trace.encode(),
            "NONCE": next(nonces),
            "ORDER": order,
        }
        fields = {name: value for name, value in {**fields, **changes}.items() if value is not None}
        return self.ask(wire.REFUND, **fields)[wire.CODE]

    @property
    def moved(self):
        kinds = ("sale", "void", "refund")
        return [(one.kind, one.fen, one.pay_ref) for one in self.books.lines if one.kind in kinds]


@pytest.fixture
def bench(tmp_path):
    books = Books(tmp_path / "books.jsonl", "EMU00001", "EMU000000000001")
    yield Bench(books)
    books.close()


def test_a_refund_is_booked_under_the_sale_with_its_own_number(bench):
    sale = bench.sell()
    assert bench.refund(sale) == b"00"
    line = bench.books.last
    assert (line.kind, line.fen, line.pay_ref, line.refund_no) == ("refund", FEN, "A01", "A01R")
    assert (line.type, line.orig_trace, line.trace) == (4, sale.trace, "000002")
    assert bench.said[-1][wire.ORDER] == b"A01R"
    last = bench.ask(wire.LAST)
    assert (last[wire.MEMO], last[wire.ORDER], last[wire.CODE]) == (b"04", b"A01R", b"00")


def test_parts_go_back_until_nothing_is_left(bench):
    sale = bench.sell()
    assert bench.refund(sale, 600, b"A01R") == b"00"
    assert bench.refund(sale, 401, b"X01R") == b"64"
    assert bench.refund(sale, 400, b"X01R") == b"00"
    assert bench.refund(sale, 1, b"Y01R") == b"64"
    assert bench.moved == [("sale", FEN, "A01"), ("refund", 600, "A01"), ("refund", 400, "A01")]


def test_a_number_is_given_back_once(bench):
    sale = bench.sell()
    assert bench.refund(sale, 100) == b"00"
    assert bench.refund(sale, 100) == b"94"
    assert bench.refund(bench.sell(b"B01"), 100) == b"94"
    assert [one for one in bench.moved if one[0] == "refund"] == [("refund", 100, "A01")]


def test_a_refused_number_may_be_tried_again(bench):
    sale = bench.sell()
    bench.faults.arm({"fault": "declined", "on": "refund"})
    assert [bench.refund(sale) for _ in range(2)] == [b"51", b"00"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"REFERENCE": b"999999999999"}, b"25"),
        ({"ORIGINAL_TRACE": b"000009"}, b"25"),
        ({"DATE": b"0231"}, b"25"),
        ({"AMOUNT": b"%012d" % 0}, b"13"),
        ({"AMOUNT": b"%012d" % (FEN + 1)}, b"64"),
        ({"AMOUNT": b"1000"}, b"30"),
        ({"AMOUNT": None}, b"30"),
        ({"REFERENCE": None}, b"30"),
        ({"ORIGINAL_TRACE": None}, b"30"),
        ({"DATE": None}, b"30"),
        ({"NONCE": None}, b"30"),
        ({"ORDER": None}, b"30"),
        ({"ORDER": b"A01"}, b"30"),  # a sale's number is no refund number
        ({"ORDER": b"A" * 32 + b"R"}, b"30"),
    ],
    ids=str,
)
def test_a_refund_that_is_not_right_moves_nothing(changes, code, bench):
    sale = bench.sell()
    assert bench.refund(sale, **changes) == code
    assert bench.moved == [("sale", FEN, "A01")]


def test_a_date_with_its_year_names_the_same_day(bench):
    sale = bench.sell()
    assert bench.refund(sale, DATE=sale.at[:10].replace("-", "").encode()) == b"00"


def test_what_was_voided_is_not_refunded_and_what_was_refunded_is_not_voided(bench):
    voided, refunded = bench.sell(), bench.sell(b"B01")
    assert bench.void(voided) == b"00"
    assert bench.refund(voided) == b"64"
    assert bench.refund(refunded, 1, b"B01R") == b"00"
    assert bench.void(refunded) == b"12"


def test_a_closed_batch_takes_refunds_and_no_voids(bench):
    sale = bench.sell()
    bench.books.settle()
    assert bench.void(sale) == b"25"
    assert bench.refund(sale) == b"00"
    assert [one.batch for one in bench.books.lines] == ["000001", "000001", "000002", "000002"]


def test_a_repeated_frame_is_no_second_refund(bench):
    sale = bench.sell()
    nonce = next(nonces)
    assert bench.refund(sale, 100, NONCE=nonce) == b"00"
    said = len(bench.said)
    bench.refund(sale, 100, b"X01R", NONCE=nonce)
    assert len(bench.said) == said  # an ACK and nothing else
    assert bench.books.given_back(sale) == 100
