"""Is what a step changes in a copy of the rows in that copy alone?"""

import pytest

from settlement.writer.batch import HeldBy, Rows
from settlement.writer.rows import Freed, Funding, Record, Serial

FREED = (Serial.register, "r")


def record(state):
    return Record("r", state, "d", 1, 1)


@pytest.fixture
def rows():
    """Rows of a batch in which something was put, taken and given back before."""
    made = Rows(shared=frozenset((Serial,)))
    made.loaded_row(record("HELD"))
    made.loaded_none(Funding, [(2026, "document 1"), (2026, "document 2")])
    made.loaded_none(Serial, [("b", "1"), ("b", "2")])
    made.loaded_none(Freed, [FREED])
    made.loaded_every(HeldBy("d", 1))
    made.put(Funding(2026, "document 1", ()))
    for state in ("PAYABLE", "BLOCKED"):
        made.put(record(state))
    made.take(Serial("b", "1", "r"), "r")
    return made


def everything(rows):
    """Return what is to be written, what is in memory, and what registers are told."""
    rounds = [
        [(kind.__name__, is_new, tuple(found)) for kind, is_new, found in one.parts()]
        for one in rows.changed()
    ]
    in_memory = {(kind.__name__, key): row for (kind, key), row in rows.all_loaded()}
    told = (dict(rows.takes), rows.get(Serial, "b", "1"), rows.frees())
    return rounds, in_memory, told, rows.has(HeldBy("d", 2))


@pytest.mark.parametrize(
    "step",
    [
        lambda rows: rows.put(Funding(2026, "document 2", ())),
        lambda rows: rows.put(record("CLAIMED")),
        lambda rows: rows.take(Serial("b", "2", "s"), "s"),
        lambda rows: rows.free(Serial, "r", Serial("b", "1", None)),
        lambda rows: rows.loaded_every(HeldBy("d", 2)),
    ],
    ids=["new", "moved again", "taken", "given back", "asked for"],
)
def test_what_is_tried_out_changes_nothing(rows, step):
    before, tried = everything(rows), rows.copy()
    step(tried)
    assert everything(tried) != before
    assert everything(rows) == before


def test_the_copy_goes_on_from_where_the_batch_is(rows):
    assert everything(rows.copy()) == everything(rows)
