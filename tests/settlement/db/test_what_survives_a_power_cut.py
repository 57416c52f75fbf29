"""Does the service refuse to serve on a database that may lose what was answered?"""

import subprocess
from contextlib import closing

import postgres
import pysqlite3.dbapi2 as sqlite
import pytest
from books import SQLITE, Books
from centre import write_config
from story.processes import BIN


def run(folder, *words):
    """Run a command of the centre in a folder until it ends."""
    return subprocess.run(
        [BIN / "settlement", *words, "--config", "settlement.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def server():
    """A server that tests may stop and change."""
    with postgres.own() as started:
        yield started


@pytest.fixture(scope="module")
def folder(server, tmp_path_factory):
    """The folder of a centre whose books are on that server."""
    made = tmp_path_factory.mktemp("on-a-server")
    write_config(made, listen='"127.0.0.1:0"', database=f'"{server.url(server.make())}"')
    done = run(made, "init")
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("synchronous_commit", "local"),
        ("full_page_writes", "off"),
    ],
)
def test_a_server_that_may_lose_commits_is_refused_with_the_remedy(server, folder, name, value):
    server.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    server.sql("SELECT pg_reload_conf()")
    try:
        done = run(folder, "serve")
    finally:
        server.sql("ALTER SYSTEM RESET ALL")
        server.sql("SELECT pg_reload_conf()")
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{name}={value}" in done.stderr
    assert "Turn them on" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_away_is_something_to_try_again(server, folder):
    server.kill()
    try:
        done = run(folder, "serve")
    finally:
        server.start()
    assert (done.returncode, done.stdout) == (5, "")
    assert "See that the server runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_whose_journal_cannot_be_the_safe_one_is_refused(tmp_path):
    with closing(Books(tmp_path, on=SQLITE)):
        pass
    file = tmp_path / "centre.sqlite3"
    with closing(sqlite.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    # Something else stands where the log would be.
    (tmp_path / "centre.sqlite3-wal").mkdir()
    done = run(tmp_path, "serve")
    assert (done.returncode, done.stdout) == (5, "")
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
