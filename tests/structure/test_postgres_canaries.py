"""Would the look that follows every file's tests see a card or payment code that came into PostgreSQL?"""

import os

import postgres
import psycopg
import pytest

plants_canaries = "to see them found"

CARD = "6299998473651209384"


@pytest.fixture(scope="module")
def server():
    with postgres.own() as server:
        yield server


@pytest.fixture
def database(server):
    name = server.make()
    server.sql("CREATE TABLE note (id int PRIMARY KEY, body text, raw bytea)", name)
    server.left()
    yield name
    server.drop(name)
    server.left()


def written(server, database, body, raw=b""):
    with psycopg.connect(server.url(database)) as connection:
        connection.execute("INSERT INTO note VALUES (1, %s, %s)", (body, raw))


def in_tables(found):
    return [one for one in found if "note" in one]


def test_a_server_without_any_is_clean(server, database):
    written(server, database, "629999*********9384 in trace 000042")
    assert server.left() == []


@pytest.mark.parametrize(
    ("body", "raw", "said"),
    [
        (f"sold to {CARD}", b"", "a card number"),
        ("", CARD.encode(), "a card number"),
        ("", bytes.fromhex(f"{CARD}0"), "a card number, packed"),
        ("a long story. " * 5000 + CARD, b"", "a card number"),
        ("".join(f"{n},{CARD};" for n in range(2000)), b"", "a card number"),
    ],
)
def test_what_stands_in_a_table_is_told_whatever_its_type_and_size(server, database, body, raw, said):
    written(server, database, body, raw)
    assert in_tables(server.left()) == [f"{database}, note: {said}"]


def test_what_was_deleted_or_taken_back_is_told_of_the_files_that_were_written(server, database):
    written(server, database, CARD)
    server.sql("DELETE FROM note", database)
    server.sql("VACUUM note", database)
    found = server.left()
    assert in_tables(found) == []
    assert {one.partition(": ")[2] for one in found} == {"a card number"}


def test_what_a_database_held_that_is_gone_is_told_once(server):
    name = server.make()
    server.sql(f"CREATE TABLE note AS SELECT '{CARD}' AS body", name)
    server.left()
    server.drop(name)
    assert in_tables(server.left()) == [f"{name}, note: a card number"]
    assert server.left() == []


def test_a_server_that_is_gone_has_been_looked_at():
    postgres.left_in_servers()
    with postgres.own() as gone:
        gone.sql(f"CREATE TABLE note AS SELECT '{CARD}' AS body")
    assert not os.path.exists(gone.folder)
    assert "postgres, note: a card number" in postgres.left_in_servers()


def test_what_the_server_itself_logs_is_looked_at(server, database):
    with pytest.raises(psycopg.errors.UndefinedTable):
        server.sql(f"SELECT * FROM lost WHERE card = '{CARD}'", database)
    assert "log: a card number" in server.left()
