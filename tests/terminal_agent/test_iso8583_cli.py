import json

import pytest
from iso8583_messages import CARD, PIN_BLOCK, SALE, TRACK, codec
from typer.testing import CliRunner

from terminal_agent.cli import app

DOUBLE = "0123456789ABCDEFFEDCBA9876543210"
MESSAGE = {"t": "0200", **{key: text for key, text in SALE.items() if key != "64"}}


@pytest.fixture
def run(tmp_path):
    def command(verb, content, *options, dialect="unionpay_terminal"):
        file = tmp_path / "message"
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        return CliRunner().invoke(app, ["iso8583", verb, "--dialect", dialect, "--file", str(file), *options])

    return command


def test_fields_go_to_hex_and_back(run):
    written = run("encode", MESSAGE)
    assert written.exit_code == 0
    assert bytes.fromhex(written.stdout) == codec().encode(
        "0200", {k: v for k, v in MESSAGE.items() if k != "t"}
    )
    read = run("decode", written.stdout, "--clear-test-card", "--json")
    assert read.exit_code == 0
    assert json.loads(read.stdout) == MESSAGE


def test_card_data_is_masked_unless_it_is_a_test_card(run):
    read = run("decode", run("encode", MESSAGE).stdout, "--parts")
    assert json.loads(read.stdout)["2"] == "629999*********9384"
    assert [one for one in (CARD, TRACK, PIN_BLOCK) if one in read.stdout] == []


def test_a_frame_has_length_tpdu_and_header(run):
    around = {**MESSAGE, "tpdu": "6000010002", "header": "603100311001"}
    written = json.loads(run("encode", around, "--frame", "--json").stdout)["hex"]
    assert written[4:26] == "6000010002603100311001"
    assert int(written[:4], 16) == len(written) // 2 - 2
    assert json.loads(run("decode", written, "--frame", "--clear-test-card").stdout) == around


@pytest.mark.parametrize(
    ("mac", "key"),
    [("cup", DOUBLE[:16]), ("cup_3des", DOUBLE), ("cup_sm4", DOUBLE), ("x919", DOUBLE)],
)
def test_a_key_fills_and_checks_the_mac(run, mac, key):
    options = ("--mac-key", key, "--mac", mac)
    written = run("encode", {**MESSAGE, "64": "00" * 8}, *options).stdout.strip()
    right = run("decode", written, *options)
    assert (right.exit_code, json.loads(right.stdout)["mac_fits"]) == (0, True)
    wrong = run("decode", written[:-1] + ("0" if written[-1] != "0" else "1"), *options)
    assert (wrong.exit_code, json.loads(wrong.stdout)["mac_fits"]) == (4, False)


def test_composed_fields_may_be_given_as_parts(run):
    parts = {**MESSAGE, "60": {"kind": "22", "batch": "000001", "function": "000"}}
    read = run("decode", run("encode", parts).stdout, "--parts")
    assert json.loads(read.stdout)["parts"]["60"] == parts["60"]


@pytest.mark.parametrize(
    ("verb", "content", "options", "code", "says"),
    [
        ("encode", {**MESSAGE, "4": "32.99"}, (), 3, "field 4: 5 digits, where it takes 12"),
        ("encode", {**MESSAGE, "99": "1"}, (), 3, "field 99: unionpay_terminal has no such field"),
        ("encode", {"3": "000000"}, (), 3, "MTI: not four digits"),
        ("encode", {**MESSAGE, "t": {"a": "b"}}, (), 3, "not a text"),
        ("encode", {**MESSAGE, "p": "00"}, (), 3, "not the bitmap"),
        ("encode", {**MESSAGE, "tpdu": "6000010002"}, (), 3, "--frame"),
        ("encode", {**MESSAGE, "tpdu": "60"}, ("--frame",), 3, "TPDU: not 10 digits"),
        ("encode", '{"t": "0200", "t": "0210"}', (), 3, "twice"),
        ("encode", '{"t": "0200", "3": 0}', (), 3, "texts"),
        ("encode", "[]", (), 3, "texts"),
        ("encode", "", (), 3, "not JSON"),
        ("encode", {**MESSAGE, "63": "CUP\ud800"}, (), 3, ""),
        ("encode", MESSAGE, ("--mac", "cup"), 2, "--mac-key"),
        ("encode", MESSAGE, ("--mac-key", "zz"), 2, "not hex"),
        ("encode", MESSAGE, ("--mac-key", DOUBLE), 2, "16 bytes, where this MAC takes 8"),
        ("encode", MESSAGE, ("--mac-key", DOUBLE, "--mac", "md5"), 2, "cup_3des"),
        ("decode", "0200 zz", (), 3, "not hex"),
        ("decode", "0200", (), 3, "2 bytes are no message"),
        ("decode", "02007024048020C0801", (), 3, "not hex"),
        ("decode", "0005 6000030000", ("--frame",), 3, "header at byte 5: not twelve digits"),
        ("decode", "0009 6000030000", ("--frame",), 3, "does not fit what is there"),
        (
            "decode",
            "0200" + "0000000000000001" + "00" * 8,
            ("--mac-key", DOUBLE[:16]),
            4,
            "does not fit this key",
        ),
        ("decode", "0200" + "2000000000000000" + "000000", ("--mac-key", DOUBLE[:16]), 3, "carries no MAC"),
    ],
)
def test_what_cannot_be_is_said_and_shows_no_card(run, verb, content, options, code, says):
    told = run(verb, content, *options)
    assert told.exit_code == code, told.output
    assert says in " ".join(told.stderr.split())
    assert [one for one in (CARD, TRACK, PIN_BLOCK) if one in told.output] == []


@pytest.mark.parametrize("dialect", ["no_such", "../agent.example", "missing/file.yaml"])
def test_a_dialect_that_is_not_there_is_said(run, dialect):
    told = run("encode", MESSAGE, "--json", dialect=dialect)
    assert told.exit_code == 3
    assert json.loads(told.stdout)["exit_code"] == 3
    assert "cannot be read" in told.stderr
