"""A shop's checkout in the test's own process. What its journal has seen counts among the moves taken."""

import pytest
from unit_shop import UnitShop


@pytest.fixture
def unit_shop(tmp_path, moves_taken):
    shop = UnitShop(tmp_path)
    yield shop
    moves_taken |= {tuple(row) for row in shop.rows("SELECT DISTINCT what, before, after FROM move")}
    shop.connection.close()
