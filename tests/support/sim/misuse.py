"""What befalls a shop's host that should not? A backup put back, a copied disk, an entry of another kind.

A host with two histories can prove nothing any more: what its journal says of sales is then nobody's proof,
and only what the centre makes of it is looked at.
"""

import functools
import shutil
from typing import TYPE_CHECKING

from sim.network import Came, Sent
from sim.old_copy import put_an_old_copy_back
from sim.people import Cashier
from sim.shop_host import ShopHost
from sim.threads import Here
from subsidy.records.payment import Evidence
from subsidy.wire import v1

if TYPE_CHECKING:
    from sim.world import World


def plan_misuse(world: "World") -> None:
    """Let happen what the plan has drawn, at its time."""
    chance = world.plan.chance("misuse")
    host = chance.choice(world.hosts)
    first_s, then_s = chance.uniform(20, 200), chance.uniform(10, 200)
    if "backup" in world.plan.on:
        sleep = functools.partial(Here.scheduler.sleep, then_s)
        world.later(first_s, lambda: put_an_old_copy_back(world, host, sleep))
    if "clone" in world.plan.on:
        world.later(first_s, lambda: _clone(world, host))
    if "two_centres" in world.plan.on:
        world.later(first_s, lambda: _overtake(world, then_s))
    if "poison" in world.plan.on:
        world.later(first_s, lambda: _poison(world, chance.choice(world.hosts)))


def _overtake(world: "World", after_s: float) -> None:
    """Start a second centre; requests go to either for a while, then the first one ends."""
    first_answers = world.centre.service.answer
    first = None if world.healed else world.centre.overtake()
    if first is None:
        return
    first.when_dead = [one for one in first.when_dead if getattr(one, "__name__", "") == "bury"]
    world.trace.note("the world", "a second centre is started")
    assert world.centre.process is not None
    world.watch_over(world.centre)
    Here.scheduler.sleep(0.5)
    chance, second_answers = world.plan.chance("which centre"), world.centre.service.answer

    def either(sent: Sent) -> Came | None:
        old = chance.random() < 0.5 and first.alive
        answer = first_answers if old else second_answers
        assert answer is not None
        return answer(sent)

    world.centre.service.answer = either
    Here.scheduler.sleep(after_s)
    Here.scheduler.kill(first)


def _clone(world: "World", host: ShopHost) -> None:
    if world.healed:
        return
    folder = world.folder / f"clone of {host.shop.shop}"
    shutil.copytree(host.data, folder)
    clone = world.add_clone(host, folder)
    till, terminal = next(iter(clone.shop.tills.items()))
    world.trace.note("the world", f"{host.name} is copied to a second host")
    Cashier(world, clone, till, world.cables[terminal]).begin(3)


def _poison(world: "World", host: ShopHost) -> None:
    """Write an entry that the centre cannot take: a supplement to a sale that nobody knows."""
    if host.agent is None or world.healed:
        return

    def write() -> None:
        agent = host.agent
        if agent is None:
            return
        record_id = "00000000-0000-7000-8000-000000000000"
        attempt = v1.Attempt(
            no=1,
            pay_ref="A" * 26 + "01",
            tender="card",  # type: ignore[arg-type]
            terminal_no=host.shop.terminals[0],
            amount_fen=1,
            state="NOT_PAID",
            approved_fen=None,
            begun_ms=1,
            ended_ms=1,
            evidence=Evidence(),
        )
        with agent.journal._transaction() as db:
            agent.journal._append(db, v1.Supplement(v=1, record_id=record_id, attempt=attempt, noted_ms=1))

    assert host.process is not None
    Here.scheduler.spawn(host.process, "another version writes", write)
    world.trace.note("the world", f"an entry of {host.name} is of another version")
