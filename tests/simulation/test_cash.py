"""Some worlds have cash: cashiers who take it, keep silent, speak twice, and die hosts in between."""

from sim import crash_points
from sim.cash import CASH, WORDS
from sim.plan import CLASSES, draw
from sim.world import run_seed

IN_CASH = "cash cash"


def with_cash(seeds):
    return [seed for seed in seeds if CASH in draw(seed).on]


def test_a_world_without_cash_is_as_it_was():
    for seed in range(1, 200):
        drawn, without = draw(seed), draw(seed, (CASH, WORDS))
        assert (drawn.terminals, drawn.wallets, drawn.began_ms) == (
            without.terminals,
            without.wallets,
            without.began_ms,
        )
        assert drawn.on - {CASH, WORDS} == without.on


def test_nothing_in_cash_is_lost_and_nothing_doubled():
    seeds, paid = with_cash(range(1, 90)), 0
    for seed in seeds:
        outcome = run_seed(seed)

        assert outcome.violations == [], f"python3 scripts/simulate.py --seed {seed} --trace"
        paid += outcome.paid_by.get(IN_CASH, 0)
    assert paid > len(seeds)


def test_where_nothing_goes_wrong_but_words_every_sale_in_cash_ends_or_is_asked_about():
    seed = with_cash(range(1, 90))[0]
    outcome = run_seed(seed, off=CLASSES.keys() - {CASH, WORDS, "returns"})

    assert outcome.violations == []
    assert outcome.paid_by[IN_CASH] > 0
    assert outcome.ends.keys() <= {"PAID", "REFUSED", "CLOSED", "PARKED", "RETURNING", "RETURNED"}


def test_dying_anywhere_in_a_sale_in_cash_and_its_return_leaves_the_drawer_as_the_records_say():
    for points, outcome in crash_points.singles(step=25, first=11, cash=True):
        assert outcome.violations == [], points
        assert outcome.crashes == 1, points
