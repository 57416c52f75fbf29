"""What do people at the centre freeze just when a till has asked for the facts and not yet for the hold?

The till has decided to grant; the fund, asked a moment later, refuses.
"""

from typing import TYPE_CHECKING, Any

import msgspec
import reference_data as reference

from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, serial_name
from sim.network import Came, Sent
from sim.scheduler import Process
from sim.threads import Here
from sim.watch import in_books

if TYPE_CHECKING:
    from sim.world import World

_LASTS_S = (5, 60)
_TRIES = 40


def freeze_meanwhile(world: "World") -> None:
    """Let people freeze, in the world of a plan that has it, what a till has just asked about."""
    if "sudden_freeze" not in world.plan.on:
        return
    chance, before = world.plan.chance("sudden freezes"), world.network.on_answer

    def then(who: str, address: str, sent: Sent, came: Came) -> None:
        before(who, address, sent, came)
        if sent.path != "/v1/facts" or came.status != 200 or not world.hits("sudden_freeze", chance):
            return
        kind, name = _asked_about(world, who, msgspec.json.decode(sent.body)["item"], chance.random())
        lasts_s = chance.uniform(*_LASTS_S)
        Here.scheduler.spawn(
            Process("people at the centre"), "freeze", lambda: _freeze(world, kind, name, lasts_s)
        )

    world.network.on_answer = then


def _asked_about(world: "World", agent: str, item: dict[str, Any], which: float) -> tuple[Kind, str]:
    """Return the item's serial number when it has one, or else, and at times, its shop."""
    if item["serial_no"] is not None and which < 0.7:
        (brand,) = in_books(world, "SELECT brand FROM product WHERE gtin = ?", item["gtin"])
        return Kind.SERIAL, serial_name(brand[0], item["serial_no"])
    host = next((one for one in world.hosts if one.name == agent), None)
    return Kind.SHOP, host.shop.shop if host is not None else reference.SHOP


def _freeze(world: "World", kind: Kind, name: str, lasts_s: float) -> None:
    """Freeze it, and let it go after a while."""
    why = "a tip"
    if not world.centre.ask(ImposeFreeze(kind, name, why, "li")):
        return
    Here.scheduler.sleep(lasts_s)
    for _ in range(_TRIES):
        if world.centre.ask(LiftFreeze(by="li, wang", kind=kind, name=name, why="nothing in it")):
            return
        Here.scheduler.sleep(10.0)
