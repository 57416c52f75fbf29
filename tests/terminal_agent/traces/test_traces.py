"""A trace is written only when it is asked for, costs the link nothing, and becomes a test that can fail."""

import json
import os
import threading
from functools import partial
from pathlib import Path

import msgspec
import pytest
from card_host import CardHost
from emulator import PROFILE_FILE, EmulatedTerminal
from scanner import Scanner, Secret
from typer.testing import CliRunner
from watched_line import TERMINAL, eventually, profile_text

from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.cli import app
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_TRACK
from terminal_agent.emulators.line_terminal import LineTerminal
from terminal_agent.iso8583.dialect import place_of
from terminal_agent.system import SystemClock
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.traces.read_trace import Case, TraceUnreadable, make_case, read_trace, replay
from terminal_agent.traces.write_trace import Note, Passed, TraceFile

CASES = sorted((Path(__file__).parents[2] / "files" / "traces").glob("*.json"))
CLOCK = SystemClock()
LOGGED = []


def dialect_text(name):
    return place_of(name).read_text(encoding="utf-8")


def log(event, **told):
    LOGGED.append((event, told))


def recorder(file, link=TERMINAL, **options):
    return partial(Note, TraceFile(file, CLOCK, log, **options), CLOCK, link)


@pytest.fixture
def watched(tmp_path):
    """A trace of a day at a watched terminal."""
    file = tmp_path / "traces" / f"{TERMINAL}.trace"
    with CardHost() as host:
        terminal = DRIVERS["relay"]("127.0.0.1:0", profile_text(host.address), "relay.yaml")
        payment = terminal.recorded(recorder(file)).payment(CLOCK)
        for run in payment.workers(TERMINAL, lambda _: None, log).values():
            threading.Thread(target=run, daemon=True).start()
        eventually(lambda: payment.state()["problem"] == "" and payment._line.port)
        hand = LineTerminal(("127.0.0.1", payment._line.port))
        hand.sell(85_000)
        hand.void("000001")
        hand.noise(b"\x16\x03\x01" + MADE_UP_CARD.encode())
        hand.drop()
        eventually(lambda: file.exists() and file.read_text().count("closed") == 3)
    return file


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_what_passed_in_the_field_is_understood_as_it_was(file):
    assert replay(msgspec.json.decode(file.read_bytes(), type=Case), dialect_text) == []


def test_there_are_cases_of_every_kind_of_link():
    kinds = {msgspec.json.decode(file.read_bytes(), type=Case).kind for file in CASES}
    assert kinds == {"iso8583", "stx_lrc", "wallet"}


def test_a_trace_says_all_that_passed_and_nothing_of_the_card(watched):
    passed = read_trace(watched.read_bytes(), watched.name)
    frames = [one.way for one in passed if one.frame]
    assert frames == ["to_acquirer", "to_terminal"] * 2
    assert [one.said for one in passed if one.said].count("ENCRYPTED") == 1
    assert [one.size for one in passed if one.size] == [3 + len(MADE_UP_CARD)]
    secrets = (("card", MADE_UP_CARD), ("track", MADE_UP_TRACK[:37]), ("pin", "9F8E7D6C5B4A3F2E"))
    assert Scanner(Secret(*one) for one in secrets).scan_folder(watched.parent) == []
    assert oct(os.stat(watched).st_mode & 0o777) == "0o600"


def test_a_serial_line_is_written_down_while_it_is_driven(tmp_path):
    file = tmp_path / "serial.trace"
    with EmulatedTerminal.start(tmp_path) as emulated:
        # With the waits that ship: nothing is waited for here, and a busy machine may be slow.
        terminal = DRIVERS["stx_lrc"](str(emulated.link), PROFILE_FILE.read_text("utf-8"), "stx_lrc.yaml")
        payment = terminal.recorded(recorder(file)).payment(CLOCK)
        ask = Ask("AGNQ7WAAOAAHNAABAAAAAAAAAA01", 85_000, "cashier-1", "01")
        ask = msgspec.structs.replace(ask, mark=payment.prepare(ask))
        emulated.fault("clear_card")
        assert payment.take(ask).say is Say.APPROVED
    passed = read_trace(file.read_bytes(), file.name)
    assert [one.said for one in passed if one.said][:3] == ["opened", "ACK", "ACK"]
    case = make_case(passed, "a sale", dialect_text)
    assert [step.way for step in case.steps] == ["to_terminal", "from_terminal"] * 2
    assert replay(case, dialect_text) == []
    assert Scanner([Secret("card", MADE_UP_CARD)]).scan_file(file) == []


def test_a_full_file_ends_the_recording_and_nothing_else(tmp_path):
    LOGGED.clear()
    note = recorder(tmp_path / "small.trace", most_bytes=300)("stx_lrc", "stx_lrc", lambda content: content)
    for _ in range(50):
        note.frame("to_terminal", 1, b"12345")
    assert (tmp_path / "small.trace").stat().st_size <= 300
    assert [event for event, _ in LOGGED] == ["trace.recording", "trace.ended"]


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path):
    LOGGED.clear()
    (tmp_path / "taken").write_text("a file")
    note = recorder(tmp_path / "taken" / "x.trace")("stx_lrc", "stx_lrc", lambda content: content)
    note.frame("to_terminal", 1, b"1")
    note.said("to_terminal", 1, "ACK")
    assert [event for event, _ in LOGGED] == ["trace.ended"]


def run(*words):
    return CliRunner().invoke(app, ["trace", *map(str, words)])


def test_a_trace_becomes_a_case_that_can_fail(watched, tmp_path):
    case = tmp_path / "case.json"
    made = run(
        "to-test", watched, "--out", case, "--why", f"the void was not seen, card {MADE_UP_CARD}", "--json"
    )
    assert (made.exit_code, json.loads(made.stdout)["steps"]) == (0, 4)
    assert MADE_UP_CARD not in case.read_text()
    assert run("check", case).exit_code == 0

    spoilt = json.loads(case.read_text())
    spoilt["steps"][2]["understood"]["kind"] = "SALE"
    case.write_text(json.dumps(spoilt))
    checked = run("check", case, "--json")
    assert checked.exit_code == 4
    assert "step 3" in json.loads(checked.stdout)["differs"][str(case)][0]


def test_a_case_is_never_written_over(watched, tmp_path):
    case = tmp_path / "case.json"
    case.write_text("mine")
    made = run("to-test", watched, "--out", case, "--why", "x")
    assert (made.exit_code, case.read_text()) == (3, "mine")


def test_dry_run_writes_nothing(watched, tmp_path):
    assert run("to-test", watched, "--out", tmp_path / "case.json", "--why", "x", "--dry-run").exit_code == 0
    assert not (tmp_path / "case.json").exists()


def test_a_case_that_cannot_be_written_is_said(watched, tmp_path):
    case = tmp_path / "not there" / "case.json"
    made = run("to-test", watched, "--out", case, "--why", "x")
    assert made.exit_code == 3
    assert made.stderr.startswith(f"{case} cannot be written: No such file or directory. ")


def test_a_trace_can_be_read_by_a_person(watched):
    shown = run("show", watched)
    assert shown.exit_code == 0
    assert "22 bytes that could not be read" in shown.stdout
    assert len(json.loads(run("show", watched, "--json").stdout)["passed"]) == len(shown.stdout.splitlines())


LINE = (
    msgspec.json.encode(Passed(1, TERMINAL, "iso8583", "unionpay_terminal", "to_acquirer", 1, "60")) + b"\n"
)


@pytest.mark.parametrize(
    "content",
    [
        b"{}\n",
        b"\xff\n",
        b"[1]\n",
        LINE + b"nothing\n",
        LINE.replace(b'"60"', b'"6"'),
        LINE.replace(b"1", b"x"),
    ],
)
def test_a_file_that_is_no_trace_is_told_with_its_line(content):
    with pytest.raises(TraceUnreadable, match=r"line [12]:"):
        read_trace(content, "x.trace")


def test_half_a_last_line_is_what_a_power_cut_leaves():
    assert len(read_trace(LINE + LINE[:20], "x.trace")) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LINE.replace(b"iso8583", b"telex"),
        LINE + LINE.replace(TERMINAL.encode(), b"EMU00002"),
        LINE.replace(b"unionpay_terminal", b"nobodys"),
        LINE.replace(b"unionpay_terminal", b"../../etc/passwd"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_a_sentence(content, tmp_path):
    file = tmp_path / "x.trace"
    file.write_bytes(content)
    made = run("to-test", file, "--out", tmp_path / "case.json", "--why", "x")
    assert made.exit_code == 3
    assert made.stderr.strip()
    assert not (tmp_path / "case.json").exists()


@pytest.mark.parametrize("words", [("show", "nowhere"), ("check", "nowhere"), ("check", __file__)])
def test_a_file_that_is_not_there_or_no_case_is_told(words):
    found = run(*words)
    assert found.exit_code == 3
    assert "Traceback" not in found.output
