"""Was every move of the state tables taken by some test, and no other? Asked at the end of a whole run.

Journals and books in tests add what they have seen to `TAKEN`. With several workers each tells its own at its
end, and the run that started them asks. A part of the suite proves nothing here and is not asked.
"""

from pathlib import Path

import pytest

from settlement.funds.states import MOVES as RECORD_MOVES
from terminal_agent.checkout.states import ATTEMPT_MOVES, RETURN_MOVES, SALE_MOVES

TESTS = Path(__file__).resolve().parent.parent
Move = tuple[str, str, str]
"""(whose, from, to), as in ("sale", "HELD", "PAYING")."""

TAKEN: set[Move] = set()

ALLOWED: frozenset[Move] = frozenset(
    (whose, before.value, after.value)
    for whose, moves in (
        ("sale", SALE_MOVES),
        ("attempt", ATTEMPT_MOVES),
        ("goods_return", RETURN_MOVES),
        ("record", RECORD_MOVES),
    )
    for before, after in moves
)


def problems(taken: set[Move]) -> list[str]:
    """Return a sentence for each move that no test has taken, and each that no table has."""
    found = [f"no test took {_shown(move)}" for move in sorted(ALLOWED - taken)]
    return found + [f"no state table has {_shown(move)}" for move in sorted(taken - ALLOWED)]


def is_whole(config: pytest.Config) -> bool:
    """Whether a run is of the whole suite."""
    narrowed = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")
    if any(config.getoption(name, None) for name in narrowed):
        return False
    roots = [Path(config.invocation_params.dir, arg).resolve() for arg in config.args]
    return any(root == TESTS or root in TESTS.parents for root in roots)


def _shown(move: Move) -> str:
    return f"{move[0]} {move[1]} -> {move[2]}"
