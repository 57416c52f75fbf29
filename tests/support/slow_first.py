"""Which files of tests begin first?

A file stays on one worker, so one that takes a minute and begins last lets the others wait for it.
"""

import pytest

# Those whose tests start processes, kill them or wait for people and hosts, slowest first. It need not be
# exact: what comes after them is short enough to fill the gaps.
_SLOW = (
    "tests/simulation/test_fresh_seeds.py",
    "tests/journeys/test_the_demo.py",
    "tests/journeys/",
    "tests/terminal_agent/certify/",
    "tests/simulation/",
    "tests/settlement/registers/",
    "tests/settlement/copies/",
    "tests/settlement/storms/",
    "tests/settlement/ledger/",
    "tests/settlement/funds/",
    "tests/settlement/claims/",
    "tests/terminal_agent/checkout/",
    "tests/power/",
    "tests/settlement/",
    "tests/terminal_agent/channels/",
    "tests/terminal_agent/terminals/",
)


def place(item: pytest.Item) -> int:
    """Return when a test begins: the lower the earlier."""
    path = item.nodeid
    return next((at for at, slow in enumerate(_SLOW) if path.startswith(slow)), len(_SLOW))
