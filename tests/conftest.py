"""What every test may use, and the question that is asked when everything has run."""

import pytest
import slow_first
import taken_moves

_PROBLEMS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def moves_taken():
    """The moves that the journals and books of this run have seen."""
    return taken_moves.TAKEN


def pytest_collection_modifyitems(items):
    """Let the slow ones begin first."""
    items.sort(key=slow_first.place)


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
