"""`terminal-agent certify` as an integrator runs it: real command, real emulators, faults at our own end."""

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from driver_bench import PROFILE_FILES
from links_to_certify import NUMBER, to_certify
from story.processes import BIN
from typer.testing import CliRunner

from terminal_agent.certify.control import Control
from terminal_agent.cli import app
from terminal_agent.journal.hold import held
from terminal_agent.journal.open import JournalDown, open_journal

KINDS = ("allinpay", "nexo", "mis", "direct", "wechat", "alipay", "unionpay")
FEW = {"mis": "paying: the answer is"}
"""Words that choose some scenarios, where a child process for each call makes all take long."""


class Done(NamedTuple):
    """What the command said."""

    stdout: str
    stderr: str


def certify(config: Path, *arguments: str, typed: str = "", code: int = 0) -> Done:
    """Run the command as a process of its own."""
    done = subprocess.run(
        [str(BIN / "terminal-agent"), "certify", "--config", str(config), *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return Done(done.stdout, done.stderr)


def here(config: Path, *arguments: str, typed: str = "", code: int = 0) -> Done:
    """Run the command in this process, which is soon there."""
    done = CliRunner().invoke(app, ["certify", "--config", str(config), *arguments], input=typed)
    assert done.exit_code == code, done.output
    return Done(done.stdout, done.stderr)


def verdicts(document: dict) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in document["scenarios"]}


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> Iterator:
    with to_certify("allinpay", tmp_path_factory.mktemp("serial")) as given:
        yield given


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator:
    with to_certify("relay", tmp_path_factory.mktemp("relay")) as given:
        yield given


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_keeps_its_promises_passes(kind, tmp_path):
    with to_certify(kind, tmp_path) as given:
        words = FEW.get(kind, "paying: the answer")
        where = ("--link", given.link, "--control", given.control, "--only", words)
        done = certify(given.config, *where, "--json")
        books = requests.get(f"{given.control}/books", timeout=5).json()
        # Whoever asks again and again asks for what is new: all of it takes long after some thousand lines.
        newer = [
            requests.get(f"{given.control}/books?after={no}", timeout=5).json() for no in (1, len(books))
        ]
        refused = requests.get(f"{given.control}/books?after=-1", timeout=5)
    document = json.loads(done.stdout)
    assert newer == [books[1:], []]
    assert [line["no"] for line in books] == [*range(1, len(books) + 1)]
    assert (refused.status_code, "?after=12" in refused.text) == (400, True)
    assert document["failed"] == document["not_tried"] == 0
    assert document["passed"] == {"mis": 2, "direct": 8}.get(kind, 7)
    assert document["books_seen"] is True
    for one in document["scenarios"]:
        if one["verdict"] == "passed":
            assert one["done"]
            assert one["must"]
            assert any(seen.startswith("paying: ") for seen in one["saw"])
            assert any(seen.startswith("their books: taken 101, given back 101") for seen in one["saw"])
    moved = [line["kind"] for line in books]
    assert len(moved) >= 2 * document["passed"]
    assert not (tmp_path / "data").exists()  # the agent's journal is not touched


def test_the_power_may_fail_at_any_byte(tmp_path):
    with to_certify("nexo", tmp_path) as given:
        where = ("--link", given.link, "--control", given.control, "--only", "power cut while paying")
        said = here(given.config, *where).stdout
    assert said.startswith("ok   power cut while paying\n")
    assert said.endswith("1 passed, 0 failed, 0 not tried, 0 does not apply\n")


def test_a_code_that_is_shown_is_scanned_at_the_emulator(tmp_path):
    with to_certify("wechat/shown", tmp_path) as given:
        where = ("--link", given.link, "--control", given.control, "--only", "the shopper scans")
        said = here(given.config, *where).stdout
    assert (
        "seen: their books: nothing; paying: still at work (NOTPAY); a scan: taken; a scan: not taken" in said
    )


def test_what_was_done_and_had_to_be_seen_stands_beside_what_was_seen(serial):
    said = here(
        serial.config, "--link", NUMBER, "--control", serial.control, "--only", "paying: the answer is lost"
    )
    lines = said.stdout.splitlines()
    assert lines[0] == "ok   paying: the answer is lost"
    assert lines[1] == "       done: made at our own end"
    assert lines[2] == (
        "       must: paying: unclear; asked about: yes; it is taken once; undone whole, once"
    )
    assert lines[3] == (
        "       seen: their books: nothing; paying: unclear; asked about: yes of 101 fen (00); "
        "their books: taken 101; undoing: yes (00); asked about: unclear; "
        "their books: taken 101, given back 101"
    )


def test_without_a_control_address_what_needs_one_is_not_passed(serial):
    done = here(serial.config, "--link", NUMBER, "--only", "paying: a", code=4)  # another, an explicit no
    assert "not tried, needs an emulator's control address (--control)" in done.stdout
    done = here(serial.config, "--link", NUMBER, "--only", "paying: the answer is lost", "--json", code=4)
    document = json.loads(done.stdout)
    assert document["books_seen"] is False
    (lost,) = (one for one in document["scenarios"] if one["name"] == "paying: the answer is lost")
    assert lost["verdict"] == "passed"
    assert not any("their books" in seen for seen in lost["saw"])
    assert len(lost["orders"][0]) == 28  # to be compared with the other side's own list


def test_payment_codes_are_asked_of_whoever_stands_there_and_never_shown(tmp_path):
    codes = [f"13000000000000{number:04d}" for number in range(7000, 7004)]
    with to_certify("wechat", tmp_path) as given:
        where = ("--link", "wechat", "--only", "torn off")
        done = here(given.config, *where, typed="\n".join(codes) + "\n", code=4)
    assert "4 passed, 0 failed, 0 not tried, 1 does not apply\nThe other side's books" in done.stdout
    assert "ok   paying: the answer is torn off" in done.stdout
    assert "ok   undoing: its answer is torn off" in done.stdout
    assert "does not apply, a return is the same on every day here" in done.stdout
    assert not any(code in done.stdout + done.stderr for code in codes)
    assert "look up" not in done.stdout
    with to_certify("wechat", tmp_path / "again") as given:
        none = here(given.config, "--link", "wechat", "--only", "paying: nothing goes wrong", code=4)
    assert "not tried, nobody answered: Show a payment code of wechat and scan it" in none.stdout


class LyingControl(ThreadingHTTPServer):
    """An emulator whose books say that each sale was charged twice."""

    def __init__(self, control: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                return

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length) or None
                answer = requests.request(
                    self.command,
                    control + self.path,
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=5,
                )
                said = answer.json()
                if self.path.startswith("/books?"):
                    said = [line for one in said for line in [one] * (2 if one["kind"] == "sale" else 1)]
                content = json.dumps(said).encode()
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _serve

        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_counterpart_that_charges_twice_is_found(serial):
    with served(LyingControl(serial.control)) as control:
        done = certify(serial.config, "--link", NUMBER, "--control", control, "--only", "is lost", code=1)
    assert "FAIL paying: the answer is lost" in done.stdout
    assert (
        "WRONG: had to be seen: their books: taken 101; was seen: their books: taken 101, taken 101"
        in done.stdout
    )
    assert "ok   paying: the request is lost" in done.stdout  # where nothing was taken, nothing is twice


def test_a_counterpart_that_approves_another_amount_is_found_without_its_books(tmp_path):
    with to_certify("allinpay", tmp_path) as given:
        requests.post(f"{given.control}/faults", json={"fault": "wrong_amount", "fen": 202}, timeout=5)
        done = here(given.config, "--link", NUMBER, "--only", "paying: nothing goes wrong", code=1)
    assert done.stdout.startswith("FAIL paying: nothing goes wrong\n")
    assert "had to be seen: a yes of 101 fen; was seen: yes of 202 fen" in done.stdout
    (order,) = (line.split()[-1] for line in done.stdout.splitlines() if "look up: " in line)
    assert len(order) == 28


def test_a_channel_that_confirms_what_it_did_not_undo_is_found(tmp_path):
    with to_certify("wechat", tmp_path) as given:
        fault = {"fault": "reverse_lost", "times": 1000}
        requests.post(f"{given.control}/faults", json=fault, timeout=5)
        where = ("--link", "wechat", "--only", "undoing: nothing goes wrong", "--json")
        done = here(given.config, *where, typed="130000000000001234\n", code=1)
    assert verdicts(json.loads(done.stdout)) == {"undoing: nothing goes wrong": "failed"}


def test_an_emulator_that_is_not_there_is_said(serial, tmp_path):
    with to_certify("allinpay", tmp_path) as gone:
        pass
    lost = here(gone.config, "--link", NUMBER, "--control", serial.control, "--only", "is lost", code=5)
    assert "the other side does not answer, or is at work" in lost.stdout
    where = ("--link", NUMBER, "--only", "is lost", "--control")
    silent = here(serial.config, *where, "127.0.0.1:1", code=5)
    assert "the control address does not answer as an emulator's" in silent.stderr


def test_the_control_address_of_another_kind_is_here(serial, tmp_path):
    with to_certify("wechat", tmp_path) as other:
        where = ("--link", NUMBER, "--control", other.control)
        assert "of another kind of emulator" in here(serial.config, *where, code=2).stderr
    for wrong in ("example.com:80", "127.0.0.1", "127.0.0.1:99999", "ftp://127.0.0.1:21"):
        said = here(serial.config, "--link", NUMBER, "--control", wrong, code=2).stderr
        assert "as in 127.0.0.1:41327" in said


def test_what_there_is_is_listed_and_nothing_is_tried(serial):
    assert here(serial.config, "--list").stdout == f"{NUMBER}\n"
    assert json.loads(here(serial.config, "--list", "--json").stdout) == {"links": [NUMBER]}
    before = requests.get(f"{serial.control}/books", timeout=5).json()
    said = here(serial.config, "--link", NUMBER, "--list").stdout
    assert len(said.splitlines()) >= 40
    assert "paying: the answer's signature is wrong  (does not apply: " in said
    assert "paying: an explicit no  (not tried: needs an emulator's control address (--control))" in said
    assert requests.get(f"{serial.control}/books", timeout=5).json() == before


def test_a_link_that_is_not_there_is_named(serial):
    assert f"There are: {NUMBER}" in here(serial.config, code=2).stderr
    said = here(serial.config, "--link", "wechat", "--json", code=2)
    assert json.loads(said.stdout)["exit_code"] == 2
    assert f"wechat is no link of this configuration. There are: {NUMBER}" in said.stderr
    said = here(serial.config, "--link", NUMBER, "--only", "no such words", code=2).stderr
    assert "No scenario has 'no such words' in its name" in said


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


def test_real_money_is_moved_only_when_told_so(tmp_path):
    profile = PROFILE_FILES["allinpay"].read_text()
    (tmp_path / "terminal.yaml").write_text(profile)
    config = tmp_path / "agent.yaml"
    config.write_text(
        'centre: "https://centre.example"\ndata: data\nlisten: "127.0.0.1:1"\nterminals:\n  "12345678":\n'
        f'    driver: serial_ecr\n    port: "{tmp_path}/nobody"\n    profile: terminal.yaml\n'
        'tills:\n  "01": "12345678"\n'
    )
    where = ("--link", "12345678", "--only", "is lost")
    assert "real payments of 101 fen" in here(config, *where, code=6).stderr
    said = here(config, *where, "--yes", "--control", "127.0.0.1:41327", code=6).stderr
    assert "without `training: true` none can be named" in said
    assert here(config, *where, "--list").stdout


class Agent(BaseHTTPRequestHandler):
    """What a running agent answers."""

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        said = {
            "online": True,
            "outbox": {"depth": 0, "oldest_s": 0, "quarantined": 0},
            "parked": 0,
            "returning": 0,
            "links_missing": [],
            "terminals": [],
        }
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def beside_an_agent(serial, folder, listen="127.0.0.1:1"):
    """Write a configuration with these links, and data that may be an agent's."""
    config = folder / "agent.yaml"
    text = serial.config.read_text().replace('"127.0.0.1:1"\ntraining', f'"{listen}"\ntraining')
    config.write_text(text.replace("profile: ", f"profile: {serial.config.parent}/"))
    return config


def test_behind_a_shops_proxy_this_host_is_still_asked_itself(serial, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    where = ("--link", NUMBER, "--control", serial.control, "--only", "paying: nothing goes wrong")
    here(serial.config, *where)
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Agent)) as address:
        said = here(beside_an_agent(serial, tmp_path, address), *where, code=6).stderr
    assert "The agent runs, and the link is its own" in said


def test_the_links_of_an_agent_that_holds_its_journal_are_left_alone_though_it_does_not_answer(
    serial, tmp_path
):
    config = beside_an_agent(serial, tmp_path)
    before = requests.get(f"{serial.control}/books", timeout=5).json()
    agents = open_journal(tmp_path / "data" / "journal.db")
    where = ("--link", NUMBER, "--control", serial.control, "--only", "paying: nothing goes wrong")
    said = certify(config, *where, code=6).stderr
    assert f"{tmp_path / 'data' / 'journal.db'} cannot be held: database is locked. Stop the agent" in said
    assert requests.get(f"{serial.control}/books", timeout=5).json() == before
    agents.close()
    journal = (tmp_path / "data" / "journal.db").read_bytes()
    assert certify(config, *where).stdout.startswith("ok   paying")
    assert (tmp_path / "data" / "journal.db").read_bytes() == journal


def test_no_agent_starts_while_a_link_is_tried(tmp_path):
    journal = tmp_path / "data" / "journal.db"
    open_journal(journal).close()
    with held(journal), pytest.raises(JournalDown, match="database is locked"):
        open_journal(journal)
    open_journal(journal).close()


def test_where_there_is_no_journal_none_is_made_to_be_held(tmp_path):
    with held(tmp_path / "journal.db"):
        assert not [*tmp_path.iterdir()]


def test_the_links_of_an_agent_that_runs_are_left_alone(serial, tmp_path):
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Agent)) as address:
        config = beside_an_agent(serial, tmp_path, address)
        said = here(config, "--link", NUMBER, "--control", serial.control, code=6).stderr
    assert "The agent runs, and the link is its own" in said
