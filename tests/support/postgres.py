"""A PostgreSQL server of the tests' own: started when the first test asks, stopped when the run ends.

It listens on a socket in a folder of its own only. As root it runs as the user `postgres`, which Debian's
package makes: the server refuses to be root.
"""

import atexit
import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres_canaries
import psycopg

OWNER = "postgres"
# As docs/for-operations.md has it made: the service's role owns none of the books' tables.
SERVICE = "tradein_service"
MAKE_SERVICE = f"CREATE ROLE {SERVICE} LOGIN CREATEDB"


def bin_folder() -> Path:
    """Return where the server's programs lie."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL is not installed: scripts/test.py installs it"
    return Path(on_path).parent


def _as_whom() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Cluster:
    """A server with its databases, in `encoding` unless told. `settings` go to its configuration."""

    def __init__(
        self,
        parent: Path | None = None,
        env: dict[str, str] | None = None,
        encoding: str = "UTF8",
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tradein-postgres-", dir=parent))
        self._env = os.environ | (env or {})
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            os.chown(self.folder, _as_whom()["user"], _as_whom()["group"])
        self._settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder)} | settings
        self._names = itertools.count(1)
        self._left: list[str] = []
        self._files = postgres_canaries.WrittenFiles(self.folder)
        self._server: subprocess.Popen[bytes] | None = None
        command = [bin_folder() / "initdb", "-D", self.data, "-A", "trust", "-U", OWNER]
        self._call([*command, "-E", encoding, "--locale=C.UTF-8", "--no-sync"])

    def start(self) -> "Cluster":
        """Start the server and wait until it answers."""
        settings = itertools.chain.from_iterable(
            ("-c", f"{name}={value}") for name, value in self._settings.items()
        )
        log = (self.folder / "log").open("ab")
        self._server = subprocess.Popen(
            [bin_folder() / "postgres", "-D", self.data, *settings],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=self._env,
            **_as_whom(),
        )
        log.close()
        _running.append(self)
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return self
            except psycopg.OperationalError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._server is not None
        return self._server.pid

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would end them."""
        assert self._server is not None
        # SIGQUIT: the children are ended without a checkpoint, and nothing is left behind.
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)

    def kill_every_process(self) -> None:
        """SIGKILL every process of the server: nothing can be tidied up, not even its shared memory."""
        assert self._server is not None
        # Stopped, it can neither start another one nor notice that one is gone.
        os.kill(self.pid, signal.SIGSTOP)
        children = _children_of(self.pid)
        for child in children:
            os.kill(child, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)
        self._server.wait(30)
        # One that is still going holds the shared memory, and no server starts beside it.
        until = time.monotonic() + 30
        while any(map(_is_there, children)):
            assert time.monotonic() < until, f"some of {children} do not go"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it and remove its folder, once what is left in it is known."""
        _left_by_gone.extend(self.left())
        if self in _running:
            _running.remove(self)
        if self._is_running():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str, role: str = OWNER) -> str:
        """Return the address of a database, as a role connects to it."""
        return f"postgresql://{role}@/{name}?host={self.folder}"

    def make(self, template: str = "template0", owner: str = OWNER) -> str:
        """Make a database in UTF8 out of another and return its name."""
        name = f"books_{next(self._names)}"
        like = f"ENCODING 'UTF8' TEMPLATE \"{template}\""
        self.sql(f'CREATE DATABASE "{name}" OWNER "{owner}" {like}')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected. What is left in it is remembered."""
        if name in postgres_canaries.databases_of(self.url("postgres")):
            # Whoever is connected may hold a table that is to be read.
            self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            self._left += self._in_database(name)
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, name: str = "postgres") -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def left(self) -> list[str]:
        """Return where cards and payment codes were left since this was asked last."""
        written = self._files.new()
        in_files = postgres_canaries.in_files(written)
        found, self._left = self._left + in_files, []
        if written and self._is_running():
            for name in postgres_canaries.databases_of(self.url("postgres")):
                found += self._in_database(name)
            if in_files:
                # Else the next look would tell of it again: a file is looked at whole.
                self.sql("SELECT pg_switch_wal()")
        return found

    def _in_database(self, name: str) -> list[str]:
        return [f"{name}, {one}" for one in postgres_canaries.in_database(self.url(name))]

    def _is_running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _call(self, command: list[Any]) -> None:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **_as_whom()
        )
        assert done.returncode == 0, done.stderr


def _children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_there(pid: int) -> bool:
    """Whether a process is still there: one that nobody has waited for yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


_shared: list[Cluster] = []
_running: list[Cluster] = []
_left_by_gone: list[str] = []


def left_in_servers() -> list[str]:
    """Return where cards and payment codes were left in any server since this was asked last."""
    found = _left_by_gone + [one for server in _running for one in server.left()]
    _left_by_gone.clear()
    return found


def shared() -> Cluster:
    """Return the one server that the tests of this process share."""
    if not _shared:
        _shared.append(Cluster().start())
        _shared[0].sql(MAKE_SERVICE)
        atexit.register(_shared[0].stop)
    return _shared[0]


@contextlib.contextmanager
def own(encoding: str = "UTF8", **settings: str) -> Iterator[Cluster]:
    """Run a server for one test alone."""
    cluster = Cluster(encoding=encoding, **settings).start()
    try:
        yield cluster
    finally:
        cluster.stop()
