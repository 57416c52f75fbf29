"""When is a hold over? Either clock past is past."""

import pytest
from msgspec.structs import replace

HELD_MS = 900_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("wall_ms", "steady_ms", "over"),
    [
        (0, 0, False),
        (HELD_MS - 1, HELD_MS - 1, False),
        (HELD_MS, HELD_MS, True),
        (HELD_MS, 0, True),  # the clock was set forward: nobody knows, so it is over
        (0, HELD_MS, True),
        (-HOUR_MS, HELD_MS - 1, False),  # set back: the other clock goes on
        (-HOUR_MS, HELD_MS, True),
        (HOUR_MS, 1, True),
    ],
)
def test_a_hold_is_over_when_either_clock_says_so(wall_ms, steady_ms, over, unit_shop):
    sale = unit_shop.open().sale
    wall, steady = sale.asked_wall_ms + wall_ms, sale.asked_steady_ms + steady_ms
    assert sale.hold_is_over(wall, steady, sale.boot) is over


def test_the_time_runs_from_before_the_hold_was_asked_for(unit_shop):
    unit_shop.centre.takes_s = 1.0
    before = unit_shop.clock.wall
    sale = unit_shop.open().sale
    # Facts and pack took a second each; the hold's own second counts already.
    assert sale.asked_wall_ms == before + 2000
    assert unit_shop.clock.wall == before + 3000


def test_another_run_of_the_agent_takes_every_hold_as_over(unit_shop):
    sale = unit_shop.open().sale
    assert sale.hold_is_over(sale.asked_wall_ms, sale.asked_steady_ms, "another boot")


def test_a_sale_without_a_promise_has_nothing_to_pay_under(unit_shop):
    sale = replace(unit_shop.open().sale, held=None)
    assert sale.hold_is_over(sale.asked_wall_ms, sale.asked_steady_ms, sale.boot)
    assert (sale.to_pay_fen, sale.split) == (0, ())
