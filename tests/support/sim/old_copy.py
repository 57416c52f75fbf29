"""What if somebody puts an old copy of a host's disk back? The shop has forgotten what it has done since."""

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.shop_host import ShopHost
from sim.threads import Here
from sim.watch import in_books, in_journal

if TYPE_CHECKING:
    from sim.world import World


def put_an_old_copy_back(world: "World", host: ShopHost, meanwhile: Callable[[], None]) -> None:
    """Copy a host's disk, and put the copy back once `meanwhile` is over."""
    if world.healed:
        return
    open_sales, upload_no, last_seq = (
        in_journal(host, "SELECT record_id FROM sale WHERE state NOT IN ('PAID', 'RETURNED', 'CLOSED')"),
        in_journal(host, "SELECT value FROM counter WHERE name = 'upload_no'"),
        in_journal(host, "SELECT coalesce(max(seq), 0) FROM outbox"),
    )
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
    device = world.template.devices[host.shop.shop]
    heard = in_books(world, "SELECT upload_no FROM device WHERE device = ?", device)
    heard_seq = in_books(world, "SELECT coalesce(max(seq), 0) FROM entry_row WHERE device = ?", device)
    if heard <= (upload_no or [(0,)]) and heard_seq <= last_seq:
        # The centre has heard nothing of what the copy does not know: nobody can tell that it is one.
        host.forgotten |= {record_id for (record_id,) in open_sales}
