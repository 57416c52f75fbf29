"""What passes on a link of any kind is written down, shows no secret, and is replayed where it can be."""

import json
import random
import secrets as chance
from functools import partial

import alipay
import msgspec
import pytest
import unionpay
import wechat
from acquirer import EmulatedAcquirer, new_number
from acquirer import profile_text as direct_profile_text
from emulator import MIS_FILE, NEXO_FILE, EmulatedTerminal, short_profile_text, short_text
from scanner import Scanner, Secret, looks_personal
from typer.testing import CliRunner

from subsidy.records.payment import Evidence
from terminal_agent.channels.wallets import AlipayChannel, UnionPayChannel, WechatChannel
from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.cli import app
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_IDENTITY, MADE_UP_PHONE, MADE_UP_TRACK
from terminal_agent.iso8583.dialect import place_of
from terminal_agent.system import SystemClock
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.traces.mask_http import mask_http, mask_unionpay
from terminal_agent.traces.mask_mis import mask_mis
from terminal_agent.traces.mask_nexo import mask_nexo
from terminal_agent.traces.read_trace import make_case, read_trace, replay
from terminal_agent.traces.write_trace import Note, TraceFile

CLOCK = SystemClock()
FEN = 85_000
CARDS = (
    ("card", MADE_UP_CARD),
    ("track", MADE_UP_TRACK[:37]),
    ("phone", MADE_UP_PHONE),
    ("id", MADE_UP_IDENTITY),
)


def recorder(file):
    return partial(Note, TraceFile(file, CLOCK, lambda *_, **__: None), CLOCK, "EMU00001")


def text_of(name):
    return place_of(name).read_text(encoding="utf-8")


def run(*words):
    return CliRunner().invoke(app, ["trace", *map(str, words)])


def case_of(file):
    """Return the case that a trace makes, once it was shown, made and checked as shop IT would."""
    shown = run("show", file)
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) == len(read_trace(file.read_bytes(), file.name))
    out = file.with_suffix(".json")
    made = run("to-test", file, "--out", out, "--why", "a day")
    assert made.exit_code == 0, made.output
    assert run("check", out).exit_code == 0
    case = make_case(read_trace(file.read_bytes(), file.name), "a day", text_of)
    assert replay(case, text_of) == []
    return case


def nothing_secret(file, *secrets):
    scanner = Scanner(Secret(*one) for one in (*CARDS, *secrets))
    frames = [bytes.fromhex(one.frame) for one in read_trace(file.read_bytes(), file.name) if one.frame]
    assert scanner.scan_file(file) == []
    assert scanner.scan(b"\n".join(frames), "frames") == []


# Wallets, by codes that shoppers show and that we show.

WALLETS = {
    "wechat": (wechat.EmulatedWechat, WechatChannel, wechat.new_ask, wechat.new_shown_ask),
    "alipay": (alipay.EmulatedAlipay, AlipayChannel, alipay.new_ask, wechat.new_shown_ask),
    "unionpay": (
        unionpay.EmulatedUnionPay,
        UnionPayChannel,
        unionpay.new_unionpay_ask,
        unionpay.new_unionpay_shown_ask,
    ),
}


@pytest.mark.parametrize("how", ["payment", "showing"])
@pytest.mark.parametrize("name", WALLETS)
def test_exchanges_with_each_wallet_either_way(name, how, tmp_path):
    start, channel_of, new_ask, new_shown_ask = WALLETS[name]
    file = tmp_path / "wallet.trace"
    with start.start(tmp_path / "emulator") as emulated:
        channel = channel_of(emulated.profile()).recorded(recorder(file))
        payment = getattr(channel, how)(CLOCK, chance.token_bytes)
        ask = new_ask(FEN) if how == "payment" else new_shown_ask(FEN)
        ask = msgspec.structs.replace(ask, mark=payment.prepare(ask))
        took = payment.take(ask)
        if how == "showing":
            assert emulated.scan(took.show)
        assert payment.query(ask).say is Say.APPROVED
        payment.reverse(ask, Evidence())
    code = ask.pay_code.reveal() if how == "payment" else took.show
    nothing_secret(file, ("payment code", code))
    passed = read_trace(file.read_bytes(), file.name)
    assert [one.size for one in passed if one.size] == []  # each body could be read
    bodies = [bytes.fromhex(one.frame).decode() for one in passed if one.frame]
    assert not looks_personal("".join(bodies), own=[ask.pay_ref])
    assert not any("sign" in one and "MII" in one for one in bodies)
    case = case_of(file)
    assert ask.pay_ref in run("show", file).stdout
    said = json.dumps([step.understood for step in case.steps])
    word = {"wechat": '"SUCCESS"', "alipay": '"TRADE_SUCCESS"', "unionpay": '"origRespCode": "00"'}[name]
    assert word in said
    assert "85000" in said or "850.00" in said


def test_a_call_at_alipay_is_named_although_its_address_is_always_the_same(tmp_path):
    file = tmp_path / "alipay.trace"
    with alipay.EmulatedAlipay.start(tmp_path) as emulated:
        payment = (
            AlipayChannel(emulated.profile()).recorded(recorder(file)).payment(CLOCK, chance.token_bytes)
        )
        payment.query(alipay.new_ask(FEN))
    assert read_trace(file.read_bytes(), "x")[0].said == "POST alipay.trade.query"


# Card terminals.


def at(driver, port, text, file, trace):
    return DRIVERS[driver](port, text, str(file)).recorded(recorder(trace)).payment(CLOCK)


def sell(payment, emulated):
    """Sell once in order and once with a card in the answer where none belongs."""
    for no, fault in enumerate((None, "clear_card"), start=1):
        ask = Ask(f"AGNQ7WAAOAAHNAABAAAAAAAAAA0{no}", FEN, "cashier-1", "01")
        ask = msgspec.structs.replace(ask, mark=payment.prepare(ask))
        if fault:
            emulated.fault(fault)
        payment.take(ask)


@pytest.mark.parametrize(
    ("driver", "kind", "file"), [("nexo_tcp", "nexo", NEXO_FILE), ("mis_fixed", "mis", MIS_FILE)]
)
def test_a_terminal_on_the_network_and_one_behind_its_client(driver, kind, file, tmp_path):
    trace = tmp_path / "terminal.trace"
    with EmulatedTerminal.start(tmp_path, work_ms=0, kind=kind, link="127.0.0.1:0") as emulated:
        port = f"{emulated.link}/EMU00001" if kind == "nexo" else f"tcp:{emulated.link}"
        payment = at(driver, port, short_text(file), "x.yaml", trace)
        sell(payment, emulated)
    nothing_secret(trace)
    assert not [one.size for one in read_trace(trace.read_bytes(), "x") if one.size]
    case = case_of(trace)
    amounts = [step.understood.get("amount_fen") for step in case.steps if step.understood]
    assert amounts.count(FEN) == 2 or (kind == "mis" and amounts.count(FEN) >= 2)
    assert all(step.understood is not None for step in case.steps)


def test_a_terminal_that_is_not_there_or_goes_away_is_told(tmp_path):
    trace = tmp_path / "gone.trace"
    payment = at("nexo_tcp", "127.0.0.1:1/EMU00001", short_text(NEXO_FILE), "x.yaml", trace)
    assert payment.prepare(Ask("", FEN, "", "")) is None
    said = {one.said for one in read_trace(trace.read_bytes(), "x")}
    assert said == {"no connection"}
    trace.unlink()
    payment = at("mis_fixed", "tcp:127.0.0.1:1", short_text(MIS_FILE), "x.yaml", trace)
    assert payment.prepare(Ask("", FEN, "", "")) is None
    assert [one.said for one in read_trace(trace.read_bytes(), "x")][-1] == "no answer"


def test_a_terminal_that_we_are_ourselves(tmp_path):
    trace = tmp_path / "direct.trace"
    with EmulatedAcquirer.start(tmp_path) as host:
        number = new_number()
        text = direct_profile_text(number, memory=f"{tmp_path}/{number}.keys")
        payment = at("iso8583_direct", host.address, text, tmp_path / f"{number}.yaml", trace)
        sell(payment, host)
    nothing_secret(trace)
    case = case_of(trace)
    assert [step.way for step in case.steps[:2]] == ["to_acquirer", "to_terminal"]
    sales = [step.understood for step in case.steps if step.understood and step.understood["kind"] == "SALE"]
    assert [one["fen"] for one in sales] == [FEN] * 4
    # The keys of a sign-in, the PIN block and the MAC are zeros in the frames themselves.
    frames = b"".join(bytes.fromhex(step.frame) for step in case.steps)
    assert b"9F8E7D6C5B4A3F2E" not in frames.hex().upper().encode()
    sign_in = next(step for step in case.steps if step.way == "to_terminal")
    assert "00" * 24 in sign_in.frame


@pytest.mark.parametrize("kind", ["separated", "separated_7f"])
def test_fields_that_go_by_their_places_are_shown_and_not_replayed(kind, tmp_path):
    trace = tmp_path / "serial.trace"
    with EmulatedTerminal.start(tmp_path, kind=kind) as emulated:
        payment = at("serial_ecr", str(emulated.link), short_profile_text(kind), "x.yaml", trace)
        sell(payment, emulated)
    nothing_secret(trace)
    shown = run("show", trace).stdout
    assert f"{FEN:012d}" in shown
    assert "EMU00001" in shown
    made = run("to-test", trace, "--out", tmp_path / "case.json", "--why", "x")
    assert made.exit_code == 3
    assert "cannot be replayed" in made.stderr


# Whatever comes, nothing is raised, and what is kept can be read.


@pytest.mark.parametrize("mask", [mask_http, mask_unionpay, mask_mis, mask_nexo])
def test_any_bytes_are_masked_or_left_out(mask):
    draw = random.Random(6)
    card = MADE_UP_CARD.encode()
    seeds = [
        b'{"SaleToPOIResponse":{"Result":"Success","AuthorizedAmount":'
        + card
        + b',"TransactionID":"'
        + card
        + b'"}}',
        b"respCode=00&qrNo=" + card + b"&reserved={a=1&b=" + card + b"}&txnAmt=85000",
        b"000102" + card.ljust(20) + b"000017" + b"000000085000" + card.ljust(40) + b" " * 64,
        b'{"total_amount":' + card + b',"deep":[[[{"code":"' + card + b'"}]]]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ]
    scanner = Scanner([Secret("card", MADE_UP_CARD)])
    for content in seeds:
        assert scanner.scan(mask(content) or b"", "masked") == []
    for _ in range(2000):
        content = bytearray(draw.choice(seeds[:4]))
        for _ in range(draw.randrange(4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        masked = mask(bytes(content))
        assert masked is None or isinstance(masked, bytes)
