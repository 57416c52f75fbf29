"""What is the least of a seed that still goes wrong?"""

from collections.abc import Callable
from typing import Any

from sim.cards.kinds import FIRST, KINDS
from sim.outcome import Outcome
from sim.plan import CLASSES, NIGHT_CLASSES, Plan, draw
from sim.world import run_seed


def shrink(
    seed: int,
    off: list[str],
    bug: str | None,
    tell: Callable[[str], None],
    run: Callable[..., Outcome] = run_seed,
    drawn: Callable[..., Plan] = draw,
) -> tuple[list[str], int]:
    """Return which faults and kinds of terminals can be left out of a seed, and how few sales are enough.

    What counts is that the first claim that it broke is broken still. Raises ValueError when none is.
    `run` and `drawn` are those of the kind of worlds that the seed is of.
    """
    outcome = run(seed, off=off, bug=bug)
    if not outcome.violations:
        raise ValueError(f"seed {seed} breaks no claim")
    claim, sales, without = outcome.violations[0].claim, drawn(seed, off).sales, list(off)

    def breaks(**more: Any) -> bool:
        return any(one.claim == claim for one in run(seed, bug=bug, **more).violations)

    has = {*drawn(seed).on, *drawn(seed).terminals}
    for name in [*CLASSES, *NIGHT_CLASSES, *sorted(KINDS.keys() - {FIRST})]:
        if name in without or name not in has:
            continue
        if breaks(off=[*without, name], sales=sales):
            without.append(name)
            tell(f"without {name}")
    while sales > 1:
        tried = (few for few in (1, sales // 2, sales - 1) if 0 < few < sales)
        fewer = next((few for few in tried if breaks(off=without, sales=few)), 0)
        if not fewer:
            break
        sales = fewer
        tell(f"{sales} sales are enough")
    return without, sales
