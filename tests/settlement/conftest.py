"""The centre as the tests of this folder use it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from books import ENGINES, Books, copy_template
from centre import RunningCentre


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
