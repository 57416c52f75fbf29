"""How does a test that is not about the night let one match what was sold?"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds.matched import MATCHED
from settlement.reconcile.apply_night import ApplyNight, Look, stage_of
from settlement.writer import store
from settlement.writer.rows import Record


def match_all(engine: Engine, ask: Callable[[ApplyNight], Any]) -> None:
    """Let the night say of every booked record that its payment stands in the files."""
    with reading(engine) as connection:
        found = store.read_where(connection, Record, tables.UNMATCHED)
    looks = tuple(
        Look(one.record_id, stage_of(one), one.night, MATCHED) for one in found if isinstance(one, Record)
    )
    if looks:
        ask(ApplyNight(looks))
