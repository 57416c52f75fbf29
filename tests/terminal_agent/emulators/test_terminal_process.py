"""How does a running emulator start, answer its control address, and go?"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
from contextlib import suppress
from pathlib import Path

import pytest
from emulator import REPO, EmulatedTerminal
from line_certificates import Authority
from typer.testing import CliRunner

from terminal_agent.emulators.cli import app
from terminal_agent.emulators.faults import KNOWN


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    with EmulatedTerminal.start(tmp_path_factory.mktemp("emulator")) as running:
        yield running


def raw(terminal, method, path, body=b"", **headers):
    address = urllib.parse.urlsplit(terminal.control)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_its_link_is_a_terminal_device_while_it_runs_and_gone_after(tmp_path):
    running = EmulatedTerminal.start(tmp_path)
    assert os.readlink(running.link).startswith("/dev/pts/")
    running.stop()
    assert not os.path.lexists(running.link)
    assert running.books_file.exists()


def test_a_link_left_by_a_power_cut_is_replaced(tmp_path):
    first = EmulatedTerminal.start(tmp_path)
    first.kill()
    assert os.path.lexists(first.link)
    with EmulatedTerminal.start(tmp_path) as second:
        assert os.readlink(second.link).startswith("/dev/pts/")
        assert [path.name for path in tmp_path.iterdir() if path.is_symlink()] == ["terminal"]


@pytest.mark.parametrize(
    "command",
    [
        ("terminal", "--link", "PATH", "--books", "BOOKS"),
        ("line-terminal", "--acquirer", "127.0.0.1:1", "--serial", "PATH"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_that_stands_where_the_link_should_is_left_as_it_is(command, tmp_path):
    file = tmp_path / "terminal"
    file.write_text("somebody's")
    words = [{"PATH": str(file), "BOOKS": str(tmp_path / "books.jsonl")}.get(one, one) for one in command]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, file.read_text()) == (1, "somebody's")
    assert "another file stands there" in done.output


def test_two_stand_side_by_side(tmp_path):
    with (
        EmulatedTerminal.start(tmp_path, "one") as one,
        EmulatedTerminal.start(tmp_path, "two", terminal_no="EMU00002") as two,
    ):
        assert one.control != two.control
        assert os.readlink(one.link) != os.readlink(two.link)
        one.fault("declined")
        assert two.call("GET", "/faults")["faults"] == []


def test_two_never_write_the_same_books(tmp_path):
    with EmulatedTerminal.start(tmp_path) as first, pytest.raises(RuntimeError, match="held by another"):
        EmulatedTerminal.start(tmp_path, "two", books=first.books_file)


def test_faults_are_armed_shown_and_cleared(terminal):
    terminal.fault("declined", code="05", times=3)
    shown = terminal.call("GET", "/faults")
    assert shown["faults"] == [{"fault": "declined", "times": 3, "on": "any", "code": "05"}]
    assert set(shown["known"]) == set(KNOWN)
    terminal.clear_faults()
    assert terminal.call("GET", "/faults")["faults"] == []


def test_faults_may_be_given_at_the_start(tmp_path):
    with EmulatedTerminal.start(tmp_path, fault=["lost_answer", "late_answer:ms=5"]) as running:
        assert [one["fault"] for one in running.call("GET", "/faults")["faults"]] == [
            "lost_answer",
            "late_answer",
        ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", b'{"fault": "earthquake"}'),
        ("/faults", b'{"fault": "declined", "colour": "red"}'),
        ("/faults", b'{"fault": "declined", "fault": "declined"}'),
        ("/faults", b"[]"),
        ("/faults", b"{"),
        ("/faults", b"\xff"),
        ("/faults", b""),
        ("/faults", b"[" * 60_000),
        ("/faults", b"x" * 70_000),
        ("/unplug", b'{"ms": 0}'),
        ("/unplug", b'{"ms": 5.0}'),
        ("/unplug", b'{"s": 5}'),
        ("/settle", b'{"batch": "000001"}'),
        ("/settle", b"[]"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_is_not_exactly_right_is_refused_with_what_is_known(terminal, path, body):
    status, answer = raw(terminal, "POST", path, body)
    assert status == 400
    assert answer["error"]
    assert answer["known"] == sorted(KNOWN)


def test_settling_closes_one_batch_after_the_other(tmp_path):
    with EmulatedTerminal.start(tmp_path) as running:
        answers = [running.call("POST", "/settle", {}) for _ in range(2)]
    assert answers == [
        {"closed": "000001", "fen": 0, "open": "000002"},
        {"closed": "000002", "fen": 0, "open": "000003"},
    ]
    with EmulatedTerminal.start(tmp_path) as again:
        assert [line["kind"] for line in again.books()] == ["settled", "settled"]
        assert again.call("POST", "/settle", {})["closed"] == "000003"


def test_a_page_in_a_browser_cannot_use_it(terminal):
    body = b'{"fault": "declined"}'
    assert raw(terminal, "POST", "/faults", body, **{"Content-Type": "text/plain"})[0] == 400
    assert raw(terminal, "POST", "/faults", body, Host="evil.example")[0] == 403
    assert raw(terminal, "POST", "/settle", b"{}", Host="evil.example")[0] == 403
    assert terminal.call("GET", "/faults")["faults"] == []


def test_an_unknown_address_names_the_known_ones(terminal):
    status, answer = raw(terminal, "GET", "/")
    assert status == 404
    assert "GET /books" in answer["known"]


def test_it_listens_on_this_host_only(terminal):
    assert urllib.parse.urlsplit(terminal.control).hostname == "127.0.0.1"


def test_a_terminal_that_does_not_begin_with_emu_is_refused(tmp_path):
    for wrong in (["--terminal-no", "12345678"], ["--merchant-no", "short"], ["--fault", "earthquake"]):
        outcome = CliRunner().invoke(
            app, ["terminal", "--link", str(tmp_path / "x"), "--books", str(tmp_path / "b"), *wrong]
        )
        assert outcome.exit_code == 2
        assert not (tmp_path / "x").exists()


def test_its_help_shows_a_command_to_copy():
    outcome = CliRunner().invoke(app, ["terminal", "--help"])
    assert "terminal-agent emulate terminal --link" in outcome.output


def test_a_transcript_holds_every_byte(tmp_path):
    transcript = tmp_path / "transcript.jsonl"
    with EmulatedTerminal.start(tmp_path, transcript=transcript) as running:
        fd = os.open(running.link, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, bytes.fromhex("02 00 05 9F 01 00 01 0F 03 96"))
        assert os.read(fd, 1) == b"\x06"
        os.close(fd)
    first, second = (json.loads(line) for line in transcript.read_text().splitlines()[:2])
    assert (first["from"], first["hex"]) == ("till", "020005" + "9f0100010f" + "0396")
    assert (second["from"], second["hex"]) == ("terminal", "06")


def test_a_books_file_that_cannot_be_made_is_one_line_and_no_traceback(tmp_path):
    with pytest.raises(RuntimeError) as failed:
        EmulatedTerminal.start(tmp_path, books=tmp_path / "no" / "such" / "folder")
    assert "Traceback" not in str(failed.value)


def test_it_imports_nothing_of_the_agent():
    program = """
import sys
import terminal_agent.emulators.cli
ours = {name for name in sys.modules if name.startswith(("terminal_agent.", "subsidy"))}
print(sorted(name for name in ours if not name.startswith("terminal_agent.emulators")))
"""
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_every_fault_stands_in_the_readme():
    readme = Path(REPO / "terminal_agent/emulators/README.md").read_text(encoding="utf-8")
    assert [name for name in KNOWN if f"`{name}`" not in readme] == []


def test_an_answer_other_than_ok_raises(terminal):
    with pytest.raises(urllib.error.HTTPError) as refused:
        terminal.fault("earthquake")
    refused.value.close()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--kind", "zvt", "--link", "/tmp/x"),
        ("--kind", "nexo", "--link", "/tmp/x"),
        ("--kind", "mis", "--link", "127.0.0.1:70000"),
        ("--kind", "nexo", "--link", "0.0.0.0:4000"),
        ("--kind", "nexo", "--link", "127.0.0.1:0", "--fault", "nak"),
        ("--kind", "mis", "--link", "127.0.0.1:0", "--fault", "slow_card:ms=5"),
        ("--kind", "allinpay", "--link", "/tmp/x", "--certificate", "/tmp/x.pem"),
        ("--kind", "nexo", "--link", "127.0.0.1:0", "--clients", "/tmp/x.pem"),
    ],
)
def test_a_kind_or_address_that_is_none_is_a_usage_error(wrong, tmp_path):
    done = CliRunner().invoke(app, ["terminal", *wrong, "--books", str(tmp_path / "books.jsonl")])
    assert done.exit_code == 2
    assert "Invalid value" in done.output


@pytest.mark.parametrize("content", [None, "no certificate"])
@pytest.mark.parametrize("option", ["--certificate", "--clients"])
def test_a_certificate_that_cannot_be_read_is_named(option, content, tmp_path):
    file = tmp_path / "wrong.pem"
    if content is not None:
        file.write_text(content)
    options = [option, str(file)]
    if option == "--clients":
        options += ["--certificate", str(Authority().issue(tmp_path, "terminal").both)]
    where = ["--kind", "nexo", "--link", "127.0.0.1:0", "--books", str(tmp_path / "books.jsonl")]
    done = CliRunner().invoke(app, ["terminal", *where, *options])
    assert done.exit_code == 1
    assert f"{file} cannot be read as PEM" in done.output


@pytest.mark.parametrize("kind", ["nexo", "mis"])
def test_one_on_the_network_comes_back_at_the_same_address(kind, tmp_path):
    with EmulatedTerminal.start(tmp_path, kind=kind, link="127.0.0.1:0") as running:
        host, _, port = str(running.link).rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        running.unplug(300)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((host, int(port)), timeout=5)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with suppress(OSError):
                socket.create_connection((host, int(port)), timeout=5).close()
                break
        else:
            pytest.fail("it did not come back")


@pytest.mark.parametrize("kind", ["nexo", "mis"])
@pytest.mark.parametrize(
    "noise", [b"\xff" * 70, b"\x00\x00\x00\x02[]" + b"x" * 60, b"\x00\x00\x00\x02{}" + b"x" * 60]
)
def test_one_on_the_network_outlives_noise(kind, noise, tmp_path):
    with EmulatedTerminal.start(tmp_path, kind=kind, link="127.0.0.1:0") as running:
        host, _, port = str(running.link).rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as line, suppress(ConnectionError):
            line.sendall(noise)
            assert line.recv(100) == b""
        assert running.books() == []
