"""Two programmes that share registers, as the tests of this folder use them."""

from collections.abc import Iterator

import pytest
from books import ENGINES
from sharing import Sharing


@pytest.fixture(params=ENGINES)
def sharing(tmp_path, request) -> Iterator[Sharing]:
    """A register, on each database."""
    with Sharing(tmp_path, on=request.param) as opened:
        yield opened


@pytest.fixture
def one(sharing):
    """A programme of the register."""
    return sharing.programme("TRAINING-A")


@pytest.fixture
def other(sharing):
    """Another programme of the same register."""
    return sharing.programme("TRAINING-B")
