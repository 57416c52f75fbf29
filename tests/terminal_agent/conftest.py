"""A shop's checkout in the test's own process. What its journal has seen counts among the moves taken."""

import gc

import pytest
from agent_shell import strangers
from loggers import libraries_as_before
from lone_agent import LoneAgent
from unit_shop import UnitShop


@pytest.fixture
def unit_shop(tmp_path, moves_taken):
    shop = UnitShop(tmp_path)
    yield shop
    moves_taken |= {tuple(row) for row in shop.rows("SELECT DISTINCT what, before, after FROM move")}
    shop.connection.close()


@pytest.fixture(scope="module")
def commands_of_ours():
    """Run commands in this process without a search of all that tests hold, and leave others' logs alone."""
    gc.collect()
    gc.freeze()
    with libraries_as_before():
        yield
    gc.unfreeze()


@pytest.fixture
def host(tmp_path):
    return LoneAgent(tmp_path)


@pytest.fixture
def new_host(tmp_path):
    return LoneAgent(tmp_path, enrolled=False)


@pytest.fixture
def somebody_at():
    """Let a program that is not ours answer at a port."""
    with strangers() as listen:
        yield listen
