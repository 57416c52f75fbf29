"""What every test may use, and the question that is asked when everything has run."""

import functools
import gc
import logging
import subprocess

import canaries
import postgres
import pytest
import ready_tables
import slow_first
import taken_moves
import typer.testing
import warm
from hypothesis import settings

from settlement import set_up
from settlement.copies import target
from settlement.people import passwords
from subsidy.strict import yaml_text
from terminal_agent.channels import key_files

# A slow machine is no finding: what an example may cost is held in CPU time, where it matters.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

# A program puts its commands together once, when it starts; tests call them hundreds of times in one.
typer.testing._get_command = functools.cache(typer.testing._get_command)

# The same for a private key, whose primes are looked at each time it is read.
key_files.load_pem_private_key = functools.cache(key_files.load_pem_private_key)

# The same for what a program of ours imports. One that is started by its path is a process all the same.
subprocess.Popen = warm.Popen

# The same for tables that nobody has written to, and for a policy or configuration file of the same words.
set_up.migrate = target.migrate = ready_tables.migrate
yaml_text._compose = functools.lru_cache(256)(yaml_text._compose)

# It is the tests' own client, and names the addresses that they ask, whatever stands in them.
logging.getLogger("httpx").setLevel(logging.WARNING)
_PROBLEMS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def shipped_cost():
    """Let a password cost little in the tests' own process; what it costs otherwise: KiB, times."""
    shipped = memory_kib, times = passwords._MEMORY_KIB, passwords._TIMES
    nobodys = passwords._NOBODYS.replace(f"m={memory_kib},t={times}", "m=64,t=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_MEMORY_KIB", 64)
        patch.setattr(passwords, "_TIMES", 1)
        patch.setattr(passwords, "_NOBODYS", nobodys)
        yield shipped


@pytest.fixture(scope="session")
def moves_taken():
    """The moves that the journals and books of this run have seen."""
    return taken_moves.TAKEN


def pytest_collection_modifyitems(items):
    """Let the slow ones begin first."""
    items.sort(key=slow_first.place)


def pytest_collection_finish():
    """Take all tests out of what Python's collector looks through, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="module", autouse=True)
def nothing_personal_is_left(request, tmp_path_factory):
    """See that no journal, book, trace or log that a file's tests have left holds a card or payment code.

    Nor any database of a PostgreSQL server, also one that is gone again, nor what the server has logged.

    A file that puts one there itself, to see it found, says why in `plants_canaries`.
    """
    base = tmp_path_factory.getbasetemp()
    before = set(base.iterdir())
    yield
    found = postgres.left_in_servers()
    if not hasattr(request.module, "plants_canaries"):
        found += canaries.left_in(one for one in base.iterdir() if one not in before)
        assert found == [], f"left by {request.module.__name__}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Fail a test during which one of our programs has printed or logged a card or payment code."""
    report = yield
    said = "".join(text for _, text in report.sections).encode("utf-8", "replace")
    found = canaries.in_bytes(said) if report.passed else []
    if found and not hasattr(item.module, "plants_canaries"):
        report.outcome = "failed"
        report.longrepr = f"what was printed or logged holds {', '.join(found)}"
    return report


def pytest_sessionfinish(session):
    """Tell what this worker's tests have seen, or, after a whole run, ask whether it was all."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["moves"] = sorted(taken_moves.TAKEN)
    elif taken_moves.is_whole(config):
        config.stash[_PROBLEMS] = taken_moves.problems(taken_moves.TAKEN)
        if config.stash[_PROBLEMS]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Add what a worker has seen."""
    taken_moves.TAKEN.update(map(tuple, getattr(node, "workeroutput", {}).get("moves", [])))


def pytest_terminal_summary(terminalreporter, config):
    """Say which moves were not taken."""
    for problem in config.stash.get(_PROBLEMS, []):
        terminalreporter.write_line(f"STATE TABLES: {problem}", red=True)
