"""Do mutated frames, messages and records raise nothing but our own faults, cost little, and leak nothing?

`MUTATIONS=1000000` tries so many for each codec; without it a few thousand.
"""

import json
import os
from functools import partial

import pytest
from cpu_time import cpu_time
from emulator import short_profile
from mutated import MOST_CPU_S, understood_of

from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.framing import Decoder, Frame, FramingFault, frame
from terminal_agent.terminals.mis_call import read_reply
from terminal_agent.terminals.mis_record import RecordFault
from terminal_agent.terminals.mis_record import read_answer as read_record
from terminal_agent.terminals.nexo_messages import Address, NexoFault, read_message
from terminal_agent.terminals.nexo_messages import Decoder as NexoDecoder
from terminal_agent.terminals.read_answer import read_answer

COUNT = int(os.environ.get("MUTATIONS", "3000"))
HERE = Address("SUBSIDY", "EMU00001")

FIELDS = (
    (0x01, b"\x02"),
    (0x02, b"000000339915"),
    (0x0B, b"629999*********9384"),
    (0x14, b"00"),
    (0x19, "交易成功".encode("gbk")),
    (0x0E, b"000017"),
    (0x1A, b"2LTD7E01"),
    (0xFF, b"AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"),
)
SEPARATED = b"0210|00|EMU000000000001|EMU00001|2LTD7E01||A00001|000000000100||000017|||||ok||"
HEADER = {"MessageType": "Response", "SaleID": "SUBSIDY", "POIID": "EMU00001", "ServiceID": "S123456789"}
PAYMENT = {
    "Response": {"Result": "Success"},
    "SaleData": {"SaleTransactionID": {"TransactionID": "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"}},
    "POIData": {"POITransactionID": {"TransactionID": "A.1", "TimeStamp": "2026-01-31T10:00:00+08:00"}},
    "PaymentResult": {
        "AmountsResp": {"Currency": "CNY", "AuthorizedAmount": 3399.15},
        "PaymentInstrumentData": {"CardData": {"MaskedPan": "629999******9384"}},
    },
}
STATUS = {
    "SaleToPOIResponse": {
        "MessageHeader": {**HEADER, "MessageCategory": "TransactionStatus"},
        "TransactionStatusResponse": {
            "Response": {"Result": "Success"},
            "RepeatedMessageResponse": {
                "MessageHeader": {**HEADER, "MessageCategory": "Payment"},
                "RepeatedResponseMessageBody": {"PaymentResponse": PAYMENT},
            },
        },
    }
}
RECORD = (
    b"000102629999******9384    000017000000339915"
    + "交易成功".encode("gbk").ljust(40)
    + b"EMU000000000001EMU000010000010131093005000000000007E000070131123"
)


def read_frames(kind):
    dialect = short_profile(kind).dialect

    def read(line):
        decoder = Decoder(dialect.rules)
        events = decoder.feed(line) + decoder.gap()
        found = []
        for event in [*events, Frame(line)]:
            if isinstance(event, Frame):
                try:
                    found.append(read_answer(event.data, dialect.unpack))
                except FramingFault:
                    continue
        return found

    right = SEPARATED if dialect.separated else dialect.pack(FIELDS)
    return read, frame(right, dialect.rules)


def read_nexo(line):
    return [read_message(body, HERE) for body in NexoDecoder().feed(line)]


def read_nexo_body(body):
    return [read_message(body, HERE)]


def framed(message):
    body = json.dumps(message).encode()
    return len(body).to_bytes(4) + body


CODECS = {
    **{kind: read_frames(kind) for kind in ("allinpay", "separated", "separated_7f")},
    "nexo": (read_nexo, framed(STATUS)),
    "nexo body": (read_nexo_body, json.dumps(STATUS).encode()),
    "mis record": (lambda record: [read_record(record)], RECORD),
    "mis reply": (lambda reply: [read_record(read_reply(reply))], b"A\x00\x94" + RECORD),
}


def understand(read, given):
    """Return whether anything was understood, and all that anybody may see of it."""
    try:
        said = read(given)
    except (FramingFault, NexoFault, RecordFault, LinkFault) as fault:
        return False, str(fault)
    return bool(said), repr(said)


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_but_our_own_fault_is_raised_and_no_card_leaks(codec):
    read, right = CODECS[codec]
    assert read(right)
    assert understood_of(codec, [(right, partial(understand, read))], COUNT) < COUNT


@pytest.mark.parametrize("codec", ["nexo", "nexo body"])
@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'"', b"\\", b"9", b"-", b"1e9,", b"\xe4"])
def test_a_largest_message_of_one_piece_costs_little(codec, piece):
    read, _ = CODECS[codec]
    body = (piece * 65_536)[:65_536]
    line = body if codec == "nexo body" else len(body).to_bytes(4) + body
    with cpu_time() as cost, pytest.raises(NexoFault):
        read(line)
    assert cost.s < MOST_CPU_S
