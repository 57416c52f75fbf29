"""A command that is typed imports what it needs, and nothing that only another one needs.

Each is asked for its help in an interpreter of its own: it is loaded for that as it is to be run.
"""

import json
import subprocess
import sys

import pytest
import typer.main
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
SHOP_SERVES = {"litestar", "uvicorn", "apscheduler", "structlog", "terminal_agent.app"}
CENTRE_SERVES = {"litestar", "uvicorn", "apscheduler", "structlog", "prometheus_client", "settlement.web.app"}
JOURNAL = {"sqlite_utils"}
MIGRATES = {"alembic"}


def loaded(program, typed=""):
    """Return every module that an interpreter of its own has loaded when it has run `program`."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=typed, cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr))


def of_command(program, words):
    return loaded(ASKED.format(program=program), f"{words} --help")


def of(package, modules):
    return {one for one in modules if one == package or one.startswith(f"{package}.")}


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        ("status", JOURNAL),
        ("outbox ls", set()),
        ("iso8583 decode", JOURNAL),
        ("trace show", JOURNAL),
        ("doctor", set()),
        ("settle", set()),
        ("enrol", set()),
        ("certify", JOURNAL),
    ],
)
def test_a_command_of_the_shop_leaves_what_serves_the_tills_alone(words, needless):
    assert of_command("terminal_agent", words) & (SHOP_SERVES | needless) == set()


@pytest.mark.parametrize(
    ("words", "needless"),
    [("terminal", {"cryptography.x509"}), ("acquirer", {"cryptography.x509"}), ("wechat", set())],
)
def test_an_emulator_needs_nothing_of_the_agent(words, needless):
    found = of_command("terminal_agent", f"emulate {words}")
    ours = of("terminal_agent", found) - of("terminal_agent.emulators", found)
    assert ours == {"terminal_agent", "terminal_agent.cli"}
    assert of("subsidy", found) == {"subsidy"}
    assert found & (SHOP_SERVES | JOURNAL | {"requests", "msgspec"} | needless) == set()


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        ("holds ls", MIGRATES),
        ("approve", MIGRATES),
        ("alarms", MIGRATES),
        ("night run", MIGRATES),
        ("claims show", MIGRATES),
        ("users password", MIGRATES),
        ("import shops", MIGRATES),
        ("ledger verify", MIGRATES),
        ("backup", set()),
        ("init", set()),
    ],
)
def test_a_command_of_the_centre_leaves_what_serves_shops_alone(words, needless):
    assert of_command("settlement", words) & (CENTRE_SERVES | needless) == set()


@pytest.mark.parametrize(
    ("program", "serves"), [("terminal_agent", SHOP_SERVES), ("settlement", CENTRE_SERVES)]
)
def test_help_that_lists_all_commands_leaves_what_serves_alone(program, serves):
    assert of_command(program, "") & serves == set()


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        (
            "terminal_agent.trusted_agent",
            SHOP_SERVES | JOURNAL | {"requests", "msgspec", "cryptography.x509"},
        ),
        ("settlement.web.start", CENTRE_SERVES - {"uvicorn"}),
        ("settlement.web.serve", {"uvicorn"}),
        ("settlement.set_up", MIGRATES),
    ],
)
def test_what_is_left_alone_is_loaded_where_it_is_needed(module, needs):
    program = f"import json, sys, {module}; print(json.dumps([*sys.modules]), file=sys.stderr)"
    assert needs - loaded(program) == set()


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


def test_a_command_that_is_registered_as_usual_stays_beside_those_of_the_table():
    app = typer.Typer(cls=commands.commands_at({"second": "no.such.module:second"}))
    app.command("first")(lambda: None)
    app.callback()(lambda: None)
    group = typer.main.get_command(app)
    assert group.list_commands(None) == ["first", "second"]
    assert group.commands["first"].name == "first"
