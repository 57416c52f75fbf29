"""The centre as the tests of this folder use it."""

from collections.abc import Iterator

import pytest
from books import Books, copy_template
from centre import RunningCentre
from hypothesis import settings

settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


@pytest.fixture
def books(tmp_path) -> Books:
    """A centre's books, without HTTP."""
    return Books(tmp_path)


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Iterator[RunningCentre]:
    """A centre that serves HTTP to all tests of a file."""
    folder = tmp_path_factory.mktemp("centre")
    copy_template(folder)
    with RunningCentre.start_again(folder) as running:
        yield running
