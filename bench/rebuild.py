"""How fast are the books made anew from their events, against how fast they were written?

Holds are placed and reported paid, in batches as the writer takes them, on SQLite and on PostgreSQL; then
`settlement ledger rebuild` is run on the books, and says how many events a second it has folded and compared.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import books_for_bench as books
import holds as holds_bench

from settlement.app import Centre
from settlement.intake.accept import Stated, TakeUpload
from settlement.intake.read_upload import read_entry
from settlement.system import Promised
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Signed
from settlement.writer.writer import Writer
from subsidy import seal
from subsidy.wire import v1

BATCH = 32


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the bench's result."""
    sales = 2_000 if asked.quick else 20_000
    folder = Path(tempfile.mkdtemp(prefix="bench-rebuild-"))
    folder.chmod(0o711)
    try:
        with holds_bench.cluster(folder, 0) as server:
            on_server = _measure(folder / "server", f'"{server.url(server.make())}"', sales)
        on_file = _measure(folder / "file", "books.sqlite3", sales)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "name": "rebuild",
        "ratio": round(on_server["rebuilt_per_s"] / on_server["written_per_s"], 2),
        "better": "higher",
        "against": "how fast the writer wrote the same events, on PostgreSQL, same run",
        "figures": {"postgresql": on_server, "sqlite": on_file, "sales": sales},
    }


def _measure(folder: Path, database: str, sales: int) -> dict[str, Any]:
    centre = books.make_books(folder, database, sales)
    shops = books.make_shops(centre, BATCH, sales)
    began = time.perf_counter()
    _sell(centre, shops, sales)
    wrote_s = time.perf_counter() - began
    centre.engine.dispose()
    program = Path(sys.prefix) / "bin" / "settlement"
    command = [program, "ledger", "rebuild", "--config", "settlement.yaml", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["events"] >= 2 * sales
    return {
        "events": said["events"],
        "rebuilt_per_s": said["events_per_s"],
        "written_per_s": round(said["events"] / wrote_s),
        "sha256": said["sha256_anew"],
    }


def _sell(centre: Centre, shops: list[books.BenchShop], sales: int) -> None:
    """Place holds and report each paid, a batch of the one after a batch of the other."""
    writer = Writer(centre.engine, centre.setting, centre.now_ms, _raise)
    for first in range(0, sales, BATCH):
        people = range(first, min(first + BATCH, sales))
        promises = _take(writer, list(books.hold_commands(centre, shops, people)))
        reports = []
        for shop, promise in zip(shops, promises, strict=False):
            assert isinstance(promise, Signed)
            assert promise.typ == v1.PROMISE
            sealed = seal.seal(promise.typ, promise.payload, centre.keys.signing(promise.kid))
            paid = shop.device.chain(shop.device.paid(sealed))
            upload = shop.device.upload([paid])
            entries = tuple(
                read_entry(shop.device.name, 1, one, centre.keys.public()) for one in upload.entries
            )
            stated = Stated(upload.upload_no, upload.statement, upload.refused)
            reports.append(TakeUpload(shop.device.name, 1, entries, stated))
        _take(writer, reports)


def _take(writer: Writer, commands: list[Command]) -> list[Answer]:
    waiting: list[Promised[Answer]] = [Promised() for _ in commands]
    writer._take(list(zip(commands, waiting, strict=True)))
    return [one.wait(0) for one in waiting]


def _raise(wrong: BaseException) -> None:
    raise wrong
