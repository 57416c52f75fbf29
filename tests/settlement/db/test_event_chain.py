"""Do events that were there before the chain get their place in it, on both databases?"""

import postgres
import pytest
from alembic import command
from books import ENGINES, POSTGRES
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from settlement.db import migrate, tables
from settlement.db.connection import engine_on, migrating, reading, writing
from settlement.db.place import Postgres, Sqlite
from settlement.writer.event_chain import GENESIS, event_hash

COUNT = 2_500


@pytest.fixture(params=ENGINES)
def old(tmp_path, request):
    """A database as it was before, with events."""
    name = postgres.shared().make() if request.param == POSTGRES else ""
    place = Postgres(postgres.shared().url(name)) if name else Sqlite(tmp_path / "old.sqlite3")
    engine = engine_on(place)
    config = migrate._config()
    with migrating(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        events = [
            {"no": number, "body": f'{{"n":"数 {number}"}}', "record": f"r{number}" if number % 2 else None}
            for number in range(1, COUNT + 1)
        ]
        statement = (
            "INSERT INTO event (event_no, at_ms, kind, body, record_id) VALUES (:no, 7, 'k', :body, :record)"
        )
        connection.execute(text(statement), events)
    yield engine
    engine.dispose()
    if name:
        postgres.shared().drop(name)


def test_every_event_is_tied_to_the_one_before_and_stays_as_it_is(old):
    migrate.migrate(old)
    with reading(old) as connection:
        rows = connection.execute(select(tables.event).order_by(tables.event.c.event_no)).all()
    head = GENESIS
    for row in rows:
        head = event_hash(head, row.event_no, row.at_ms, row.kind, row.body, row.record_id)
        assert row.hash == head
    assert len(rows) == COUNT
    with pytest.raises(IntegrityError, match="append-only"), writing(old) as connection:
        connection.execute(text("UPDATE event SET hash = '' WHERE event_no = 1"))
