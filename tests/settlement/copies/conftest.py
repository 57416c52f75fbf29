"""Books in which much has happened, and the commands on them."""

import pytest
from busy_books import keep_busy
from centre_shell import Shell


@pytest.fixture
def device(books):
    """A device of busy books."""
    return keep_busy(books)


@pytest.fixture
def shell(books, device, tmp_path):
    """The commands on busy books."""
    return Shell(tmp_path, tmp_path / "settlement.yaml")
