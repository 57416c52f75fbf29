"""What if somebody puts an old copy of a host's disk back? The shop has forgotten what it has done since."""

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.shop_host import ShopHost
from sim.threads import Here

if TYPE_CHECKING:
    from sim.world import World


def put_an_old_copy_back(world: "World", host: ShopHost, meanwhile: Callable[[], None]) -> None:
    """Copy a host's disk, and put the copy back once `meanwhile` is over."""
    if world.healed:
        return
    backup = world.folder / f"backup {world.scheduler.now_ms} of {host.shop.shop}"
    shutil.copytree(host.data, backup)
    world.trace.note("the world", f"{host.name} is backed up")
    meanwhile()
    if world.healed:
        return
    host.is_doubtful = True
    if host.process is not None:
        Here.scheduler.kill(host.process)
    # Its tasks are unwound before its files change.
    Here.scheduler.sleep(0.001)
    shutil.rmtree(host.data)
    shutil.copytree(backup, host.data)
    world.trace.note("the world", f"the backup of {host.name} is put back")
