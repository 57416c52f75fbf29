"""People in a world do what people do, whatever the seed."""

import pytest
from sim.world import run_seed


@pytest.mark.parametrize("seed", [195, 234])
def test_goods_that_a_watched_terminal_sold_come_back_at_another_till(seed):
    assert run_seed(seed).violations == []
