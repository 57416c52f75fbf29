from collections.abc import Iterator

import pytest
from watched_line import WatchedLine


@pytest.fixture
def line() -> Iterator[WatchedLine]:
    with WatchedLine() as one:
        yield one
