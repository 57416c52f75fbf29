"""Do a centre's books survive an update, and does the database still refuse what it refused?"""

import json

import postgres
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from books import ENGINES, NOON_MS, SQLITE
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from settlement.db import migrate, version
from settlement.db.connection import engine_on, migrating, reading, writing
from settlement.db.place import Postgres, Sqlite
from settlement.people import sessions, standing, tokens, users
from settlement.people.roles import Grant, Role
from settlement.writer import store
from settlement.writer.rows import Difference, Record

OLD_RECORD = {
    "device": "d1",
    "epoch": 1,
    "hold_no": 1,
    "request_mac": "",
    "merchant": "M001",
    "shop": "S0031",
    "terminal_no": "T1",
    "person": "p",
    "qualification": "q",
    "category": "FRIDGE",
    "year": 2026,
    "brand": "b",
    "gtin": "g",
    "serial_no": "SN",
    "subsidy_fen": 18_519,
    "to_pay_fen": 104_938,
    "paid_fen": 104_938,
    "parts": '[{"funder":"central","fen":18519}]',
    "money": "payable",
    "promise": b"{}",
    "promise_kid": "k",
    "placed_at_ms": NOON_MS,
    "held_for_s": 900,
    "ended_ms": NOON_MS,
    "why": "paid",
    "owner": "",
}


@pytest.fixture(params=ENGINES)
def old(tmp_path, request):
    """Return books as version 0001 has left them: a payable record, a blocked one, a tombstone."""
    if request.param == SQLITE:
        place = Sqlite(tmp_path / "centre.sqlite3")
    else:
        place = Postgres(postgres.shared().url(postgres.shared().make()))
    engine = engine_on(place)
    config = migrate._config()
    with migrating(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number, state in enumerate(("PAYABLE", "BLOCKED", "RELEASED"), 1):
            put(connection, "record", OLD_RECORD | {"record_id": f"r{number}", "state": state})
        attempts = [{"pay_ref": "FIRST01", "state": "NOT_PAID"}, {"pay_ref": "SECOND02", "state": "PAID"}]
        entry = {
            "device": "d1",
            "epoch": 1,
            "seq": 1,
            "hash": "h",
            "prev": "g",
            "record_id": "r1",
            "kind": "paid",
            "answer": "accepted",
            "problem": "",
            "body": json.dumps({"attempts": attempts}).encode(),
            "taken_ms": NOON_MS,
        }
        put(connection, "entry_row", entry)
        unread = {"seq": 2, "hash": "x", "answer": "quarantined", "body": b"not JSON"}
        put(connection, "entry_row", entry | unread)
        put(
            connection,
            "difference",
            {"subject": "r2", "kind": "decision_differs", "owner": "o", "detail": "d", "opened_ms": 1},
        )
        put(connection, "balance", {"funder": "central", "account": "payable", "year": 2026, "fen": 18_519})
    yield engine
    engine.dispose()


def put(connection, table, values):
    """Insert a row."""
    names = ", ".join(values)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})"), values
    )


def test_the_version_that_this_software_works_with_is_that_of_the_last_migration():
    assert ScriptDirectory.from_config(migrate._config()).get_heads() == [version.NEWEST]


def test_tables_of_another_version_are_not_current(old):
    with reading(old) as connection:
        assert version.revision(connection) == "0001"
        assert not version.is_current(connection)


def test_where_there_are_no_tables_there_is_no_version(tmp_path):
    with reading(engine_on(Sqlite(tmp_path / "empty.sqlite3"))) as connection:
        assert version.revision(connection) == ""


def test_what_was_there_is_there_and_knows_what_is_new(old):
    migrate.migrate(old)
    with reading(old) as connection:
        records = {one.record_id: one for one in store.read_where(connection, Record)}
        (difference,) = store.read_where(connection, Difference)
        assert version.is_current(connection)
    assert {name: one.state for name, one in records.items()} == {
        "r1": "PAYABLE",
        "r2": "BLOCKED",
        "r3": "RELEASED",
    }
    assert records["r1"].pay_ref == "SECOND02"
    assert (records["r1"].blocks, records["r2"].blocks) == ((), ("decision_differs",))
    assert not any(one.recovered for one in records.values())
    assert records["r1"].subsidy_fen == 18_519
    assert (difference.kind, difference.fen, difference.closed_ms) == ("decision_differs", 0, None)


def test_tokens_made_before_people_were_known_are_a_services(old):
    with migrating(old) as connection:
        for number in (1, 2):
            token = {"token_hash": tokens.hash_of(f"token {number}"), "name": "operator", "made_ms": number}
            put(connection, "api_token", token)
    migrate.migrate(old)
    for number in (1, 2):
        actor = sessions.who_is(old, f"token {number}", NOON_MS)
        assert (actor.name, actor.is_human, actor.grants) == ("operator", False, (Grant(Role.OPERATIONS),))
    assert sessions.who_is(old, "token 3", NOON_MS) is None


def test_people_of_before_keep_password_and_roles_and_are_guarded_from_now_on(old):
    config = migrate._config()
    with migrating(old) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0015")
        for name, role in (("wang", "administrator"), ("chen", "administrator"), ("li", "approver")):
            person = {"name": name, "kind": "human", "password": "hash", "totp": b"s", "totp_step": 0}
            put(
                connection,
                "centre_user",
                person | {"tries": 0, "not_before_ms": 0, "made_ms": 1, "made_by": "x"},
            )
            given = {"name": name, "role": role, "scope_kind": "everything", "scope": ""}
            put(connection, "user_role", given | {"granted_ms": 1, "granted_by": "x"})
    migrate.migrate(old)
    with reading(old) as connection:
        assert standing.administrators(connection) == ["chen", "wang"]
        assert users.find(connection, "li").grants == (Grant(Role.APPROVER),)
    change = (
        "UPDATE centre_user SET password = 'new', credentials_ms = 2, credentials_by = :by WHERE name = 'li'"
    )
    for by in ("", "wang", "os:root"):
        with pytest.raises(IntegrityError, match="nobody has agreed"), writing(old) as connection:
            connection.execute(text(change), {"by": by})
    with writing(old) as connection:
        connection.execute(text(change), {"by": "li"})


def test_where_no_token_was_made_nobody_is(old):
    migrate.migrate(old)
    with reading(old) as connection:
        assert users.everybody(connection) == []


@pytest.mark.parametrize(
    ("forbidden", "says"),
    [
        ("UPDATE record SET state = 'HELD' WHERE record_id = 'r1'", "may not make this move"),
        ("UPDATE record SET state = 'PAYABLE' WHERE record_id = 'r3'", "only as a late grant"),
        ("DELETE FROM record", "never deleted"),
        ("UPDATE entry_row SET answer = 'accepted'", "append-only"),
        ("UPDATE balance SET fen = -1", "overdrawn"),
    ],
)
def test_the_database_refuses_what_it_refused(old, forbidden, says):
    migrate.migrate(old)
    with pytest.raises(IntegrityError, match=says), writing(old) as connection:
        connection.execute(text(forbidden))
