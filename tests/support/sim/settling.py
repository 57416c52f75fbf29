"""How do people at the centre settle a late grant, or a record that is blocked or kept, and stays so?

They look at what acquirers and wallets have in their books. In a day's world they look again and again; in a
world of several days in the morning, with the rest of their work (`night_office.py`).
"""

from typing import TYPE_CHECKING

import msgspec

from settlement.claims.settle_record import MAY_BE_ACCEPTED, AcceptDifference, RejectRecord
from settlement.returns.follow import UNDER_WAY
from sim import truth
from sim.scheduler import Process
from sim.threads import Here
from sim.watch import in_books
from subsidy import ids

if TYPE_CHECKING:
    from sim.world import World

SETTLES = "people_settle"
"""The class of worlds in which they do."""
_EVERY_S = (15, 45)
_LETS_THROUGH = frozenset(MAY_BE_ACCEPTED) - {"decision_differs"}
"""What they accept: never a second grant beside what others were given meanwhile."""


def settle_now_and_then(world: "World") -> None:
    """Let people settle, in the world of a plan that has it, one record after another."""
    if SETTLES not in world.plan.on:
        return
    chance = world.plan.chance("people who settle")

    def work() -> None:
        while True:
            Here.scheduler.sleep(chance.uniform(*_EVERY_S))
            if chance.random() < world.plan.rate(SETTLES) and (found := what_people_settle(world)):
                world.centre.ask(chance.choice(found))

    Here.scheduler.spawn(Process("people at the centre"), "settle", work)


def what_people_settle(world: "World") -> list[RejectRecord | AcceptDifference]:
    """Return how they would settle each: what was paid as promised they let through where they may.

    The rest the fund does not pay; that nothing was sold they say where nothing was paid.
    """
    open_now = in_books(
        world,
        "SELECT record_id, to_pay_fen, blocks FROM record WHERE state IN ('BLOCKED', 'KEPT') ORDER BY 1",
    )
    standing = truth.standing(world) if open_now else {}
    found: list[RejectRecord | AcceptDifference] = []
    for record_id, to_pay_fen, written in open_now:
        blocks = msgspec.json.decode(written)
        if UNDER_WAY in blocks:
            continue
        paid_fen = sum(standing.get(ids.pay_ref(record_id, no), 0) for no in range(1, 12))
        lifted = next((one for one in blocks if one in _LETS_THROUGH), None)
        if lifted is not None and paid_fen == to_pay_fen:
            found.append(AcceptDifference(record_id, lifted, "paid as promised"))
        else:
            found.append(RejectRecord(record_id, paid_fen == 0, "the fund does not pay this one"))
    return found


def what_people_refuse(world: "World") -> list[RejectRecord]:
    """Return how they would reject each late grant: its hold's end has freed the goods already."""
    late = in_books(
        world, "SELECT record_id, blocks FROM record WHERE money = 'late_grants_claimed' ORDER BY 1"
    )
    why = "it came too late, and the fund does not pay it"
    return [
        RejectRecord(record_id, False, why)
        for record_id, written in late
        if UNDER_WAY not in msgspec.json.decode(written)
    ]
