"""How many holds a second does the centre place, against what pgbench's TPC-B does on the same server?

Everything in one run, in turns: pgbench at scale 1 (one hot row) and 50, the writer alone with 32 commands in
flight, the whole service over HTTP with every request signed, and, on SQLite, the writer against itself with
one commit for each hold. Decisions are real: the training pack, facts, quota, serial number, four funders.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import books_for_bench as books
import msgspec
import postgres
from books_for_bench import BenchShop
from sqlalchemy import text
from story.processes import Process, answers, free_port, wait_for

from settlement.app import Centre
from settlement.db.connection import reading
from settlement.system import clock_us
from settlement.writer.step import Answer, Signed
from settlement.writer.writer import Writer
from subsidy import seal
from subsidy.wire import v1

IN_FLIGHT = 32
_SLOW_SYNC = """
#include <time.h>
static int wait_ms(void) { struct timespec t = {0, SYNC_NS}; nanosleep(&t, 0); return 0; }
int fdatasync(int fd) { (void)fd; return wait_ms(); }
int fsync(int fd) { (void)fd; return wait_ms(); }
"""


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the bench's result."""
    rounds, holds, seconds = (1, 3_000, 2) if asked.quick else (3, 20_000, 6)
    folder = Path(tempfile.mkdtemp(prefix="bench-holds-", dir="/dev/shm" if asked.sync_ms else None))  # noqa: S108
    folder.chmod(0o711)
    try:
        with cluster(folder, asked.sync_ms) as server, Stage(server, folder, rounds * holds) as stage:
            return stage.measure(rounds, holds, seconds, asked.sync_ms)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def cluster(folder: Path, sync_ms: float, **settings: str) -> Iterator[postgres.Cluster]:
    """Run a PostgreSQL server of the bench's own; with `sync_ms` each sync takes that long."""
    env = {}
    if sync_ms:
        source, library = folder / "slow_sync.c", folder / "slow_sync.so"
        source.write_text(_SLOW_SYNC.replace("SYNC_NS", str(int(sync_ms * 1_000_000))))
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        env["LD_PRELOAD"] = str(library)
    made = postgres.Cluster(
        parent=folder,
        env=env,
        shared_buffers="512MB",
        max_wal_size="4GB",
        checkpoint_timeout="30min",
        max_connections="100",
        **settings,
    )
    try:
        yield made.start()
    finally:
        made.stop()


class Stage:
    """The databases, the service and the shops of one run."""

    def __init__(self, server: postgres.Cluster, folder: Path, holds: int) -> None:
        self.server = server
        self.folder = folder
        self.holds = holds

    def __enter__(self) -> "Stage":
        spare = 4_000
        total = self.holds + spare
        self.alone = self._books("alone", f'"{self.server.url(self.server.make())}"', total)
        self.port = free_port()
        self.served = self._books(
            "served",
            f'"{self.server.url(self.server.make())}"',
            total,
            listen=f'"127.0.0.1:{self.port}"',
            holds_per_device_s="1000000",
        )
        self.on_file = self._books("file", "books.sqlite3", total)
        self.one_by_one = self._books("one", "books.sqlite3", total)
        self.people = dict.fromkeys(("alone", "served", "file", "one"), 0)
        self.shops = {
            name: books.make_shops(centre, IN_FLIGHT, total)
            for name, centre in (
                ("alone", self.alone),
                ("served", self.served),
                ("file", self.on_file),
                ("one", self.one_by_one),
            )
        }
        for scale in (1, 50):
            name = self.server.make()
            self._pgbench(name, "-i", "-s", str(scale), "-q")
            setattr(self, f"tpcb_{scale}", name)
        self.service = Process(
            self.folder / "served", "centre", ["settlement", "serve", "--config", "settlement.yaml"]
        )
        self.service.start()
        wait_for("the centre", lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))
        self.writers = {
            name: start_writer(centre, most)
            for name, centre, most in (
                ("alone", self.alone, None),
                ("file", self.on_file, None),
                ("one", self.one_by_one, 1),
            )
        }
        return self

    def __exit__(self, *_exception: object) -> None:
        self.service.stop()

    def measure(self, rounds: int, holds: int, seconds: int, sync_ms: float) -> dict[str, Any]:
        """Return the result of `rounds` turns, after a short one that warms everything up."""
        found: dict[str, list[float]] = {}
        http: list[dict[str, Any]] = []
        size = database_bytes(self.served)
        # New people and goods every time, so nobody is refused.
        for turn in range(rounds + 1):
            count = holds if turn else 1_000
            long = seconds if turn else 2
            one = {
                "tpcb_1": self._tps("tpcb_1", long),
                "writer": self._writer_level("alone", count),
                "tpcb_50": self._tps("tpcb_50", long),
                "sqlite": self._writer_level("file", count),
                "sqlite_one_by_one": self._writer_level("one", max(count // 5, 200)),
                "fsync_us": fsync_us(self.folder),
            }
            sent = self._over_http(count)
            one["http"] = sent["kinds"].get("promise", 0) / sent["wall_s"]
            if turn:
                http.append(sent)
                for name, value in one.items():
                    found.setdefault(name, []).append(value)
        promised = self.people["served"]
        middle = {name: statistics.median(values) for name, values in found.items()}
        ratios = [web / base for web, base in zip(found["http"], found["tpcb_50"], strict=True)]
        crypto = crypto_us()
        per_hold_us = 1_000_000 / middle["http"]
        figures: dict[str, Any] = {
            "holds_per_s_http": round(middle["http"]),
            "holds_per_s_writer": round(middle["writer"]),
            "holds_per_s_writer_sqlite": round(middle["sqlite"]),
            "holds_per_s_sqlite_one_commit_each": round(middle["sqlite_one_by_one"]),
            "pgbench_tps_scale_1": round(middle["tpcb_1"]),
            "pgbench_tps_scale_50": round(middle["tpcb_50"]),
            "writer_over_scale_1": round(middle["writer"] / middle["tpcb_1"], 2),
            "writer_over_scale_50": round(middle["writer"] / middle["tpcb_50"], 2),
            "sqlite_over_one_commit_each": round(middle["sqlite"] / middle["sqlite_one_by_one"], 2),
            "http_over_scale_50_each_round": [round(one, 2) for one in ratios],
            "http_ms": http[-1]["ms"],
            "http_answers": http[-1]["kinds"],
            "crypto_us_per_hold": crypto,
            "crypto_share_of_one_core": round(sum(crypto.values()) / per_hold_us, 2),
            "service_memory_mib": resident_mib(self.service.pid),
            "database_bytes_per_hold": round((database_bytes(self.served) - size) / promised),
            "fsync_us": round(middle["fsync_us"]),
            "sync_ms": sync_ms,
            "in_flight": IN_FLIGHT,
            "rounds": rounds,
            "holds_each": holds,
        }
        return {
            "name": "holds",
            "ratio": round(statistics.median(ratios), 3),
            "better": "higher",
            "against": "pgbench TPC-B scale 50, 32 clients, same server, same run",
            "figures": figures,
        }

    def _books(self, name: str, database: str, people: int, **config: str) -> Centre:
        return books.make_books(self.folder / name, database, people, **config)

    def _next(self, name: str, count: int) -> range:
        first = self.people[name]
        self.people[name] = first + count
        return range(first, first + count)

    def _writer_level(self, name: str, count: int) -> float:
        writer, centre = self.writers[name]
        commands = list(books.hold_commands(centre, self.shops[name], self._next(name, count)))
        return count / drive(writer, commands)

    def _over_http(self, count: int) -> dict[str, Any]:
        file = self.folder / "requests"
        with file.open("wb") as out:
            for place, person in enumerate(self._next("served", count)):
                request = signed(self.shops["served"][place % IN_FLIGHT], person, place)
                out.write(len(request).to_bytes(4, "big") + request)
        load = [sys.executable, Path(__file__).with_name("load.py"), "127.0.0.1", str(self.port), file]
        done = subprocess.run([*load, str(IN_FLIGHT)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _tps(self, name: str, seconds: int) -> float:
        said = self._pgbench(
            getattr(self, name), "-c", str(IN_FLIGHT), "-j", "2", "-T", str(seconds), "-M", "prepared", "-n"
        )
        match = re.search(r"tps = ([0-9.]+) \(without", said)
        assert match, said
        return float(match[1])

    def _pgbench(self, name: str, *options: str) -> str:
        program = shutil.which("pgbench") or str(postgres.bin_folder() / "pgbench")
        where = ["-h", str(self.server.folder), "-U", "postgres", *options, name]
        done = subprocess.run([program, *where], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def start_writer(centre: Centre, most_at_once: int | None) -> tuple[Writer, Centre]:
    """Return the centre's writer, started in this process."""
    more = {} if most_at_once is None else {"most_at_once": most_at_once}
    writer = Writer(centre.engine, centre.setting, centre.now_ms, _complain, clock_us, **more)
    writer.start()
    return writer, centre


class _Driver:
    """Keeps commands in flight: each answer sends the next one."""

    def __init__(self, writer: Writer, commands: list[Any]) -> None:
        self._writer = writer
        self._commands = iter(commands)
        self._left = len(commands)
        self._over = threading.Event()
        self.refused = 0

    def run(self) -> float:
        began = time.perf_counter()
        for _ in range(IN_FLIGHT):
            self._next()
        assert self._over.wait(600)
        return time.perf_counter() - began

    def give(self, answer: Answer, /) -> None:
        self.refused += not (isinstance(answer, Signed) and answer.typ == v1.PROMISE)
        self._left -= 1
        if self._left:
            self._next()
        else:
            self._over.set()

    def fail(self, wrong: BaseException, /) -> None:
        raise wrong

    def _next(self) -> None:
        command = next(self._commands, None)
        if command is not None:
            self._writer.submit_soon(command, self)


def drive(writer: Writer, commands: list[Any]) -> float:
    """Return in how many seconds `commands` were answered; every one must be a promise."""
    driver = _Driver(writer, commands)
    took = driver.run()
    assert driver.refused == 0, f"{driver.refused} holds were refused"
    return took


def signed(shop: BenchShop, person: int, number: int) -> bytes:
    """Return a hold's whole HTTP request, signed now."""
    device = shop.device
    body = msgspec.json.encode(shop.request(person))
    nonce = f"{device.name}-{time.time_ns()}-{number}"[:64]
    lines = ["POST /v1/holds HTTP/1.1", "Host: centre", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in device.signature("/v1/holds", body, nonce).items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def crypto_us() -> dict[str, float]:
    """Return what a signature's check and a seal take, in microseconds."""
    device = books.FakeDevice("crypto", books.Clock().now_ms)
    message = b"x" * 400
    signature = device.key.sign(message)
    public = device.key.public_key()
    count = 2_000
    began = time.perf_counter()
    for _ in range(count):
        public.verify(signature, message)
    checked = time.perf_counter()
    for _ in range(count):
        seal.seal(v1.PROMISE, message * 4, device.key)
    sealed = time.perf_counter()
    return {
        "check_signature": round((checked - began) / count * 1e6, 1),
        "seal_promise": round((sealed - checked) / count * 1e6, 1),
    }


def fsync_us(folder: Path) -> float:
    """Return the median of 100 writes of 8 KiB with fdatasync, in microseconds."""
    place = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        took = []
        for _ in range(100):
            began = time.perf_counter()
            os.pwrite(place, b"x" * 8192, 0)
            os.fdatasync(place)
            took.append(time.perf_counter() - began)
    finally:
        os.close(place)
    return statistics.median(took) * 1e6


def database_bytes(centre: Centre) -> int:
    """Return how large the centre's database is, indexes included."""
    with reading(centre.engine) as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def resident_mib(pid: int) -> int:
    """Return a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    return int(match[1]) // 1024 if match else 0


def _complain(wrong: BaseException) -> None:
    print(f"the writer failed: {wrong!r}", file=sys.stderr)
