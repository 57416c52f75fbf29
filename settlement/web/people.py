"""What do auditors read of people: the audit of every operator's action?"""

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from settlement.db.connection import reading
from settlement.people import audit
from settlement.people.audit import AuditEntry
from settlement.people.roles import Permission
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS

MOST = 500


class Audit(msgspec.Struct, frozen=True):
    """Entries, oldest first; `next` is what to send as `after`."""

    next: int | None
    entries: tuple[AuditEntry, ...]


@get("/v1/audit", sync_to_thread=True, guards=[may(Permission.READ_AUDIT)], responses=ANSWERS)
def show_audit(
    edge: NamedDependency[Edge],
    after: Annotated[int, QueryParameter(name="after", required=False, ge=0, le=2**53)] = 0,
) -> Audit:
    """Return who did what, up to 500 entries at a time."""
    with reading(edge.engine) as connection:
        found = audit.entries(connection, after, MOST)
    return Audit(found[-1].entry_no if len(found) == MOST else None, tuple(found))


ROUTES = (show_audit,)
