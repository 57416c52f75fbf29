from collections.abc import Iterator

import pytest
from quiet_till import QuietTill


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuietTill]:
    """The till API for all tests of a file: what is refused leaves nothing behind."""
    with QuietTill(tmp_path_factory.mktemp("till")) as running:
        yield running
