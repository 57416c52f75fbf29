"""What can shop IT do wrong, and what do they read then? Never a traceback."""

import gc
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer.main
from acquirer import profile_text
from loggers import libraries_as_before
from lone_agent import LoneAgent
from power.long_queue import fill
from story.processes import BIN
from typer.testing import CliRunner

from terminal_agent.checkout.supervisor import problem_of_hash
from terminal_agent.cli import app
from terminal_agent.journal.open import open_journal

DONE, CONFIG, LOOK, DOWN, REFUSED = 0, 3, 4, 5, 6
DIRECT = "EMU90001"
NOTHING_WAITS = {"waiting": [], "quarantined": []}
CODE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789abcdef"


@pytest.fixture(scope="module", autouse=True)
def quick_collection():
    """Leave what was there before the tests out of each search for garbage."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def others_are_left_alone():
    with libraries_as_before():
        yield


@pytest.fixture
def host(tmp_path):
    return LoneAgent(tmp_path)


@pytest.fixture
def new_host(tmp_path):
    return LoneAgent(tmp_path, enrolled=False)


def add_direct_terminal(host):
    """Let the host have a terminal whose batches it closes itself, at a host that is not there."""
    (host.folder / "direct.yaml").write_text(profile_text(DIRECT), encoding="utf-8")
    text = host.config.read_text(encoding="utf-8")
    one = f'  {DIRECT}: {{driver: iso8583_direct, port: "127.0.0.1:1", profile: direct.yaml}}\n'
    host.config.write_text(text.replace("terminals:\n", f"terminals:\n{one}", 1), encoding="utf-8")


def end(*arguments):
    """Run a command in this process and return (exit code, stdout, stderr)."""
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    ended = (done.exit_code, done.stdout, done.stderr)
    # A command ends with its process, which lets go of the journal; here nobody else does.
    del done
    gc.collect()
    return ended


def run(host, *words, code):
    """Run a command twice, for people and for programs, and return its document."""
    arguments = [*words, "--config", str(host.config)]
    plain_code, for_people, said = end(*arguments)
    json_code, for_programs, said_again = end(*arguments, "--json")
    assert (plain_code, json_code) == (code, code), (for_people, said)
    assert "Traceback" not in said + said_again
    document = json.loads(for_programs)  # one, and nothing else
    if code in (CONFIG, DOWN, REFUSED):
        assert for_people == ""
        assert said == said_again
        assert said.count("\n") == 1
        assert document == {"error": said.strip(), "exit_code": code}
    return document


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


@pytest.mark.parametrize("words", [("run",), ("resume",), ("enrol", CODE)], ids=" ".join)
def test_a_key_that_others_may_read_is_refused(host, words):
    if words[0] == "enrol":
        for part in host.journal_file.parent.glob("journal.*"):
            part.unlink()  # a host that enrols anew, with the key it has
    host.key_file.chmod(0o644)
    assert f"chmod 600 {host.key_file}" in run(host, *words, code=CONFIG)["error"]


@pytest.mark.parametrize(
    "content", [b"", b"not hex", b"ab" * 31, b"ab" * 33, b"\xff" * 64, "密".encode() * 30]
)
def test_a_key_that_is_none_is_refused_and_not_shown(host, content):
    host.key_file.write_bytes(content)
    said = run(host, "run", code=CONFIG)["error"]
    assert "not a device key" in said
    assert not content or content.decode("latin-1") not in said


REPLACED = "have the platform replace this device, and enrol with a new `data` folder"


@pytest.mark.parametrize("content", [None, b"", b"not hex"])
def test_whose_key_is_lost_is_told_to_have_the_device_replaced(host, content):
    host.key_file.unlink()
    if content is not None:
        host.key_file.write_bytes(content)
        host.key_file.chmod(0o600)
    for words in (("run",), ("resume",)):
        assert REPLACED in run(host, *words, code=CONFIG)["error"]
    found = doctors_word_on_the_key(host)
    assert REPLACED in found["remedy"]
    assert "enrol CODE" not in found["found"] + found["remedy"]
    assert "device replaced" in run(host, "enrol", CODE, code=REFUSED)["error"]


def test_a_doctor_says_of_each_key_what_helps_it(host):
    host.key_file.chmod(0o644)
    found = doctors_word_on_the_key(host)
    assert found["found"] == f"{host.key_file}: others may read the device's key"
    assert found["remedy"] == f"Run `chmod 600 {host.key_file}`"


@pytest.mark.parametrize("content", [b"", b"ab"])
def test_a_new_host_whose_key_is_none_makes_another(new_host, content):
    assert doctors_word_on_the_key(new_host)["remedy"] == "Run `terminal-agent enrol CODE`"
    new_host.key_file.parent.mkdir()
    new_host.key_file.write_bytes(content)
    new_host.key_file.chmod(0o600)
    advice = f"No device has this key: remove {new_host.key_file}, then run `terminal-agent enrol CODE`"
    assert run(new_host, "enrol", CODE, code=CONFIG)["error"].endswith(advice)
    assert doctors_word_on_the_key(new_host)["remedy"] == advice
    new_host.key_file.unlink()
    run(new_host, "enrol", CODE, code=DOWN)
    assert doctors_word_on_the_key(new_host)["well"]


def doctors_word_on_the_key(host):
    checks = run(host, "doctor", code=LOOK)["checks"]
    return next(one for one in checks if one["check"] == "device key")


def test_another_centre_than_the_one_it_enrolled_at_is_refused(host):
    text = host.config.read_text(encoding="utf-8")
    host.config.write_text(text.replace(str(host.centre_port), "1"), encoding="utf-8")
    said = run(host, "run", code=CONFIG)["error"]
    assert f"http://127.0.0.1:{host.centre_port}" in said


# The journal.


@pytest.mark.parametrize("words", [("run",), ("resume",), ("enrol", CODE), ("outbox", "ls")], ids=" ".join)
def test_a_journal_that_is_none_is_kept_and_said(host, words):
    host.journal_file.write_bytes(b"this is no database" * 400)
    said = run(host, *words, code=DOWN)["error"]
    assert str(host.journal_file) in said
    assert host.journal_file.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("words", [("run",), ("enrol", CODE)], ids=" ".join)
def test_a_folder_that_cannot_be_one_is_said(new_host, words):
    (new_host.folder / "agent-data").write_text("a file stands where the folder should be")
    assert "agent-data" in run(new_host, *words, code=DOWN)["error"]


OF_A_DEVICE = [
    ("run",),
    ("resume",),
    ("outbox", "ls"),
    ("outbox", "again"),
    ("settle", DIRECT),
    ("mend",),
]
"""What only a host with a journal can do."""


@pytest.mark.parametrize("words", OF_A_DEVICE, ids=" ".join)
def test_only_enrolment_makes_a_journal(host, words):
    add_direct_terminal(host)
    text = host.config.read_text(encoding="utf-8")
    host.config.write_text(text.replace("data: agent-data", "data: typo"), encoding="utf-8")
    said = run(host, *words, code=DOWN)["error"]
    assert said.startswith(f"There is no journal at {host.folder / 'typo' / 'journal.db'}. Correct `data`")
    assert not (host.folder / "typo").exists()


@pytest.mark.parametrize("words", [one for one in OF_A_DEVICE if one != ("mend",)], ids=" ".join)
def test_the_journal_of_a_host_that_is_not_enrolled_is_not_worked_on(new_host, words):
    add_direct_terminal(new_host)
    run(new_host, "enrol", CODE, code=DOWN)
    assert new_host.journal_file.exists()
    assert run(new_host, *words, code=REFUSED)["error"].startswith("This host is not enrolled")


def test_a_doctor_misses_a_journal_and_an_enrolment(new_host):
    def journal():
        checks = run(new_host, "doctor", code=LOOK)["checks"]
        return next(one for one in checks if one["check"] == "journal")

    found = journal()
    assert (found["well"], found["found"]) == (False, f"there is none at {new_host.journal_file}")
    assert "`data`" in found["remedy"]
    assert not new_host.journal_file.parent.exists()
    run(new_host, "enrol", CODE, code=DOWN)
    found = journal()
    assert (found["well"], found["found"]) == (False, "this host is not enrolled")
    assert found["remedy"] == "Run `terminal-agent enrol CODE`"


# Enrolment.


@pytest.mark.parametrize("words", [("run",), ("resume",)], ids=" ".join)
def test_a_host_that_is_not_enrolled_does_not_start(new_host, words):
    assert "terminal-agent enrol CODE" in run(new_host, *words, code=DOWN)["error"]


def test_an_enrolment_without_a_centre_can_be_tried_again(new_host):
    first = run(new_host, "enrol", CODE, code=DOWN)["error"]
    key = new_host.key_file.read_bytes()
    assert run(new_host, "enrol", CODE, code=DOWN)["error"] == first
    assert new_host.key_file.read_bytes() == key


def test_a_host_is_enrolled_once(host):
    run(host, "enrol", CODE, code=REFUSED)


def test_a_training_device_stays_one(host):
    text = host.config.read_text(encoding="utf-8")
    real = text.replace("training: true", "training: false").replace("EMU0000", "0000000")
    host.config.write_text(real, encoding="utf-8")
    for words in (("run",), ("resume",)):
        assert "training: true" in run(host, *words, code=REFUSED)["error"]


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    "code",
    ["garbage", "", CODE[:-1], CODE + "0", CODE.lower(), CODE.replace("-", ""), f"{CODE[:9]} {CODE[9:]}"],
)
def test_what_is_no_code_is_refused_unsent_and_not_shown(new_host, words, code):
    said = run(new_host, "enrol", *words, code, code=REFUSED)["error"]
    assert said.startswith("That is no enrolment code")
    assert not code or code not in said
    assert not new_host.key_file.parent.exists()


def test_a_tried_enrolment_leaves_nothing(new_host):
    run(new_host, "enrol", CODE, "--dry-run", code=DONE)
    assert not (new_host.folder / "agent-data").exists()


class Answering(BaseHTTPRequestHandler):
    """A program that is not ours, at our address or the centre's."""

    said = (200, "application/json", b"{}")

    def do_GET(self):
        status, kind, content = self.said
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def somebody_at():
    """Let a program that is not ours answer at a port."""
    servers = []

    def listen(port, *said):
        handler = type("Handler", (Answering,), {"said": said})
        server = HTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)

    yield listen
    for server in servers:
        server.shutdown()
        server.server_close()


PROBLEM = {
    "type": "about:blank",
    "title": "The caller may not do this",
    "status": 403,
    "code": "CODE_REFUSED",
    "detail": "This code is unknown or used. Ask for a new one",
    "next_action": "CALL_SUPPORT",
    "retryable": False,
}


def test_a_wrong_code_is_refused(new_host, somebody_at):
    said = json.dumps(PROBLEM).encode()
    somebody_at(new_host.centre_port, 403, "application/problem+json", said)
    assert "Ask for a new one" in run(new_host, "enrol", CODE, code=REFUSED)["error"]


@pytest.mark.parametrize(
    "said",
    [
        (200, "text/html", b"<html>Pay for the hotel's network first</html>"),
        (200, "application/json", b"{}"),
        (200, "application/json", b"[" * 5000),
        (
            200,
            "application/json",
            b'{"typ":"enrolled.v1","alg":"Ed25519","kid":"x","payload":"e30=","sig":"AAAA"}',
        ),
        (302, "text/html", b""),
        (404, "text/html", b"not found"),
        (403, "application/json", b'{"error": "forbidden"}'),
        (500, "application/json", b"\xff\xfe"),
        (503, "application/problem+json", json.dumps({**PROBLEM, "status": 503, "retryable": True}).encode()),
    ],
    ids=["portal", "empty", "deep", "another seal", "redirect", "404", "403", "500", "503"],
)
def test_somebody_else_at_the_centres_address_is_no_centre(new_host, somebody_at, said):
    somebody_at(new_host.centre_port, *said)
    run(new_host, "enrol", CODE, code=DOWN)


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
