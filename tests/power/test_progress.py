"""The kind that is least far is next; what waits runs beside what computes, what measures time, alone."""

from power.kinds import Kind, Runs
from power.ledger import BROKEN_OFF, Tried
from power.progress import Progress, next_of


def far(name, *, runs=Runs.COMPUTES, goal=100, done=0, under_way=0, a_piece=10):
    """Return how far a kind is whose pieces are 10 trials each."""
    progress = Progress(Kind(name, goal, "", (), runs=runs), "code", 0)
    before = [came(name, "other", 0, a_piece)] + [came(name, "code", seed) for seed in range(done)]
    progress.take_up(before)
    for _ in range(under_way):
        progress.begin(progress.next_seed())
    return progress


def came(name, code, seed, count=10, point="here"):
    return Tried(name, seed, point, count, (), {}, 0.1, code, "", "2026-03-01T04:00:00+00:00")


def next_name(*kinds, workers=2):
    found = next_of(kinds, workers)
    return None if found is None else found.kind.name


def test_the_kind_that_is_least_far_is_next_with_what_is_under_way():
    assert next_name(far("a", done=3), far("b", done=2)) == "b"
    assert next_name(far("a", done=3), far("b", done=2, under_way=1)) == "a"
    assert next_name(far("a"), far("b", done=10)) == "a"


def test_no_more_is_begun_than_is_wanted_when_what_is_under_way_is_done():
    assert next_name(far("a", done=9, under_way=1)) is None
    assert next_name(far("a", done=8, under_way=1)) == "a"
    # Nobody knows yet how large a piece is: the first has to end.
    assert next_name(far("a", under_way=1, a_piece=0)) is None


def test_so_many_compute_and_as_many_wait_beside_them():
    computes, waits = far("computes", under_way=2), far("waits", runs=Runs.WAITS, under_way=1, done=5)
    assert next_name(computes, waits) == "waits"
    assert next_name(computes, waits, workers=1) is None


def test_what_measures_time_comes_first_and_alone():
    alone = far("alone", runs=Runs.ALONE, goal=1, a_piece=1)
    assert next_name(far("a"), alone) == "alone"
    assert next_name(far("a", under_way=1), alone) is None
    alone.begin(0)
    assert next_name(far("a"), far("b", runs=Runs.WAITS), alone) is None
    alone.end(came("alone", "code", 0, 1))
    assert next_name(far("a"), alone) == "a"


def test_a_kind_that_breaks_off_three_times_is_not_begun_again():
    kind = far("a")
    for seed in range(3):
        assert next_name(kind) == "a"
        kind.begin(seed)
        kind.end(came("a", "code", seed, 0, BROKEN_OFF))
    assert (next_name(kind), kind.is_whole) == (None, False)
