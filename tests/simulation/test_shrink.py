"""A seed that goes wrong is told with the least of it that still does."""

from sim.cards.kinds import FIRST
from sim.plan import draw
from sim.shrink import shrink
from sim.world import run_seed


def test_a_shrunk_seed_breaks_the_same_claim_with_less():
    bug = "split_drifts_by_a_fen"
    claim = run_seed(1, bug=bug).violations[0].claim

    without, sales = shrink(1, [], bug, lambda _line: None)

    least = run_seed(1, off=without, sales=sales, bug=bug)
    assert least.violations[0].claim == claim
    assert set(without) == {*draw(1).on, *draw(1).terminals} - {FIRST}
    assert sales < draw(1).sales
