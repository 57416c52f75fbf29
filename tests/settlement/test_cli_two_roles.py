"""Does what docs/for-operations.md says of PostgreSQL work, with one role that owns and one that serves?

On a server whose own databases are not in UTF8, as a packaged one may be.
"""

import tempfile

import postgres
import psycopg
import pytest
import reference_data as reference
from centre import write_config
from centre_shell import Shell
from postgres import SERVICE
from postgres_canaries import databases_of

from settlement.db import connection

OWNER = "tradein_owner"
PASSWORD = "six owls sing all night"
BY_SERVICE = ("--service-role", SERVICE)


@pytest.fixture(scope="module")
def server():
    """A server with both roles; only the one that serves may make databases."""
    with postgres.own(encoding="SQL_ASCII") as started:
        started.sql(f"CREATE ROLE {OWNER} LOGIN")
        started.sql(postgres.MAKE_SERVICE)
        yield started


@pytest.fixture(autouse=True)
def let_go(monkeypatch):
    """Let go of what commands connected to, as the end of their processes does."""
    engines = []

    def made(*words, **more):
        engines.append(create_engine(*words, **more))
        return engines[-1]

    create_engine = connection.create_engine
    monkeypatch.setattr(connection, "create_engine", made)
    yield
    for engine in engines:
        engine.dispose()


class OnServer(Shell):
    """The commands, run under a configuration that names the role that serves."""

    def __init__(self, folder, server):
        self.server = server
        self.name = self.empty()
        where = {"database": f'"{server.url(self.name, SERVICE)}"', "backups": "backups"}
        super().__init__(folder, write_config(folder, **where))

    def empty(self, owner=OWNER):
        """Make a database of a role and return its name."""
        return self.server.make(owner=owner)

    def url(self, role, name=None):
        """Return where books are, as a role is let in."""
        return self.server.url(name or self.name, role)

    def init(self, role=OWNER, *words, exit_code=0, name=None):
        """Make the books as a role and let the one that serves in."""
        words = words or BY_SERVICE
        return self.run("init", "--database", self.url(role, name), *words, exit_code=exit_code)

    def serve_from(self, name):
        """Name another database in the configuration."""
        self.file.write_text(self.file.read_text().replace(f"/{self.name}?", f"/{name}?"))
        self.name = name

    def tables(self, name):
        """Return how many tables a database has."""
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        with psycopg.connect(self.url(postgres.OWNER, name)) as asked:
            return asked.execute(query).fetchone()[0]

    def databases(self):
        """Return the server's databases."""
        return sorted(databases_of(self.url(postgres.OWNER)))


@pytest.fixture
def bare(tmp_path, server):
    """A configuration and an empty database."""
    return OnServer(tmp_path, server)


@pytest.fixture
def shell(bare):
    """Books that were made by their owner, with reference data that the other role took in."""
    bare.init()
    for kind, path in reference.write(bare.folder).items():
        bare.run("import", kind, str(path))
    return bare


@pytest.fixture
def no_new_databases(server):
    """The role that serves may make no database."""
    server.sql(f"ALTER ROLE {SERVICE} NOCREATEDB")
    yield
    server.sql(f"ALTER ROLE {SERVICE} CREATEDB")


def test_the_days_commands_work_as_the_role_that_serves(shell):
    shell.run("users", "add", "wang", "--first", typed=f"{PASSWORD}\n")
    shell.run("enrol-code", "--shop", reference.SHOP)
    shell.run("freeze", "shop", reference.OTHER_SHOP, "--reason", "a test")
    for words in (("ledger", "verify"), ("ledger", "rebuild", "--check"), ("audit", "verify"), ("alarms",)):
        shell.run(*words)


def test_a_backup_is_made_and_drilled_as_the_role_that_serves(shell):
    before = shell.databases()
    shell.run("backup")
    assert shell.json("drill")["good"]
    assert shell.databases() == before


def test_a_drill_that_may_make_no_database_says_what_to_do_and_leaves_nothing(
    shell, no_new_databases, tmp_path, monkeypatch
):
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(left))
    before = shell.databases()
    shell.run("backup")
    shell.run("drill", exit_code=1)
    assert f"ALTER ROLE {SERVICE} CREATEDB" in shell.stderr
    assert shell.databases() == before
    assert list(left.iterdir()) == []
    assert shell.json("drill", "--set", f"database={shell.url(postgres.OWNER)}")["good"]


def test_after_an_update_the_owner_gives_the_rights_that_have_come(shell):
    for lost in ("DELETE ON freed", "SELECT ON ALL SEQUENCES IN SCHEMA public"):
        shell.server.sql(f"REVOKE {lost} FROM {SERVICE}", shell.name)
    for words in (("ledger", "verify"), ("backup",), ("serve",)):
        shell.run(*words, exit_code=3)
        assert "lacks DELETE on freed, SELECT on " in shell.stderr
        assert "as the owner" in shell.stderr
    shell.init()
    shell.run("backup")


@pytest.mark.parametrize("lost", ["DELETE ON freed", "SELECT ON ALL SEQUENCES IN SCHEMA public"])
def test_only_the_owner_gives_rights(shell, lost):
    shell.server.sql(f"REVOKE {lost} FROM {SERVICE}", shell.name)
    shell.init(SERVICE, exit_code=5)
    assert "own" in shell.stderr
    shell.run("ledger", "verify", exit_code=3)


def test_a_role_that_is_not_there_is_named_before_anything_is_made(bare):
    bare.init(OWNER, "--service-role", "tradein_servce", exit_code=2)
    assert "no role tradein_servce" in bare.stderr
    assert bare.tables(bare.name) == 0


@pytest.mark.parametrize("words", [("move", "--to"), ("ledger", "rebuild", "--into"), ("init", "--database")])
def test_who_may_make_no_tables_is_told_so_and_nothing_is_made(shell, words):
    there = shell.empty()
    shell.run(*words, shell.url(SERVICE, there), exit_code=5)
    assert "permission denied for schema public. Do it as the role that owns" in shell.stderr
    assert shell.tables(there) == 0
    shell.run("ledger", "verify")


def test_what_is_restored_made_anew_or_moved_by_the_owner_is_served_by_the_other(shell):
    saved = shell.json("backup")["file"]
    back, anew, moved = shell.empty(), shell.empty(), shell.empty()
    assert "--service-role" in shell.run("restore", saved, "--into", shell.url(OWNER, back), exit_code=4)
    shell.run("ledger", "rebuild", "--into", shell.url(OWNER, anew))
    assert "--service-role" in shell.run("move", "--to", shell.url(OWNER, moved))
    for name in (back, anew, moved):
        shell.serve_from(name)
        shell.init()
        shell.run("ledger", "verify")
        shell.run("backup", str(shell.folder / name))


def test_a_register_lies_in_a_database_of_the_role_that_reaches_it(bare):
    mine, anothers = bare.empty(owner=SERVICE), bare.empty()
    plain = bare.file.read_text()
    for name, exit_code in ((anothers, 5), (mine, 0)):
        places = f'registers:\n  serial: {{scope: "CN", database: "{bare.url(SERVICE, name)}"}}\n'
        bare.file.write_text(plain + places)
        bare.run("register", "init", exit_code=exit_code)
    bare.init()
    assert bare.json("register", "show")["waiting"] == 0
    assert bare.tables(anothers) == 0
