from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quiet_till import QuietTill
from till_desk import Desk


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuietTill]:
    """The till API for all tests of a file: what is refused leaves nothing behind."""
    with QuietTill(tmp_path_factory.mktemp("till")) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def sold(desk: Desk) -> dict[str, Any]:
    """Return a sale that was paid by card in time."""
    return desk.paid()
