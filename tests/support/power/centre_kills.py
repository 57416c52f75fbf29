"""What is a piece of killing the centre, or PostgreSQL below it, under load?"""

import killed_under_load
from power.kinds import Piece

_KILLS_A_PIECE = 25


def piece(seed: int, database: str) -> Piece:
    """Kill the service, or the server of its `database`, again and again while shops sell."""
    found = killed_under_load.run(_KILLS_A_PIECE, database, seed)
    saw = {name: found[name] for name in ("holds_acknowledged", "entries_acknowledged", "asked_again")}
    wrong = list(found["faults"])
    if not found["good"] and not wrong:
        wrong = ["the books are not what their events make"]
    return Piece("any moment", sum(found["kills"].values()), wrong, saw)
