"""What does `scripts/simulate.py` say?"""

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from power import campaign

from sim import crash_points, same
from sim.bugs import CAUGHT_AT_NIGHT, CAUGHT_BY, known_bugs
from sim.bugs.find import seed_for
from sim.cards.kinds import FIRST, KINDS, others
from sim.night_world import run_night_seed
from sim.outcome import Outcome
from sim.plan import CLASSES, NIGHT_CLASSES, draw, draw_nights
from sim.shrink import shrink
from sim.template import template
from sim.world import run_seed

_ALL_WELL, _BROKEN = 0, 4
DAY, NIGHT = "day", "night"
_RUN = {DAY: run_seed, NIGHT: run_night_seed}
_DRAW = {DAY: draw, NIGHT: draw_nights}
_SHOWN = 20
_TELL_EVERY_S = 30
_PAID = ("PAID", "RETURNING", "RETURNED")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says and return the exit code."""
    said = _parser().parse_args(arguments)
    if said.terminals:
        said.off += others(said.terminals)
    if said.list_bugs:
        return _list_bugs()
    if said.campaign:
        return campaign.command(said.ledger, said.only, said.minutes, said.workers)
    if said.find:
        return _find([said.bug] if said.bug else sorted(CAUGHT_BY), said.workers)
    if said.same is not None:
        return _same(range(said.first, said.first + said.same), said.workers)
    if said.crash_points is not None or said.pairs is not None:
        return _crash(said.crash_points, said.pairs, said.terminals or FIRST)
    if said.seed is not None and said.shrink:
        return _shrink(said.seed, said.worlds, said.off, said.bug)
    if said.seed is not None:
        return _one(
            said.seed, worlds=said.worlds, trace=said.trace, off=said.off, sales=said.sales, bug=said.bug
        )
    return _many(said.first, said.seeds, said.workers, said.worlds, said.off, said.bug, as_json=said.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate.py", description="Try seeds.")
    parser.add_argument("--seeds", type=_at_least_one, default=200, help="how many to try")
    parser.add_argument("--start", type=int, default=1, dest="first", metavar="S", help="the first of them")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON document")
    parser.add_argument(
        "--worlds", choices=sorted(_RUN), default=DAY, help="of one day, or of several with their nights"
    )
    parser.add_argument(
        "--workers",
        type=_at_least_one,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="processes that share them, or a campaign's pieces; as many as there are processors",
    )
    parser.add_argument("--seed", "--replay", type=int, help="try this one alone")
    parser.add_argument("--trace", action="store_true", help="tell it line by line")
    parser.add_argument("--shrink", action="store_true", help="find the least of it that still goes wrong")
    parser.add_argument("--sales", type=int, help="with so many sales")
    parser.add_argument(
        "--off",
        action="append",
        default=[],
        choices=sorted([*CLASSES, *NIGHT_CLASSES, *KINDS]),
        metavar="NAME",
        help="without a class of faults, or a kind of card terminal",
    )
    parser.add_argument("--terminals", choices=sorted(KINDS), help="with card terminals of this kind alone")
    parser.add_argument(
        "--bug",
        choices=sorted(known_bugs()),
        metavar="BUG",
        help="with a planted bug; `--list-bugs` names them",
    )
    parser.add_argument(
        "--list-bugs", action="store_true", help="show the planted bugs, and which seed catches each"
    )
    parser.add_argument(
        "--find", action="store_true", help="find a seed for each planted bug that its noted one misses"
    )
    parser.add_argument(
        "--crash-points", type=int, metavar="STEP", help="die at every STEP-th point of a sale and its return"
    )
    parser.add_argument(
        "--same", type=int, metavar="N", help="run N seeds under other hash seeds, time zones and locales"
    )
    parser.add_argument(
        "--pairs", type=int, metavar="POINT", help="die at a point of it, and then at each place that follows"
    )
    whole = parser.add_argument_group(
        "campaign",
        "Every kind of harm, taken up where it was left; a change to what ships begins anew what tries it. "
        "Exits with 0 when it is whole and everything held, 4 when there is more to do, "
        "1 when something did not hold.",
    )
    whole.add_argument("--campaign", action="store_true", help="go on with it, and write its report")
    whole.add_argument(
        "--minutes", type=float, default=30, help="begin nothing new after that long; 0: only report"
    )
    whole.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="only kinds with these words in their names",
    )
    whole.add_argument("--ledger", type=Path, default=campaign.LEDGER, help="the file of what was done")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _list_bugs() -> int:
    for name, one in sorted(known_bugs().items()):
        seed, night = CAUGHT_BY.get(name), CAUGHT_AT_NIGHT.get(name)
        caught = f"seed {seed}" if seed else f"night seed {night}" if night else "not caught yet"
        where = f" (--terminals {one.terminals})" if one.terminals else ""
        print(f"{name:40} {caught:16} {one.says}{where}")
    return _ALL_WELL


def _find(names: list[str], workers: int) -> int:
    missed = 0
    with _pool(workers) as pool:
        for name, seed in zip(names, pool.map(seed_for, names), strict=True):
            missed += seed is None
            if seed != CAUGHT_BY.get(name):
                print(f'    "{name}": {seed},  # not {CAUGHT_BY.get(name)} any more', flush=True)
    print(f"{len(names) - missed} of {len(names)} planted bugs are caught")
    return _BROKEN if missed else _ALL_WELL


def _crash(step: int | None, first: int | None, terminals: str) -> int:
    runs = broken = 0
    singles = crash_points.singles(step or 1, terminals=terminals)
    dying = singles if first is None else crash_points.pairs(first)
    for points, outcome in dying:
        runs += 1
        for one in outcome.violations:
            broken += 1
            print(f"dying at {points}: {one.claim}: {one.what[:300]}", flush=True)
    print(f"{runs} runs of a world of {crash_points.count(terminals)} points, {broken} broken claims")
    return _BROKEN if broken else _ALL_WELL


def _same(seeds: range, workers: int) -> int:
    others = list(same.others(seeds, workers))
    for seed in others[:_SHOWN]:
        print(f"seed {seed} is another world elsewhere")
    print(f"{len(seeds)} seeds in {len(same.PLACES)} processes: {len(seeds) - len(others)} the same in all")
    return _BROKEN if others else _ALL_WELL


def _shrink(seed: int, worlds: str, off: list[str], bug: str | None) -> int:
    try:
        without, sales = shrink(
            seed, off, bug, lambda line: print(line, flush=True), _RUN[worlds], _DRAW[worlds]
        )
    except ValueError as wrong:
        print(wrong)
        return _ALL_WELL
    kind = f" --worlds {worlds}" if worlds != DAY else ""
    options = kind + "".join(f" --off {name}" for name in without) + (f" --bug {bug}" if bug else "")
    print(f"python3 scripts/simulate.py --seed {seed} --sales {sales}{options} --trace")
    return _BROKEN


def _one(seed: int, *, worlds: str, trace: bool, off: list[str], sales: int | None, bug: str | None) -> int:
    plan = _DRAW[worlds](seed, off, sales)
    print(f"seed {seed}: on are {', '.join(sorted(plan.on)) or 'no faults'}; funds {plan.funds}")
    outcome = _RUN[worlds](seed, keep=trace, off=off, sales=sales, bug=bug)
    for line in outcome.lines or ():
        print(line)
    print(f"trace {outcome.hash}")
    print(f"sales: {_counted(outcome.ends)}; {outcome.points} statements, {outcome.crashes} kills")
    for one in outcome.violations:
        print(f"VIOLATED {one.claim}: {one.what}")
    return _BROKEN if outcome.violations else _ALL_WELL


def _many(
    first: int, seeds: int, workers: int, worlds: str, off: list[str], bug: str | None, *, as_json: bool
) -> int:
    began_s = time.monotonic()
    ends, moves, with_end = Counter[str](), Counter[str](), Counter[str]()
    paid_by, taken = Counter[str](), Counter[str]()
    sales = kills = statements = 0
    broken: list[Outcome] = []
    told_s = began_s
    for tried, outcome in enumerate(outcomes(range(first, first + seeds), workers, worlds, off, bug), 1):
        if time.monotonic() - told_s >= _TELL_EVERY_S:
            told_s = time.monotonic()
            print(f"{tried} of {seeds} seeds, {len(broken)} broke a claim", file=sys.stderr, flush=True)
        ends.update(outcome.ends)
        moves.update(outcome.moves)
        paid_by.update(outcome.paid_by)
        with_end.update(outcome.ends.keys())
        taken.update(outcome.taken)
        sales += outcome.sales
        kills += outcome.crashes
        statements += outcome.points
        if outcome.violations:
            broken.append(outcome)
            if len(broken) <= _SHOWN and not as_json:
                _tell_broken(outcome, worlds)
    took_s = time.monotonic() - began_s
    if as_json:
        figures = {
            "seeds": seeds,
            "sales_tried": sales,
            "sales_paid": sum(ends[name] for name in _PAID),
            "paid_by": dict(sorted(paid_by.items())),
            "card_payments": dict(sorted(taken.items())),
            "crashes": kills,
            "violations": sum(len(one.violations) for one in broken),
            "seeds_per_s": round(seeds / took_s, 2),
        }
        print(json.dumps(figures))
        return _BROKEN if broken else _ALL_WELL
    print(f"{seeds} seeds in {took_s:.0f} s: {seeds / took_s:.1f} a second, {sales / seeds:.1f} sales each")
    print(f"{sales} sales, {statements} statements at which a process could die, {kills} kills")
    print("sales that ended as, and the share of seeds with one:")
    for name, count in sorted(ends.items()):
        print(f"  {name:12} {count:9} {with_end[name] / seeds:7.1%}")
    print("sales that each way of paying took (qr_scan: the shopper's code; qr_show: the till's):")
    for name, count in sorted(paid_by.items()):
        print(f"  {name:20} {count:9}")
    print("card payments taken, by kind of terminal:")
    for kind, count in sorted(taken.items()):
        print(f"  {kind:12} {count:9}")
    print("moves taken:")
    for name in sorted(_all_moves() | moves.keys()):
        print(f"  {name:40} {moves[name]:9}")
    print(f"{len(broken)} seeds broke a claim")
    return _BROKEN if broken else _ALL_WELL


def outcomes(
    seeds: range, workers: int, worlds: str, off: list[str], bug: str | None = None
) -> Iterator[Outcome]:
    """Yield what came of each seed, in their order."""
    if workers <= 1:
        for seed in seeds:
            yield _RUN[worlds](seed, off=off, bug=bug)
        return
    with _pool(workers) as pool:
        yield from pool.map(_Try(worlds, off, bug), seeds, chunksize=4)


def _pool(workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    # A process that cannot begin ends the run: a `multiprocessing.Pool` would start another one for ever.
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=begin)


class _Try:
    def __init__(self, worlds: str, off: list[str], bug: str | None) -> None:
        self._worlds, self._off, self._bug = worlds, off, bug

    def __call__(self, seed: int) -> Outcome:
        return _RUN[self._worlds](seed, off=self._off, bug=self._bug)


def begin() -> None:
    """Make ready a process that runs many worlds."""
    template()
    # What a world leaves behind is found now and then, not in the middle of each.
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def _all_moves() -> set[str]:
    from taken_moves import ALLOWED

    return {" ".join(move) for move in ALLOWED}


def _tell_broken(outcome: Outcome, worlds: str) -> None:
    asked = f"--seed {outcome.seed}" + (f" --worlds {worlds}" if worlds != DAY else "")
    first = outcome.violations[0]
    print(f"seed {outcome.seed}: {first.claim}: {first.what[:300]}")
    print(f"  again:  python3 scripts/simulate.py {asked} --trace")
    print(f"  shrink: python3 scripts/simulate.py {asked} --shrink", flush=True)


def _counted(ends: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in ends.items())


if __name__ == "__main__":
    sys.exit(main())
