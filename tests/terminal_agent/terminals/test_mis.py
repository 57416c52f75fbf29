"""Are the records of a MIS client those of the protocol, and can its child never hold us up or tell a lie?"""

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from emulator import MIS_FILE, EmulatedTerminal, short_text

from subsidy import ids
from subsidy.records.payment import Evidence
from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Back, Say
from terminal_agent.terminals import mis_child
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.mis_call import call_child, child_command, read_reply
from terminal_agent.terminals.mis_last import Mark, Window, full_date, is_as_before, is_next, read_mark
from terminal_agent.terminals.mis_profile import read_mis_profile
from terminal_agent.terminals.mis_record import RecordFault, Request, read_answer, write_request
from terminal_agent.terminals.terminal import PortRefused

FEN = 339_915
CARD, PHONE = "6299998473651209384", "13800138000"

# Typed by hand from the protocol, never made by our own code.
SALE = b"01      07      00000000339915" + b"00000000" + b"000000000000" + b"000000" + b"123"
REFUND = b"01      07      02000000339915" + b"20260131" + b"000000000007" + b"000017" + b"009"
ANSWER = (
    b"000102"
    b"629999******9384    "
    b"000017000000339915"
    + "交易成功".encode("gbk").ljust(40)
    + b"EMU000000000001EMU000010000010131093005000000000007E00007"
    + b"0131123"
)


@pytest.fixture(scope="module")
def mis(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mis")
    with EmulatedTerminal.start(folder, work_ms=0, kind="mis", link="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def emulator(mis):
    mis.clear_faults()
    return mis


@pytest.fixture
def driver(emulator, clock):
    text = short_text(MIS_FILE, answer_wait_ms=1500, answer_cap_ms=1500, status_wait_ms=3000)
    return DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)


def sold(driver, ask):
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    answer = driver.take(ask)
    assert answer.say is Say.APPROVED
    return ask, answer


def test_a_sale_has_the_bytes_of_the_protocol():
    assert len(SALE) == 59
    assert write_request(Request("00", "01", "07", "123", FEN)) == SALE


def test_a_refund_names_its_original():
    request = Request("02", "01", "07", "009", FEN, "20260131", "000000000007", "000017")
    assert write_request(request) == REFUND


def test_a_long_or_strange_name_changes_no_other_field():
    record = write_request(Request("00", "till-number-9", "王\n\x00小明 the manager", "123", FEN))
    assert record == b"till-num????? th" + SALE[16:]


def test_an_answer_is_read_by_its_widths_and_masked():
    assert len(ANSWER) == 148
    slip = read_answer(ANSWER)
    assert (slip.nonce, slip.amount_fen) == ("123", FEN)
    assert slip.evidence == Evidence(
        code="00",
        text="交易成功",
        terminal_no="EMU00001",
        merchant_no="EMU000000000001",
        batch="000001",
        trace="000017",
        rrn="000000000007",
        auth="E00007",
        masked_pan="629999******9384",
        host_date="0131",
        host_time="093005",
    )


@pytest.mark.parametrize("size", [0, 1, 147, 149, 296])
def test_an_answer_of_another_size_is_a_fault_without_its_content(size):
    with pytest.raises(RecordFault) as fault:
        read_answer((CARD.encode() * 20)[:size])
    assert CARD[:6] not in str(fault.value)


# Digits that fill a field of digits exactly, as 15 in the merchant's place, cannot be told from its own.
@pytest.mark.parametrize("at", [at for at in range(148 - 18) if not 74 < at < 94])
def test_a_card_number_at_any_place_is_not_kept(at):
    leaking = ANSWER[:at] + CARD.encode() + ANSWER[at + len(CARD) :]
    shown = str(msgspec.to_builtins(read_answer(leaking)))
    assert not [i for i in range(7) if CARD[i : i + 13] in shown]


def window(before_s=120, after_s=300):
    return Window(before_s, after_s)


def slip(trace="000018", fen=FEN, date="20260131", time="093005", terminal_no="EMU00001"):
    evidence = Evidence(trace=trace, host_date=date, host_time=time, terminal_no=terminal_no)
    return msgspec.structs.replace(read_answer(ANSWER), amount_fen=fen, evidence=evidence)


AT = 1_769_823_000  # 31 January 2026, 09:30:00 in Shanghai
MARK = Mark("000017", "EMU00001", AT)


@pytest.mark.parametrize(
    ("last", "ours"),
    [
        (slip(), True),
        (slip(trace="000025"), True),  # a few refused ones between
        (slip(trace="000017"), False),
        (slip(trace="000016"), False),
        (slip(trace="000027"), False),
        (slip(fen=FEN - 1), False),
        (slip(fen=None), False),
        (slip(terminal_no="EMU00002"), False),
        (slip(time="092700"), False),
        (slip(time="094000"), False),
        (slip(date="20260130"), False),
        (slip(date="", time=""), False),
        (slip(date="20260231"), False),
    ],
)
def test_the_last_transaction_is_ours_only_when_everything_fits(last, ours):
    assert is_next(last, MARK, FEN, window()) is ours


def test_numbers_go_on_with_1_after_999999():
    assert is_next(slip(trace="000001"), msgspec.structs.replace(MARK, shown="999999"), FEN, window())
    assert is_next(slip(trace="000001"), msgspec.structs.replace(MARK, shown="000000"), FEN, window())


def test_a_mark_is_read_as_it_was_written():
    for mark in (MARK, Mark("000000", "", AT)):
        assert read_mark(mark.write()) == mark
    assert read_mark(None) is None
    assert is_as_before(None, Mark("000000", "", AT))
    assert not is_as_before(None, MARK)


@pytest.mark.parametrize(
    ("mmdd", "now", "day"),
    [
        ("0131", AT, "20260131"),
        ("1231", AT, "20251231"),
        ("0101", 1_767_196_000, "20260101"),  # the terminal is a little ahead on New Year's Eve
        ("0229", AT, ""),
        ("1340", AT, ""),
    ],
)
def test_a_day_without_a_year_is_the_nearest_one(mmdd, now, day):
    assert full_date(mmdd, now * 1000) == day


def test_a_sale_is_paid_once_with_its_proof(emulator, driver, ask_for):
    ask, answer = sold(driver, ask_for(FEN))
    assert driver.query(ask) == answer
    assert (answer.approved_fen, answer.evidence.terminal_no) == (FEN, "EMU00001")
    assert len(answer.evidence.host_date) == 8


def test_a_client_that_hangs_is_ended_at_its_time_and_the_next_call_works(emulator, driver, ask_for):
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    lines = len(emulator.books())
    emulator.fault("hung")
    began = time.monotonic()
    assert driver.take(ask).say is Say.UNCLEAR
    assert time.monotonic() - began < 5
    assert driver.query(ask).say is Say.NOT_FOUND
    assert len(emulator.books()) == lines
    assert children_of_ours() == []
    sold(driver, ask_for(FEN))


def children_of_ours():
    listed = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    mine = str(Path(mis_child.__file__))
    return [one for one in listed.splitlines() if mine in one]


@pytest.mark.parametrize(
    ("fault", "options", "took", "found"),
    [
        ("wrong_nonce", {}, Say.UNCLEAR, Say.APPROVED),
        ("torn_answer", {}, Say.UNCLEAR, Say.APPROVED),
        ("split", {"pause_ms": 1}, Say.APPROVED, Say.APPROVED),
        ("wrong_terminal", {}, Say.APPROVED, Say.APPROVED),
        ("unplug_after_ack", {"ms": 300}, Say.UNCLEAR, Say.UNCLEAR),
        ("clear_card", {}, Say.APPROVED, Say.APPROVED),
    ],
)
def test_a_fault_is_answered_as_it_is(fault, options, took, found, emulator, driver, ask_for):
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    before = len(emulator.books())
    emulator.fault(fault, **options)
    first, then = driver.take(ask), driver.query(ask)
    assert first.say is took
    assert then.say in (found, Say.APPROVED)  # a busy machine may ask when it is back already
    while then.say is Say.UNCLEAR:
        then = driver.query(ask)
    assert then.say is Say.APPROVED
    assert [(one["kind"], one["fen"]) for one in emulator.books()[before:]] == [("sale", FEN)]
    for answer in (first, then):
        shown = repr(answer) + str(msgspec.to_builtins(answer))
        assert not [one for one in (CARD, PHONE, "11010519491231002X") if one in shown]


@pytest.mark.parametrize(
    "mark", ["000041", "watched", "S.000001.000017.0131.a-1", "B.000001.000017.000018", "19c12f3a2b1"]
)
def test_what_another_driver_began_at_this_terminal_is_unclear_and_stops_nobody(mark, driver, ask_for):
    sold(driver, ask_for(FEN))
    ask = msgspec.structs.replace(ask_for(FEN), mark=mark)
    assert driver.query(ask).say is Say.UNCLEAR
    assert driver.reverse(ask, Evidence()).say is Say.UNCLEAR
    back = Back(ids.refund_no(ask.pay_ref), FEN, Evidence(code="00", trace="000042"), mark)
    assert driver.refund(ask, back).say is Say.UNCLEAR


def test_a_refund_in_doubt_is_sent_again_only_when_it_is_certainly_over(emulator, clock, ask_for):
    text = short_text(MIS_FILE, answer_wait_ms=1000, status_wait_ms=3000, host_timeout_ms=1000)
    driver = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)
    ask, paid = sold(driver, ask_for(FEN))
    back = Back(ids.refund_no(ask.pay_ref), FEN - 1, paid.evidence, driver.prepare(ask))
    before = len(emulator.books())
    emulator.fault("progress", on="refund", n=1, every_ms=2000)
    began = time.monotonic()
    assert driver.refund(ask, back).say is Say.UNCLEAR
    while (answer := driver.refund(ask, back)).say is not Say.APPROVED:
        assert time.monotonic() < began + 12
    again = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)
    assert again.refund(ask, back) == answer
    assert [(one["kind"], one["fen"]) for one in emulator.books()[before:]] == [("refund", FEN - 1)]


def test_after_a_restart_a_refund_waits_until_an_earlier_one_is_over(emulator, clock, ask_for):
    text = short_text(MIS_FILE, answer_wait_ms=1400, status_wait_ms=3000, host_timeout_ms=1500)
    first = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)
    ask, paid = sold(first, ask_for(FEN))
    back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, first.prepare(ask))
    restarted = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)
    assert restarted.refund(ask, back).say is Say.UNCLEAR
    time.sleep(3.1)
    assert restarted.refund(ask, back).say is Say.APPROVED


def test_a_client_that_is_not_there_is_one_fault_with_a_remedy():
    with pytest.raises(LinkFault, match="Check the library's path"):
        call_child(child_command("", ("tcp", "127.0.0.1", "1")), SALE, 5)
    with pytest.raises(LinkFault, match="Check the library's path"):
        call_child(child_command("", ("dll", "/nowhere/posinf.so", "bankall")), SALE, 5)
    with pytest.raises(LinkFault, match="Check `python`"):
        call_child(child_command("/nowhere/python", ("tcp", "127.0.0.1", "1")), SALE, 5)


def test_a_library_is_called_with_request_and_room_for_the_answer(tmp_path):
    # `int strcasecmp(char*, char*)` takes what `bankall` takes, and writes nothing: an empty answer is none.
    answer = call_child(child_command("", ("dll", "libc.so.6", "strcasecmp")), SALE, 5)
    assert answer == bytes(148)
    assert read_answer(answer).evidence == Evidence()
    # `realpath` writes into its second argument what it makes of the first.
    path = bytes(tmp_path).ljust(60, b"/")
    answer = call_child(child_command("", ("dll", "libc.so.6", "realpath")), path, 5)
    assert answer.rstrip(b"\0") == bytes(tmp_path.resolve())


def test_a_library_that_kills_its_process_is_one_fault():
    with pytest.raises(LinkFault, match="without an answer"):
        call_child(child_command("", ("dll", "libc.so.6", "abort")), SALE, 5)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"A",
        b"A\x00\x94",
        b"A\x00\x94" + b"x" * 147,
        b"A\x00\x95" + b"x" * 149,
        b"E\x00\x06answer",
        b"X\x00\x00",
    ],
)
def test_a_reply_that_is_none_is_one_fault(reply):
    with pytest.raises(LinkFault):
        read_reply(reply)


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (("tcp", "127.0.0.1", "1"), b"", b"request"),
        (("tcp", "127.0.0.1", "1"), b"Q\x00\x05abc", b"request"),
        (("tcp", "127.0.0.1", "1"), b"Q\x00\x03abcd", b"request"),
        (("tcp", "127.0.0.1", "1"), b"Q\xff\xffabc", b"request"),
        (("udp", "127.0.0.1", "1"), b"Q\x00\x03abc", b"usage"),
        ((), b"Q\x00\x03abc", b"usage"),
    ],
)
def test_the_child_takes_one_framed_request_and_says_what_is_wrong(arguments, given, says):
    command = [sys.executable, "-I", mis_child.__file__, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=10, check=True)
    assert done.stdout == b"E" + len(says).to_bytes(2) + says
    assert done.stderr == b""


@pytest.mark.parametrize(
    "port", ["127.0.0.1:7000", "tcp:127.0.0.1", "tcp:h:0", "tcp:h:70000", "dll:", "dll: ", "x"]
)
def test_a_port_that_is_no_client_is_refused_with_a_remedy(port):
    with pytest.raises(PortRefused, match="Write it as in"):
        DRIVERS["mis_fixed"](port, MIS_FILE.read_text(encoding="utf-8"), "x.yaml")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("family: mis_fixed", "family: zvt", "not known here"),
        ('function: "bankall"', 'function: "bank all"', "no name of a function"),
        ('sale: "00"', 'sale: "0"', "no transaction number"),
        ('void: "01"', 'void: "00"', "does something else too"),
        ("status_wait_ms: 8000", "status_wait_ms: 0", "below 1"),
        ('- "10"', '- "00"', "stands under approved too"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_a_remedy(old, new, says):
    text = MIS_FILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(FileError, match=r"x\.yaml, line [0-9]+") as refused:
        read_mis_profile(text.replace(old, new, 1), "x.yaml")
    assert says in str(refused.value)


def lost(emulator, driver, ask, fault="lost_request"):
    """Take a payment of which nothing is heard, and return it as it was asked."""
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    emulator.fault(fault)
    assert driver.take(ask).say is Say.UNCLEAR
    return ask


def test_the_next_sale_of_the_same_amount_is_not_taken_for_the_one_that_was_lost(emulator, driver, ask_for):
    nobodys = lost(emulator, driver, ask_for(FEN))
    sold(driver, ask_for(FEN))
    before = emulator.books()

    assert driver.query(nobodys).say is Say.UNCLEAR
    assert driver.reverse(nobodys, Evidence()).say is Say.UNCLEAR
    assert emulator.books() == before


def test_a_new_process_takes_the_last_transaction_for_nobodys_that_the_link_has_moved_on_from(
    emulator, driver, clock, ask_for
):
    nobodys = lost(emulator, driver, ask_for(FEN))
    sold(driver, ask_for(FEN))
    text = short_text(MIS_FILE, answer_wait_ms=1500, answer_cap_ms=1500, status_wait_ms=3000)
    restarted = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)

    assert restarted.query(msgspec.structs.replace(nobodys, moved_on=True)).say is Say.UNCLEAR


def test_a_new_process_finds_the_payment_that_the_link_has_not_moved_on_from(
    emulator, driver, clock, ask_for
):
    ask = lost(emulator, driver, ask_for(FEN), "lost_answer")
    text = short_text(MIS_FILE, answer_wait_ms=1500, answer_cap_ms=1500, status_wait_ms=3000)
    restarted = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", text, "x.yaml").payment(clock)

    assert restarted.query(ask).say is Say.APPROVED


def test_a_sale_of_the_same_amount_is_not_taken_for_a_refund_that_was_lost(emulator, driver, ask_for):
    ask, paid = sold(driver, ask_for(FEN))
    back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, driver.prepare(ask))
    emulator.fault("lost_request", on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    sold(driver, ask_for(FEN))

    assert driver.refund(ask, back).say is Say.UNCLEAR
