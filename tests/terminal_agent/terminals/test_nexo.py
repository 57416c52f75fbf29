"""Does the nexo driver speak as the protocol says, keep nothing it may not, and take money once?"""

import json
import struct

import msgspec
import pytest
from emulator import NEXO_FILE, EmulatedTerminal, short_text
from hypothesis import given
from hypothesis import strategies as st

from subsidy import ids
from subsidy.records.payment import Evidence
from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Back, Say
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.nexo_messages import (
    Address,
    Decoder,
    NexoFault,
    read_message,
    request,
    time_text,
    yuan,
)
from terminal_agent.terminals.nexo_profile import read_nexo_profile
from terminal_agent.terminals.profile import CodeClass
from terminal_agent.terminals.terminal import PortRefused

HERE = Address("SUBSIDY", "EMU00001")
REF = "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"
FEN = 339_915
CARD, TRACK, PHONE = "6299998473651209384", "30125201000000000000", "13800138000"

# Typed by hand from the protocol, never made by our own code.
PAYMENT = (
    b'{"SaleToPOIRequest":{"MessageHeader":{"ProtocolVersion":"3.0","MessageClass":"Service",'
    b'"MessageCategory":"Payment","MessageType":"Request","ServiceID":"P123456789","SaleID":"SUBSIDY",'
    b'"POIID":"EMU00001"},"PaymentRequest":{"PaymentTransaction":{"AmountsReq":{"Currency":"CNY",'
    b'"RequestedAmount":3399.15}}}}}'
)
ANSWER = {
    "SaleToPOIResponse": {
        "MessageHeader": {
            "ProtocolVersion": "3.0",
            "MessageClass": "Service",
            "MessageCategory": "Payment",
            "MessageType": "Response",
            "ServiceID": "P123456789",
            "SaleID": "SUBSIDY",
            "POIID": "EMU00001",
        },
        "PaymentResponse": {
            "Response": {"Result": "Success", "AdditionalResponse": f"card={CARD}"},
            "SaleData": {"SaleTransactionID": {"TransactionID": REF, "TimeStamp": "2026-01-31T10:00:00Z"}},
            "POIData": {
                "POITransactionID": {"TransactionID": "BV0q.KHQC5", "TimeStamp": "2026-01-31T18:00:07.5Z"}
            },
            "PaymentReceipt": [{"OutputContent": {"OutputText": [{"Text": CARD}]}}],
            "PaymentResult": {
                "PaymentInstrumentData": {
                    "CardData": {"MaskedPan": CARD, "SensitiveCardData": {"PAN": CARD, "TrackData": TRACK}}
                },
                "AmountsResp": {"Currency": "CNY", "AuthorizedAmount": 3399.15},
                "PaymentAcquirerData": {
                    "MerchantID": "EMU000000000001",
                    "AcquirerPOIID": "EMU00001",
                    "AcquirerTransactionID": {"TransactionID": "000000000007"},
                    "ApprovalCode": "E00007",
                },
            },
        },
    }
}


def bytes_of(message):
    return json.dumps(message).encode()


def changed(path, value):
    tree = json.loads(json.dumps(ANSWER))
    *parents, last = path.split(".")
    node = tree["SaleToPOIResponse"]
    for one in parents:
        node = node[one]
    node[last] = value
    return bytes_of(tree)


@pytest.fixture(scope="module")
def nexo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nexo")
    with EmulatedTerminal.start(folder, work_ms=0, kind="nexo", link="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def emulator(nexo):
    nexo.clear_faults()
    return nexo


@pytest.fixture
def driver(emulator, clock):
    return DRIVERS["nexo_tcp"](f"{emulator.link}/EMU00001", short_text(NEXO_FILE), "x.yaml").payment(clock)


def test_a_payment_request_has_the_bytes_of_the_protocol():
    body = {"PaymentTransaction": {"AmountsReq": {"Currency": "CNY", "RequestedAmount": yuan(FEN)}}}
    assert request(HERE, "Payment", "P123456789", body) == struct.pack(">I", len(PAYMENT)) + PAYMENT


@pytest.mark.parametrize(("fen", "text"), [(1, "0.01"), (100, "1.00"), (10**12 - 1, "9999999999.99")])
def test_an_amount_is_exact_in_yuan(fen, text):
    assert f'"A":{text}'.encode() in request(HERE, "Payment", "P1", {"A": yuan(fen)})


def test_an_answer_is_read_by_allow_list_and_masked():
    said = read_message(bytes_of(ANSWER), HERE)
    assert (said.order, said.amount_fen, said.result) == (REF, FEN, "Success")
    assert said.evidence == Evidence(
        code="Success",
        terminal_no="EMU00001",
        merchant_no="EMU000000000001",
        rrn="000000000007",
        auth="E00007",
        masked_pan="629999*********9384",
        host_date="20260201",
        host_time="020007",
        channel_no="BV0q.KHQC5",
    )
    assert time_text(said.evidence) == "2026-02-01T02:00:07+08:00"
    assert CARD not in repr(said)


@pytest.mark.parametrize(
    ("path", "value", "kept"),
    [
        ("PaymentResponse.PaymentResult.AmountsResp.Currency", "USD", None),
        ("PaymentResponse.PaymentResult.AmountsResp.AuthorizedAmount", "3399.15", None),
        ("PaymentResponse.PaymentResult.AmountsResp.AuthorizedAmount", 3399.155, None),
        ("PaymentResponse.PaymentResult.AmountsResp.AuthorizedAmount", True, None),
        ("PaymentResponse.PaymentResult.AmountsResp.AuthorizedAmount", -1, None),
        ("PaymentResponse.PaymentResult.AmountsResp.AuthorizedAmount", 3399, 339_900),
    ],
)
def test_an_amount_is_believed_only_as_yuan_in_the_right_currency(path, value, kept):
    assert read_message(changed(path, value), HERE).amount_fen == kept


@pytest.mark.parametrize(
    "path",
    [
        "PaymentResponse.POIData.POITransactionID.TransactionID",
        "PaymentResponse.Response.ErrorCondition",
        "PaymentResponse.PaymentResult.PaymentAcquirerData.ApprovalCode",
        "PaymentResponse.PaymentResult.PaymentAcquirerData.MerchantID",
        "PaymentResponse.SaleData.SaleTransactionID.TransactionID",
        "MessageHeader.ServiceID",
    ],
)
@pytest.mark.parametrize("secret", [CARD, PHONE, "11010519491231002X"])
def test_a_secret_in_any_field_is_dropped(path, secret):
    said = read_message(changed(path, secret), HERE)
    assert secret not in repr(said) + str(msgspec.to_builtins(said))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1e999999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"SaleToPOIResponse":{}}',
        changed("MessageHeader.POIID", "OTHER"),
        changed("MessageHeader.SaleID", "OTHER"),
        changed("MessageHeader.MessageCategory", "Print"),
        changed("PaymentResponse.Response", CARD),
    ],
)
def test_what_is_no_message_to_us_is_one_fault_without_its_content(body):
    with pytest.raises(NexoFault) as fault:
        read_message(body, HERE)
    assert fault.value.__cause__ is None
    assert CARD not in str(fault.value)
    assert len(str(fault.value)) < 100


def test_a_length_that_no_message_has_is_a_fault():
    for size in (0, 1, 65_537, 2**32 - 1):
        with pytest.raises(NexoFault):
            list(Decoder().feed(struct.pack(">I", size)))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_bodies_are_cut_whole_however_they_arrive(noise, size):
    body = b"{}" + noise
    line = struct.pack(">I", len(body)) + body
    decoder = Decoder()
    found = [one for at in range(0, 2 * len(line), size) for one in decoder.feed((line * 2)[at : at + size])]
    assert found == [body, body]


def test_a_sale_is_paid_once_with_its_proof(emulator, driver, ask_for):
    ask = ask_for(FEN)
    assert driver.prepare(ask) is not None
    answer = driver.take(ask)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, FEN)
    assert driver.query(ask) == answer
    assert driver.take(ask) == answer  # even a mistake of ours does not charge twice: same ServiceID
    assert emulator.moved(ask.pay_ref) == [("sale", FEN)]


def test_a_payment_that_nobody_completes_is_aborted_and_is_a_no(emulator, driver, ask_for):
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    emulator.fault("slow_card", ms=1200)
    answer = driver.take(ask)
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "Aborted")
    assert driver.query(ask).say is Say.NOT_FOUND
    assert emulator.moved(ask.pay_ref) == []


@pytest.mark.parametrize(
    ("fault", "options", "took", "found", "booked"),
    [
        ("noise", {}, Say.UNCLEAR, Say.APPROVED, FEN),
        ("split", {"pause_ms": 5}, Say.APPROVED, Say.APPROVED, FEN),
        ("wrong_nonce", {}, Say.UNCLEAR, Say.APPROVED, FEN),
        ("partial", {}, Say.APPROVED, Say.APPROVED, FEN // 2),
        ("crossed_answer", {}, Say.APPROVED, Say.APPROVED, FEN),
        ("wrong_terminal", {}, Say.APPROVED, Say.APPROVED, FEN),
        ("unplug_after_ack", {"ms": 300}, Say.UNCLEAR, Say.APPROVED, FEN),
        ("progress", {"n": 2, "every_ms": 400}, Say.APPROVED, Say.APPROVED, FEN),
    ],
)
def test_a_fault_is_answered_as_it_is(fault, options, took, found, booked, emulator, driver, ask_for):
    ask = ask_for(FEN)
    assert driver.prepare(ask) is not None
    emulator.fault(fault, **options)
    first, then = driver.take(ask), driver.query(ask)
    assert (first.say, then.say) == (took, found)
    assert emulator.moved(ask.pay_ref) == [("sale", booked)]
    for answer in (first, then):
        assert answer.approved_fen == (booked if answer.say is Say.APPROVED else None)


def test_nothing_of_a_clear_card_is_kept(emulator, driver, ask_for):
    ask = ask_for(FEN)
    emulator.fault("clear_card")
    paid = driver.take(ask)
    back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, driver.prepare(ask))
    for answer in (paid, driver.query(ask), driver.refund(ask, back)):
        assert answer.say is Say.APPROVED
        shown = repr(answer) + str(msgspec.to_builtins(answer))
        assert not [one for one in (CARD, TRACK, PHONE, "11010519491231002X") if one in shown]


def test_a_silent_or_absent_terminal_is_no_answer(emulator, driver, ask_for, clock):
    ask = ask_for(FEN)
    driver.take(ask)
    emulator.fault("silent_query")
    assert driver.query(ask).say is Say.UNCLEAR
    emulator.unplug(1500)
    assert driver.prepare(ask) is None
    assert driver.query(ask).say in (Say.UNCLEAR, Say.APPROVED)


def test_a_terminal_switched_off_and_on_knows_what_it_did(tmp_path, clock, ask_for):
    ask = ask_for(FEN)
    options = {"kind": "nexo", "work_ms": 0}
    with EmulatedTerminal.start(tmp_path, link="127.0.0.1:0", **options) as first:
        address = first.link
        driver = DRIVERS["nexo_tcp"](f"{address}/EMU00001", short_text(NEXO_FILE), "x").payment(clock)
        assert driver.prepare(ask) is not None
        first.fault("lost_answer")
        assert driver.take(ask).say is Say.UNCLEAR
        first.kill()
    with EmulatedTerminal.start(tmp_path, link=str(address), **options):
        assert driver.query(ask).say is Say.APPROVED


@pytest.mark.parametrize(
    "mark",
    ["000041", "watched", "S.000001.000017.0131.a-1", "B.000001.000017.000018", "000041 12345678 1769853600"],
)
def test_what_another_driver_began_at_this_terminal_is_unclear_and_stops_nobody(
    mark, emulator, driver, ask_for
):
    ask = msgspec.structs.replace(ask_for(FEN), mark=mark)
    assert driver.query(ask).say is Say.UNCLEAR
    assert driver.reverse(ask, Evidence(code="00", trace="000042")).say is Say.UNCLEAR
    back = Back(ids.refund_no(ask.pay_ref), FEN, Evidence(code="00", trace="000042"), mark)
    assert driver.refund(ask, back).say is Say.UNCLEAR


def test_a_device_that_was_put_in_the_place_of_another_proves_nothing_of_what_that_one_did(
    emulator, driver, ask_for
):
    ask = ask_for(FEN)
    mark = driver.prepare(ask)
    assert driver.query(msgspec.structs.replace(ask, mark=mark)).say is Say.NOT_FOUND
    at_the_other = msgspec.structs.replace(ask, mark=mark.replace("EMU00001", "P400-123456789"))
    assert driver.query(at_the_other).say is Say.UNCLEAR
    assert driver.reverse(at_the_other, Evidence()).say is Say.UNCLEAR


@pytest.mark.parametrize("hours", [24, 72, -1])
def test_what_the_terminal_may_have_forgotten_is_no_proof_and_nothing_is_sent_again(
    hours, emulator, driver, ask_for, clock
):
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    assert driver.query(ask).say is Say.NOT_FOUND
    old = f"{clock.wall_ms() - hours * 3_600_000:x}"
    assert driver.query(msgspec.structs.replace(ask, mark=old)).say is Say.UNCLEAR
    paid = driver.take(ask)
    back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, old)
    assert driver.refund(ask, back).say is Say.UNCLEAR
    assert driver.reverse(msgspec.structs.replace(ask, mark=old), paid.evidence).say is Say.UNCLEAR
    assert emulator.moved(ask.pay_ref) == [("sale", FEN)]


@pytest.mark.parametrize(
    "port", ["127.0.0.1", "127.0.0.1:0/EMU", "host:99999/P", "h:1/", "h:1/a b", "/dev/tty0"]
)
def test_a_port_that_is_no_address_is_refused_with_a_remedy(port):
    with pytest.raises(PortRefused, match="Write it as in"):
        DRIVERS["nexo_tcp"](port, short_text(NEXO_FILE), "x.yaml")


@pytest.mark.parametrize(
    ("result", "condition", "means"),
    [
        ("Success", "", CodeClass.APPROVED),
        ("Partial", "", CodeClass.PARTIAL),
        ("Failure", "Refusal", CodeClass.DECLINED),
        ("Failure", "Busy", CodeClass.BUSY),
        ("Failure", "UnreachableHost", CodeClass.UNCLEAR),
        ("Failure", "", CodeClass.UNCLEAR),
        ("", "Refusal", CodeClass.UNCLEAR),
    ],
)
def test_only_a_named_condition_is_a_no(result, condition, means):
    profile = read_nexo_profile(NEXO_FILE.read_text(encoding="utf-8"), "x.yaml")
    assert profile.class_of(result, condition) is means


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("family: nexo_tcp", "family: zvt", "not known here"),
        ('sale_id: "SUBSIDY"', 'sale_id: "a b"', "no SaleID"),
        ("login: true", "login: yes", "neither true nor false"),
        ("- Busy", "- Refusal", "stands under declined too"),
        ("- Busy", '- "4x"', "no ErrorCondition"),
        ("connect_ms: 3000", "connect_ms: 0", "below 1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_a_remedy(old, new, says):
    text = NEXO_FILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(FileError, match=r"x\.yaml, line [0-9]+") as refused:
        read_nexo_profile(text.replace(old, new, 1), "x.yaml")
    assert says in str(refused.value)
