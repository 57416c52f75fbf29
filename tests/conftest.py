"""What every test may use, and the one test that is only asked when everything else has run."""

import pytest
from taken_moves import MARK, put_last_or_leave_out


def pytest_configure(config):
    config.addinivalue_line("markers", f"{MARK}: runs last, and only when the whole suite runs")


@pytest.fixture(scope="session")
def moves_taken():
    """The moves of sales and attempts that the journals of this run have seen."""
    return set()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    found = len(items)
    yield
    put_last_or_leave_out(config, items, found)
