"""The centre as the tests of this folder use it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from books import ENGINES, Books, copy_template
from centre import RunningCentre

from settlement.people import passwords


@pytest.fixture(scope="session", autouse=True)
def shipped_cost() -> Iterator[tuple[int, int]]:
    """Let a password cost little in the tests' own process; what it costs otherwise: KiB, times."""
    shipped = memory_kib, times = passwords._MEMORY_KIB, passwords._TIMES
    nobodys = passwords._NOBODYS.replace(f"m={memory_kib},t={times}", "m=64,t=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_MEMORY_KIB", 64)
        patch.setattr(passwords, "_TIMES", 1)
        patch.setattr(passwords, "_NOBODYS", nobodys)
        yield shipped


@pytest.fixture
def books(tmp_path) -> Iterator[Books]:
    """A centre's books, without HTTP."""
    with closing(Books(tmp_path)) as opened:
        yield opened


@pytest.fixture(params=ENGINES)
def any_books(tmp_path, request) -> Iterator[Books]:
    """The same on each database, one test after the other."""
    with closing(Books(tmp_path, on=request.param)) as opened:
        yield opened


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Iterator[RunningCentre]:
    """A centre that serves HTTP to all tests of a file."""
    folder = tmp_path_factory.mktemp("centre")
    copy_template(folder)
    with RunningCentre.start_again(folder) as running:
        yield running
