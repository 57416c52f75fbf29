"""How does a monitor read which alarms ring?"""

import msgspec
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import Connection

from settlement.alarms.kinds import Alarm
from settlement.alarms.look import alarms
from settlement.db.connection import reading
from settlement.people.roles import Permission
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS


class Alarms(msgspec.Struct, frozen=True):
    """What rings as of `centre_ms`, the worst first."""

    centre_ms: int
    alarms: tuple[Alarm, ...]


@get("/v1/alarms", sync_to_thread=True, guards=[may(Permission.READ_BOOKS)], responses=ANSWERS)
def show_alarms(edge: NamedDependency[Edge]) -> Alarms:
    """Return every alarm that rings, with since when, how bad, and what to do."""
    with reading(edge.engine) as connection:
        return Alarms(edge.now_ms(), tuple(ringing(connection, edge)))


def ringing(connection: Connection, edge: Edge) -> list[Alarm]:
    """Return what rings at the centre."""
    setting, now_ms = edge.setting(), edge.now_ms()
    lag_target_s = setting.lag_target_s(now_ms)
    return alarms(connection, setting.pack, edge.night_at, lag_target_s, now_ms, edge.sources)
