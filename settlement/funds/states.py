"""Which moves may the centre's record of a sale make? The database refuses all others."""

from enum import StrEnum


class State(StrEnum):
    """Where a record stands. Values are stored: add new ones, never rename or reuse one."""

    HELD = "HELD"
    PAYABLE = "PAYABLE"
    BLOCKED = "BLOCKED"
    IN_CLAIM = "IN_CLAIM"
    PAID_OUT = "PAID_OUT"
    AVAILABLE_AGAIN = "AVAILABLE_AGAIN"
    RELEASED = "RELEASED"
    KEPT = "KEPT"
    RETURNED = "RETURNED"


MOVES = frozenset(
    {
        (State.HELD, State.PAYABLE),
        (State.HELD, State.RELEASED),
        (State.HELD, State.KEPT),
        (State.RELEASED, State.PAYABLE),  # a late grant that enters, and nothing else
        (State.RELEASED, State.AVAILABLE_AGAIN),  # a late grant that is rejected, and nothing else
        (State.PAYABLE, State.BLOCKED),
        (State.BLOCKED, State.PAYABLE),
        (State.BLOCKED, State.AVAILABLE_AGAIN),
        (State.KEPT, State.AVAILABLE_AGAIN),
        (State.PAYABLE, State.IN_CLAIM),
        (State.IN_CLAIM, State.PAID_OUT),
        (State.IN_CLAIM, State.PAYABLE),
        (State.IN_CLAIM, State.AVAILABLE_AGAIN),
        (State.PAYABLE, State.RETURNED),
        (State.BLOCKED, State.RETURNED),
        (State.IN_CLAIM, State.RETURNED),
        (State.PAID_OUT, State.RETURNED),
    }
)
