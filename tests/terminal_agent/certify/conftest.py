"""The terminal that the command is tried on, where any will do."""

from collections.abc import Iterator

import pytest
from links_to_certify import to_certify


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> Iterator:
    """A terminal on a serial line, for all tests of a file."""
    with to_certify("allinpay", tmp_path_factory.mktemp("serial")) as given:
        yield given
