"""Does `terminal-agent certify` try a terminal that is only watched through whoever stands at its keypad?"""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from certify_shell import Done, certify, here
from links_to_certify import NUMBER, to_certify
from story.processes import BIN

from terminal_agent.certify.control import Control


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator:
    with to_certify("relay", tmp_path_factory.mktemp("relay")) as given:
        yield given


def test_a_terminal_that_is_only_watched_is_tried_at_its_keypad(watched):
    where = ("--link", NUMBER, "--control", watched.control, "--terminal", watched.terminal)
    said = certify(watched.config, *where, "--only", "answer is lost").stdout
    assert said.endswith("8 passed, 0 failed, 0 not tried, 0 does not apply\n")
    assert "ok   charging: the answer is lost behind us\n       done: made at our own end\n" in said
    assert (
        "seen: their books: nothing; paying: still at work; slip of a charge of 101 fen: unclear; "
        "asked about: yes of 101 fen (00); their books: taken 101; told unasked: SALE_SENT; "
        "slip of a reversal: yes; asked about: no (REVERSED); undoing: yes (REVERSED); "
        "their books: taken 101, given back 101; asked about: no (REVERSED); told unasked: MONEY_BACK"
    ) in said
    assert not (watched.config.parent / "data").exists()


class Person:
    """Does at an emulated terminal what the command asks for, and reads its slips out.

    `reverses_at_once`: the terminal sends the reversal of what it heard no answer to by itself.
    """

    def __init__(self, terminal: str, *, reverses_at_once: bool = False) -> None:
        self._keypad = Control(terminal)
        self._reverses_at_once = reverses_at_once
        self._slips: dict[str, dict] = {}
        self._reversed: dict[str, str] = {}

    def answer(self, asked: str) -> str:
        number, what = re.fullmatch(r"No\. (\d+): at terminal EMU00001, (.*)\. Approved\? .*", asked).groups()
        do, _, of = what.partition(" no. ")
        trace = {"trace": self._slips[of.split(",")[0]]["trace"]} if of else {}
        if do == "let it send its reversal of":
            code = self._reversed.get(trace["trace"]) or self._keypad.key_in("reverse", trace)["code"]
            return self._read(code)
        word, body = {
            "charge 1.01 yuan": ("sale", {"fen": 101}),
            "void": ("void", trace),
            "refund 1.01 yuan of": ("refund", {**trace, "fen": 101}),
        }[do]
        self._slips[number] = slip = self._keypad.key_in(word, body)
        if self._reverses_at_once and slip["code"] == "" and word != "refund":
            own = slip["trace"]
            self._reversed[own] = self._keypad.key_in("reverse", {"trace": own})["code"]
        return self._read(slip["code"])

    @staticmethod
    def _read(code: str) -> str:
        return {"": "-", "00": "y"}.get(code, "n")


def certify_by_hand(config: Path, only: str, person: Person) -> Done:
    """Run the command with somebody at the terminal; not all can be tried so."""
    command = [str(BIN / "terminal-agent"), "certify", "--config", str(config), "--link", NUMBER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--only", only], text=True, **pipes) as process:
        for line in process.stderr:
            if line.startswith("No. "):
                process.stdin.write(person.answer(line.strip()) + "\n")
                process.stdin.flush()
        said = process.stdout.read()
    assert process.returncode == 4, said
    return Done(said, "")


def test_whoever_stands_at_a_watched_terminal_is_told_what_to_key_in(watched):
    said = certify_by_hand(watched.config, "charging: the answer", Person(watched.terminal)).stdout
    assert "\n9 passed, 0 failed, 0 not tried, 0 does not apply\n" in said
    assert "no order number goes over this line" in said


def test_a_watched_terminal_that_reverses_by_itself_at_once_passes_too(watched):
    person = Person(watched.terminal, reverses_at_once=True)
    said = certify_by_hand(watched.config, "answer is lost", person).stdout
    assert "\n6 passed, 0 failed, 2 not tried, 0 does not apply\n" in said
    assert said.count("not tried, the terminal reverses by itself, at once") == 2


def test_a_keypad_at_which_nobody_stands_is_said(watched):
    only = ("--link", NUMBER, "--only", "charging: nothing goes wrong")
    none = here(watched.config, *only, code=4).stdout
    assert "not tried, nobody answered: No. 1: at terminal EMU00001, charge 1.01 yuan." in none
    other = here(watched.config, *only, "--terminal", watched.control, code=4).stdout
    assert "not tried, the emulator does not take POST /sale" in other


def test_a_port_that_somebody_else_has_is_said(watched):
    port = int(re.search(r'port: "127\.0\.0\.1:(\d+)"', watched.config.read_text())[1])
    with socket.create_server(("127.0.0.1", port)):
        said = here(watched.config, "--link", NUMBER, "--only", "charged: twice", code=5).stdout
    assert f"not tried, 127.0.0.1:{port} cannot be used (Address already in use" in said


def test_a_keypad_is_for_a_terminal_that_is_only_watched(serial, watched):
    said = here(serial.config, "--link", NUMBER, "--terminal", serial.control, code=2).stderr
    assert "only a terminal that is only watched" in said
    wrong = here(watched.config, "--link", NUMBER, "--terminal", "example.com:80", code=2).stderr
    assert "as in 127.0.0.1:41327" in wrong


def test_a_watched_terminal_that_hands_its_frames_over_a_serial_port_is_tried_too(tmp_path):
    with to_certify("relay/serial", tmp_path) as given:
        where = ("--link", NUMBER, "--control", given.control, "--terminal", given.terminal)
        said = here(given.config, *where, "--only", "our ACK is lost").stdout
        listed = here(given.config, "--link", NUMBER, "--list").stdout
    assert said.endswith("4 passed, 0 failed, 0 not tried, 0 does not apply\n")
    assert (
        "ok   charging: our ACK is lost, so the request comes again\n       done: made at our own end\n"
        in said
    )
    assert "charging: the request is encrypted  (does not apply: a frame is handed over at a time" in listed
    assert len(listed.splitlines()) >= 120
    gone = here(given.config, "--link", NUMBER, "--only", "charged: twice", code=5).stdout
    assert f"not tried, The terminal's port {tmp_path / 'terminal'} is not there or in use" in gone
