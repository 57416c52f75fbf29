"""What a frame is understood to be; and whatever else arrives is nothing, never a fault and never a yes."""

import random

import pytest

from terminal_agent.emulators import line_frames
from terminal_agent.emulators.line_terminal import LineTerminal, Slip
from terminal_agent.iso8583.dialect import place_of, read_dialect
from terminal_agent.terminals.relay.seen import Kind, Said
from terminal_agent.terminals.relay.understand import Reader

DIALECT = read_dialect(place_of("unionpay_terminal").read_text(), "unionpay_terminal.yaml")
READER = Reader(DIALECT, {"00": Said.YES, "68": Said.UNSURE, "25": Said.NO_ORIGINAL})
TERMINAL = LineTerminal(("127.0.0.1", 1))
TERMINAL.slips.append(Slip("sale", "000001", "000001", 85_000, code="00", rrn="900000000001", mmdd="0301"))


def frame(kind, mti=None, **changes):
    usual, fields = TERMINAL.request(kind, "000002", 85_000, "000001")
    given = {int(no[1:]): text for no, text in changes.items()}
    kept = {no: text for no, text in {**fields, **given}.items() if text is not None}
    return line_frames.write(mti or usual, kept)[2:]


def answer(mti, code, processing="000000", fen="000000085000"):
    fields = {3: processing, 4: fen, 11: "000002", 12: "101112", 13: "0301", 39: code, 41: "EMU00001"}
    return line_frames.write(mti, fields)[2:]


@pytest.mark.parametrize(
    ("content", "kind", "batch", "trace"),
    [
        (frame("sale"), Kind.SALE, "000001", "000002"),
        (frame("void"), Kind.VOID, "000001", "000001"),
        (frame("refund"), Kind.REFUND, "000001", "000001"),
        (frame("sale", "0400", f39="98"), Kind.REVERSAL, "000001", "000002"),
        (frame("void", "0400", f39="98"), Kind.VOID_REVERSAL, "000001", "000002"),
        (
            frame("sale", f60="2000000100060"),
            Kind.OTHER,
            "000001",
            "000002",
        ),  # a completion
        (frame("sale", "0100"), Kind.OTHER, "000001", "000002"),
        (frame("sale", f3="310000"), Kind.OTHER, "000001", "000002"),
    ],
)
def test_a_request_is_known_by_type_processing_code_and_function(content, kind, batch, trace):
    seen = READER.understand(content)
    assert (seen.kind, seen.is_answer, seen.batch, seen.trace) == (kind, False, batch, trace)
    assert (seen.own_trace, seen.terminal_no, seen.fen, seen.said) == ("000002", "EMU00001", 85_000, None)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (answer("0210", "00"), Kind.SALE, Said.YES),
        (answer("0210", "51"), Kind.SALE, Said.NO),
        (answer("0210", "68"), Kind.SALE, Said.UNSURE),
        (answer("0210", "00", "200000"), Kind.VOID, Said.YES),
        (answer("0230", "00", "200000"), Kind.REFUND, Said.YES),
        (answer("0410", "25"), Kind.REVERSAL, Said.NO_ORIGINAL),
        (answer("0410", "00", "200000"), Kind.VOID_REVERSAL, Said.YES),
        (answer("0810", "00"), Kind.OTHER, Said.YES),
    ],
)
def test_an_answer_is_known_by_type_and_processing_code(content, kind, said):
    seen = READER.understand(content)
    assert (seen.kind, seen.is_answer, seen.said) == (kind, True, said)


def test_what_may_be_kept_is_masked():
    seen = READER.understand(frame("sale"))
    assert seen.evidence.masked_pan == "629999*********9384"
    assert "6299998473651209384" not in repr(seen)


def test_any_bytes_are_understood_or_not_and_never_raise():
    chance = random.Random(20261128)
    starts = [frame("sale"), frame("void"), answer("0210", "00"), answer("0410", "25")]
    understood = 0
    for _ in range(20_000):
        content = bytearray(chance.choice(starts))
        for _ in range(1 + chance.randrange(4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        understood += READER.understand(bytes(content)) is not None
    assert 0 < understood < 20_000
