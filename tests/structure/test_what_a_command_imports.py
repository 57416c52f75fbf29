"""A command that is typed imports what it needs, and nothing that only another one needs.

Each is asked for its help in an interpreter of its own: it is loaded for that as it is to be run.
"""

import json
import subprocess
import sys

import pytest
from centre import REPO

from catalog_sync import commands

ASKED = """
import json, sys
from {program}.cli import main
sys.argv[1:] = sys.stdin.read().split()
try:
    main()
finally:
    print(json.dumps([*sys.modules]), file=sys.stderr)
"""
SERVING = {"litestar", "uvicorn", "apscheduler", "terminal_agent.app"}
JOURNAL = {"sqlite_utils"}


def imported(program, words):
    """Return every module that a command's help has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(program=program)],
        input=f"{words} --help",
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{words.split()[-1]} [OPTIONS]" in done.stdout
    return set(json.loads(done.stderr))


def of(package, modules):
    return {one for one in modules if one == package or one.startswith(f"{package}.")}


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        ("status", SERVING | JOURNAL | {"structlog"}),
        ("outbox ls", SERVING | {"structlog"}),
        ("iso8583 decode", SERVING | JOURNAL | {"structlog"}),
        ("trace show", SERVING | JOURNAL | {"structlog"}),
        ("doctor", SERVING | {"structlog"}),
        ("settle", SERVING | {"structlog"}),
        ("enrol", SERVING | {"structlog"}),
        ("certify", SERVING | JOURNAL | {"structlog"}),
    ],
)
def test_a_command_of_the_shop_leaves_what_serves_the_tills_alone(words, needless):
    assert imported("terminal_agent", words) & needless == set()


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        ("emulate terminal", {"cryptography.x509"}),
        ("emulate acquirer", {"cryptography.x509"}),
        ("emulate wechat", set()),
    ],
)
def test_an_emulator_needs_nothing_of_the_agent(words, needless):
    found = imported("terminal_agent", words)
    assert of("terminal_agent", found) - of("terminal_agent.emulators", found) == {
        "terminal_agent",
        "terminal_agent.cli",
    }
    assert of("subsidy", found) == {"subsidy"}
    assert found & (SERVING | JOURNAL | {"requests", "structlog", "msgspec", *needless}) == set()


def test_the_command_that_serves_loads_what_the_others_leave_alone():
    assert imported("terminal_agent", "run") >= SERVING | JOURNAL | {"structlog", "requests", "msgspec"}


def test_names_are_there_before_any_command_is_loaded():
    group = commands.commands_at({"first": "no.such.module:first", "second": "none.either:second"})()
    assert group.list_commands(None) == ["first", "second"]
    assert "first" in group.commands
    assert group.get_command(None, "third") is None
    with pytest.raises(ModuleNotFoundError):
        group.get_command(None, "first")


def test_a_command_is_loaded_once():
    group = commands.commands_at({"check": "catalog_sync.cli:check", "policy": "catalog_sync.cli:policy"})()
    assert group.commands["check"] is group.commands["check"]
    assert group.commands["check"].name == "check"
    assert [*group.commands["policy"].commands] == ["check", "decide", "replay"]
