"""What can shop IT do wrong, and what do they read then? Never a traceback."""

import json
import subprocess

import pytest
import typer.main
from agent_shell import CODE, CONFIG, DONE, DOWN, LOOK, REFUSED, end, run
from lone_agent import LoneAgent
from power.long_queue import fill
from story.processes import BIN
from typer.testing import CliRunner

from terminal_agent.checkout.supervisor import problem_of_hash
from terminal_agent.cli import app
from terminal_agent.journal.open import open_journal

pytestmark = pytest.mark.usefixtures("commands_of_ours")

NOTHING_WAITS = {"waiting": [], "quarantined": []}


def commands(group, *path):
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, word)
        else:
            yield (*path, word), command


ALL = dict(commands(typer.main.get_command(app)))
OURS = [words for words in ALL if words[0] != "emulate"]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_command_shows_an_example_of_itself(words):
    done = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert done.exit_code == DONE
    shown = " ".join(done.stdout.replace("│", " ").split())
    assert "Example:" in shown
    assert f"terminal-agent {' '.join(words)} " in shown.partition("Example:")[2]


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_each_command_takes_a_configuration_and_json(words):
    options = {name for parameter in ALL[words].params for name in parameter.opts}
    assert {"--config", "--json"} <= options


@pytest.mark.parametrize("words", [("resume",), ("enrol",), ("settle",), ("outbox", "again")], ids=" ".join)
def test_what_changes_things_can_be_tried_without(words):
    assert "--dry-run" in {name for parameter in ALL[words].params for name in parameter.opts}


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["run", "--nonsense"],
        ["enrol"],
        ["outbox", "rm"],
        ["status", "extra"],
        ["run", "--config"],
    ],
)
def test_wrong_usage_ends_with_2(words):
    assert end(*words)[0] == 2


# Configuration and files.


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_without_a_configuration_every_command_says_so(tmp_path, words):
    host = LoneAgent(tmp_path, enrolled=False)
    host.config.unlink()
    needed = {
        "enrol": (CODE,),
        "settle": ("EMU00001",),
        "iso8583": ("--dialect", "mis_line", "--file", str(tmp_path / "message")),
    }
    needed["trace"] = ("x.trace", *(("--out", "x.json", "--why", "x") if words[-1] == "to-test" else ()))
    said = run(host, *words, *needed.get(words[0], ()), code=CONFIG)["error"]
    assert said.startswith(f"{host.config}, line 1: cannot be read")


# The running agent.


def test_without_an_agent_its_status_is_down(host):
    assert "terminal-agent run" in run(host, "status", code=DOWN)["error"]


@pytest.mark.parametrize("words", [("status",), ("outbox", "ls")], ids=" ".join)
@pytest.mark.parametrize(
    "said",
    [
        (200, "text/html", b"<html>"),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"status": "ok"}'),
        (200, "application/json", b'{"online": true, "waiting": 3}'),
        (404, "application/json", b'{"online": true}'),
        (200, "application/json", b"\xff"),
    ],
    ids=["page", "list", "other", "half", "404", "bytes"],
)
def test_another_program_at_our_address_is_no_agent(host, somebody_at, words, said):
    somebody_at(host.port, *said)
    if words == ("status",):
        run(host, *words, code=DOWN)
    else:  # the journal itself says what waits
        assert run(host, *words, code=DONE) == NOTHING_WAITS


def test_a_port_in_use_is_said_before_anything_starts(host, somebody_at):
    somebody_at(host.port, 200, "text/html", b"")
    assert "`listen`" in run(host, "run", code=DOWN)["error"]


@pytest.mark.parametrize(
    ("terminal", "says"),
    [
        ("EMU00001", "EMU00001 closes its batches itself"),
        ("12345678", "12345678 is not in the configuration"),
    ],
)
def test_a_terminal_that_is_driven_is_not_settled_from_here(host, terminal, says):
    assert run(host, "settle", terminal, code=REFUSED)["error"].startswith(says)


def test_a_doctor_finds_what_is_wrong_with_a_host_alone(host):
    document = run(host, "doctor", code=LOOK)
    found = {one["check"]: one for one in document["checks"]}
    assert document["agent_runs"] is False
    assert found["SQLite"]["well"]
    assert found["device key"]["well"]
    assert not found["centre"]["well"]
    assert not found["terminal EMU00001"]["well"]
    assert all(one["remedy"] for one in document["checks"] if not one["well"])


def test_a_doctor_finds_a_damaged_journal_and_mend_makes_it_good(host):
    raw = host.journal_file.read_bytes()
    assert "示例电器海陵店".encode() in raw
    host.journal_file.write_bytes(raw.replace("示例电器海陵店".encode(), "示例电器海陆店".encode(), 1))
    found = {one["check"]: one for one in run(host, "doctor", code=LOOK)["checks"]}
    assert not found["journal"]["well"]
    assert found["journal"]["remedy"] == "Run `terminal-agent mend`"
    assert "terminal EMU00001" in found
    assert "terminal-agent mend" in run(host, "outbox", "ls", code=DOWN)["error"]
    looked = run(host, "mend", "--dry-run", code=LOOK)
    assert "damaged" in looked["database"]
    assert looked["black_box"] == "whole"
    assert run(host, "mend", code=DONE) == {
        "database": "whole",
        "black_box": "whole",
        "rows": looked["rows"],
        "dry_run": False,
    }
    assert run(host, "outbox", "ls", code=DONE) == NOTHING_WAITS
    found = {one["check"]: one for one in run(host, "doctor", code=LOOK)["checks"]}
    assert found["journal"]["well"]


def test_a_doctor_asks_the_terminals_where_no_agent_can_run_on_what_lies_in_the_journals_place(host):
    host.journal_file.write_bytes(b"not a database" * 500)
    found = {one["check"]: one for one in run(host, "doctor", code=LOOK)["checks"]}
    assert not found["journal"]["well"]
    assert "terminal EMU00001" in found
    assert "terminals" not in found


def test_a_doctor_leaves_the_terminals_of_an_agent_alone_that_holds_its_journal_but_does_not_answer(host):
    agents = open_journal(host.journal_file)
    found = {one["check"]: one for one in run(host, "doctor", code=LOOK)["checks"]}
    assert not found["terminals"]["well"]
    assert "Stop the agent" in found["terminals"]["remedy"]
    assert not [check for check in found if check.startswith("terminal ")]
    agents.close()


def test_there_is_nothing_to_mend_before_a_host_is_enrolled(new_host):
    assert "terminal-agent enrol CODE" in run(new_host, "mend", code=DOWN)["error"]


def test_the_outbox_can_be_read_without_an_agent(host):
    assert run(host, "outbox", "ls", code=DONE) == NOTHING_WAITS


def test_what_the_centre_put_aside_is_told_with_its_record_ids(host):
    fill(host.journal_file, 2)
    database = open_journal(host.journal_file)
    (record_id,) = database.execute("SELECT record_id FROM outbox WHERE seq = 1").fetchone()
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE outbox SET answer = 'quarantined' WHERE seq = 1")
    database.commit()
    database.close()

    def told():
        listed = run(host, "outbox", "ls", code=DONE)
        assert [one["record_id"] for one in listed["quarantined"]] == [record_id]
        assert [one["seq"] for one in listed["waiting"]] == [2]
        shown = end("outbox", "ls", "--config", str(host.config))[1].splitlines()
        assert [(record_id in line, "quarantined" in line) for line in shown] == [
            (False, False),
            (True, True),
        ]
        checks = run(host, "doctor", code=LOOK)["checks"]
        (found,) = [one for one in checks if one["check"] == "outbox"]
        assert (found["well"], found["found"]) == (False, "the centre put 1 entries into quarantine")
        assert "terminal-agent outbox ls" in found["remedy"]

    told()
    with host.running():
        told()
        code, shown, _ = end("status", "--config", str(host.config))
        assert code == LOOK
        assert "the centre put 1 entries into quarantine. Call the platform, with the record ids" in shown


def test_nothing_to_report_again_is_done(host):
    assert run(host, "outbox", "again", code=DONE) == {"again": 0, "dry_run": False}
    again = ("outbox", "again", "--after", "0", "--dry-run")
    assert run(host, *again, code=DONE) == {"again": 0, "dry_run": True}


@pytest.mark.parametrize("after", ["yesterday", "-1", "1"])
def test_reporting_again_begins_after_an_entry_that_this_shop_has_made(host, after):
    assert end("outbox", "again", "--after", after, "--config", str(host.config))[0] == 2


def test_a_resume_with_nothing_to_do_is_done(host):
    for words in (["resume", "--dry-run"], ["resume"]):
        assert run(host, *words, code=DONE) == {"open": [], "outbox": 0}


def test_a_second_agent_cannot_start_beside_the_first(host):
    with host.running() as first:
        others = [
            subprocess.Popen(
                [str(BIN / "terminal-agent"), *words, "--config", str(host.config)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in (["run"], ["resume"], ["enrol", CODE])
        ]
        for other in others:
            said = other.communicate(timeout=60)[1]
            assert other.returncode == DOWN, other.args
            assert said.startswith(f"{host.journal_file} cannot be opened: database is locked")
        assert first.is_running()
        assert run(host, "status", code=LOOK)["online"] is False
        assert run(host, "outbox", "ls", code=DONE) == NOTHING_WAITS
        assert run(host, "doctor", code=LOOK)["agent_runs"] is True
        assert "Stop it first" in run(host, "mend", code=REFUSED)["error"]
    assert "Traceback" not in host.process.log()


def test_behind_a_shops_proxy_a_running_agent_is_still_seen(host, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with host.running():
        assert run(host, "status", code=LOOK)["online"] is False
        assert run(host, "outbox", "ls", code=DONE) == NOTHING_WAITS
        assert run(host, "doctor", code=LOOK)["agent_runs"] is True
        assert "Stop it first" in run(host, "mend", code=REFUSED)["error"]


# A supervisor's PIN.


def pin_hash(typed, *words):
    done = CliRunner().invoke(app, ["pin-hash", *words], input=typed)
    return done.exit_code, done.stdout, done.stderr


def test_a_pin_that_is_piped_in_becomes_a_hash_and_is_not_shown():
    code, made, said = pin_hash("246813\n")
    assert (code, said, problem_of_hash(made.strip())) == (DONE, "", None)
    document = json.loads(pin_hash("246813\r\n", "--json")[1])
    assert document["pin_hash"] != made.strip()
    assert "246813" not in made + json.dumps(document)


@pytest.mark.parametrize("typed", ["", "\n", "123\n", "12a4\n", "7777\n", "1" * 13 + "\n", "card 1234\n"])
def test_what_is_no_pin_is_refused_and_not_shown(typed):
    code, made, said = pin_hash(typed)
    assert (code, made) == (REFUSED, "")
    assert "PIN" in said
    assert not typed.strip() or typed.strip() not in said


def test_the_configuration_beside_a_new_pin_is_checked_when_it_is_named(host):
    assert pin_hash("246813\n", "--config", str(host.config))[0] == DONE
    host.config.write_text("nonsense: true\n")
    assert pin_hash("246813\n", "--config", str(host.config))[0] == CONFIG
