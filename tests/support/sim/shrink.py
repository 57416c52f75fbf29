"""What is the least of a seed that still goes wrong?"""

from collections.abc import Callable

from sim.outcome import Outcome
from sim.plan import CLASSES, draw
from sim.world import run_seed


def shrink(seed: int, off: list[str], bug: str | None, tell: Callable[[str], None]) -> tuple[list[str], int]:
    """Return which classes of faults can be left out of a seed, and how few sales are enough.

    What counts is that the first claim that it broke is broken still. Raises ValueError when none is.
    """
    outcome = run_seed(seed, off=off, bug=bug)
    if not outcome.violations:
        raise ValueError(f"seed {seed} breaks no claim")
    claim, sales, without = outcome.violations[0].claim, draw(seed, off).sales, list(off)

    def breaks(outcome: Outcome) -> bool:
        return any(one.claim == claim for one in outcome.violations)

    for name in CLASSES:
        if name in without or name not in draw(seed).on:
            continue
        if breaks(run_seed(seed, off=[*without, name], sales=sales, bug=bug)):
            without.append(name)
            tell(f"without {name}")
    while sales > 1:
        fewer = next(
            (
                n
                for n in (1, sales // 2, sales - 1)
                if 0 < n < sales and _breaks(n, seed, without, bug, breaks)
            ),
            0,
        )
        if not fewer:
            break
        sales = fewer
        tell(f"{sales} sales are enough")
    return without, sales


def _breaks(
    sales: int, seed: int, off: list[str], bug: str | None, breaks: Callable[[Outcome], bool]
) -> bool:
    return breaks(run_seed(seed, off=off, sales=sales, bug=bug))
