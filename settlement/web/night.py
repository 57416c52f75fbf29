"""What do operators' programs read of the nights?"""

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from settlement.db.connection import reading
from settlement.people.roles import Permission
from settlement.reconcile.config import read_day
from settlement.reconcile.report import Report
from settlement.reconcile.run import stored
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS
from subsidy.problem import Problem


@get("/v1/night", sync_to_thread=True, guards=[may(Permission.READ_NIGHT)], responses=ANSWERS)
def show_night(
    edge: NamedDependency[Edge],
    date: Annotated[str, QueryParameter(name="date", required=False, max_length=10)] = "",
) -> Report:
    """Return the newest report of a day's night, `?date=2026-03-01`."""
    day = read_day(date)
    if day is None:
        raise Problem(400, "BAD_REQUEST", "?date: not a day. Send it as ?date=2026-03-01")
    with reading(edge.engine) as connection:
        content = stored(connection, day)
    if content is None:
        raise Problem(404, "NIGHT_NOT_RUN", f"No night of {day} was run. Run `settlement night run`")
    return msgspec.json.decode(content, type=Report)
