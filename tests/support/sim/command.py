"""What does `scripts/simulate.py` say?"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from sim.plan import CLASSES, draw
from sim.template import template
from sim.world import Outcome, run_seed

_ALL_WELL, _BROKEN = 0, 4
_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says and return the exit code."""
    said = _parser().parse_args(arguments)
    if said.seed is not None:
        return _one(said.seed, trace=said.trace, off=said.off)
    return _many(said.first, said.seeds, said.workers, said.off)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate.py", description="Try seeds.")
    parser.add_argument("--seeds", type=int, default=200, help="how many to try")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="S", help="the first of them")
    parser.add_argument("--workers", type=int, default=2, help="processes that share them")
    parser.add_argument("--seed", type=int, help="try this one alone")
    parser.add_argument("--trace", action="store_true", help="tell it line by line")
    parser.add_argument(
        "--off", action="append", default=[], choices=sorted(CLASSES), help="a class of faults"
    )
    return parser


def _one(seed: int, *, trace: bool, off: list[str]) -> int:
    plan = draw(seed, off)
    print(f"seed {seed}: on are {', '.join(sorted(plan.on)) or 'no faults'}; funds {plan.funds}")
    outcome = run_seed(seed, keep=trace, off=off)
    for line in outcome.lines or ():
        print(line)
    print(f"trace {outcome.hash}")
    print(f"sales: {_counted(outcome.ends)}; {outcome.points} statements, {outcome.crashes} kills")
    for one in outcome.violations:
        print(f"VIOLATED {one.claim}: {one.what}")
    return _BROKEN if outcome.violations else _ALL_WELL


def _many(first: int, seeds: int, workers: int, off: list[str]) -> int:
    began_s = time.monotonic()
    ends, moves, with_end = Counter[str](), Counter[str](), Counter[str]()
    sales = kills = statements = 0
    broken: list[Outcome] = []
    for outcome in outcomes(range(first, first + seeds), workers, off):
        ends.update(outcome.ends)
        moves.update(outcome.moves)
        with_end.update(outcome.ends.keys())
        sales += outcome.sales
        kills += outcome.crashes
        statements += outcome.points
        if outcome.violations:
            broken.append(outcome)
            if len(broken) <= _SHOWN:
                _tell_broken(outcome)
    took_s = time.monotonic() - began_s
    print(f"{seeds} seeds in {took_s:.0f} s: {seeds / took_s:.1f} a second, {sales / seeds:.1f} sales each")
    print(f"{sales} sales, {statements} statements at which a process could die, {kills} kills")
    print("sales that ended as, and the share of seeds with one:")
    for name, count in sorted(ends.items()):
        print(f"  {name:12} {count:9} {with_end[name] / seeds:7.1%}")
    print("moves taken:")
    for name in sorted(_all_moves() | moves.keys()):
        print(f"  {name:40} {moves[name]:9}")
    print(f"{len(broken)} seeds broke a claim")
    return _BROKEN if broken else _ALL_WELL


def outcomes(seeds: range, workers: int, off: list[str]) -> Iterator[Outcome]:
    """Yield what came of each seed, in no order."""
    if workers <= 1:
        for seed in seeds:
            yield run_seed(seed, off=off)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _begin) as pool:
        yield from pool.imap_unordered(_Try(off), seeds, chunksize=4)


class _Try:
    def __init__(self, off: list[str]) -> None:
        self._off = off

    def __call__(self, seed: int) -> Outcome:
        return run_seed(seed, off=self._off)


def _begin() -> None:
    template()


def _all_moves() -> set[str]:
    from taken_moves import ALLOWED

    return {" ".join(move) for move in ALLOWED}


def _tell_broken(outcome: Outcome) -> None:
    first = outcome.violations[0]
    print(f"seed {outcome.seed}: {first.claim}: {first.what[:300]}")
    print(f"  again:  python3 scripts/simulate.py --seed {outcome.seed} --trace")
    print(f"  shrink: python3 scripts/simulate.py --seed {outcome.seed} --shrink", flush=True)


def _counted(ends: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in ends.items())


if __name__ == "__main__":
    sys.exit(main())
