"""Was every move of the state tables taken? Asked at the end of a whole run, and only then."""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
MARK = "after_everything"


def put_last_or_leave_out(config: pytest.Config, items: list[pytest.Item], found: int) -> None:
    """Put what is marked `after_everything` at the end; leave it out when this is not the whole suite.

    `found` is how many tests there were before anybody deselected some.
    """
    last = [item for item in items if item.get_closest_marker(MARK)]
    if not last:
        return
    items[:] = [item for item in items if item not in last]
    if _is_whole(config, found - len(items) - len(last)):
        items.extend(last)
    else:
        config.hook.pytest_deselected(items=last)


def _is_whole(config: pytest.Config, deselected: int) -> bool:
    narrowed = ("ignore", "ignore_glob", "lf", "stepwise")
    if deselected or any(config.getoption(name, None) for name in narrowed):
        return False
    roots = [Path(config.invocation_params.dir, arg).resolve() for arg in config.args]
    return any(root == TESTS or root in TESTS.parents for root in roots)
