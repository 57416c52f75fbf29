"""Does a hold cost more when there have been many before it, or when there are many shops?

Books with a history of 10 thousand holds, then more of it loaded in the server, up to a million (`--most` for
another end); at each size the same number of new holds is placed. Counted are the CPU time of the writer's
thread, that of its PostgreSQL backend, and the pages that PostgreSQL looked at for a hold. Then the same with
one shop and with a thousand.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import books_for_bench as books
import holds as holds_bench
import postgres
from sqlalchemy import text

from settlement.app import Centre
from settlement.db.connection import reading
from settlement.system import Promised
from settlement.writer.writer import Writer

BATCH = 32
PARTS = 4
# What the history's rows say besides their keys. Their promises are short: what grows is the number of rows.
_HISTORY = (
    """INSERT INTO qualification
       SELECT 'h' || lpad(i::text, 31, '0'), 'hp' || lpad(i::text, 30, '0'), 'FRIDGE', 0, 1125899906842624,
              'hist-' || lpad(i::text, 31, '0') FROM generate_series({first}, {last}) i""",
    """INSERT INTO quota
       SELECT 'hp' || lpad(i::text, 30, '0'), 'FRIDGE', 2026, 1 FROM generate_series({first}, {last}) i""",
    """INSERT INTO serial
       SELECT 'history', 'SN' || lpad(i::text, 10, '0'), 'hist-' || lpad(i::text, 31, '0')
       FROM generate_series({first}, {last}) i""",
    """INSERT INTO hold_number
       SELECT 'history', 1, i, 'hist-' || lpad(i::text, 31, '0') FROM generate_series({first}, {last}) i""",
    """INSERT INTO record (record_id, state, device, epoch, hold_no, request_mac, merchant, shop, terminal_no,
         person, qualification, category, year, brand, gtin, serial_no, subsidy_fen, to_pay_fen, paid_fen,
         parts, money, promise, promise_kid, placed_at_ms, held_for_s, ended_ms, why, owner, blocks,
         recovered, pay_ref, goods_freed)
       SELECT 'hist-' || lpad(i::text, 31, '0'), 'PAID_OUT', 'history', 1, i, '', 'M001', 'S0031', 'EMU00001',
         'hp' || lpad(i::text, 30, '0'), 'h' || lpad(i::text, 31, '0'), 'FRIDGE', 2026, 'history',
         '6901230000012', 'SN' || lpad(i::text, 10, '0'), 43500, 241500, 241500,
         '[{{"funder":"central","fen":36975}},{{"funder":"city","fen":6525}}]', 'paid', '\\x7b7d', 'k',
         1770000000000 + i, 900, 1770000000000 + i, 'paid', '', '[]', 0, '', 0
       FROM generate_series({first}, {last}) i""",
    """INSERT INTO event
       SELECT {events} + i, 1770000000000 + i, 'hold_placed', '{{"history":' || i || '}}',
              'hist-' || lpad(i::text, 31, '0') FROM generate_series({first}, {last}) i""",
    """INSERT INTO posting
       SELECT {events} + i, line, 'hold_placed', 'funder' || line / 2, 'held', 2020, 1 - 2 * mod(line, 2), ''
       FROM generate_series({first}, {last}) i, generate_series(0, 7) line""",
)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the bench's result."""
    most = asked.most or (30_000 if asked.quick else 1_000_000)
    sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= most] or [most]
    count = 1_280 if asked.quick else 6_400
    folder = Path(tempfile.mkdtemp(prefix="bench-growth-"))
    folder.chmod(0o711)
    try:
        # What a vacuum reads meanwhile is no hold's.
        with holds_bench.cluster(folder, 0, autovacuum="off") as server:
            history = _by_history(server, folder, sizes, count)
            shops = _by_shops(server, folder, count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, last = history[str(sizes[0])], history[str(sizes[-1])]
    return {
        "name": "growth",
        "ratio": round(last["cpu_us_per_hold"] / first["cpu_us_per_hold"], 3),
        "better": "lower",
        "against": f"the same holds with {sizes[0]} earlier ones",
        "figures": {
            "earlier_holds": history,
            "pages_ratio": round(last["pages_per_hold"] / first["pages_per_hold"], 3),
            "shops": shops,
            "shops_ratio": round(shops["1000"]["cpu_us_per_hold"] / shops["1"]["cpu_us_per_hold"], 3),
            "holds_measured": count,
            "batch": BATCH,
        },
    }


def _by_history(server: postgres.Cluster, folder: Path, sizes: list[int], count: int) -> dict[str, Any]:
    url = server.url(server.make())
    centre = books.make_books(folder / "history", f'"{url}"', 0)
    shop = books.make_shops(centre, 32, (count + 640) * len(sizes))
    loaded, person, found = 0, 0, {}
    for size in sizes:
        began = time.perf_counter()
        with centre.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            newest = connection.exec_driver_sql("SELECT coalesce(max(event_no), 0) FROM event").scalar_one()
            for statement in _HISTORY:
                filled = statement.format(first=loaded + 1, last=size, events=newest - loaded)
                connection.exec_driver_sql(filled)
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.exec_driver_sql("CHECKPOINT")
        loaded = size
        load_s = time.perf_counter() - began
        books.add_people(centre, range(person, person + count + 640))
        one = measure(centre, shop, range(person, person + count + 640), 640)
        person += count + 640
        found[str(size)] = one | {"load_s": round(load_s, 1)}
    return found


def _by_shops(server: postgres.Cluster, folder: Path, count: int) -> dict[str, Any]:
    found = {}
    for shops in (1, 1000):
        url = server.url(server.make())
        people = count + 1280
        centre = books.make_books(folder / f"shops-{shops}", f'"{url}"', people)
        made = books.make_shops(centre, shops, people)
        found[str(shops)] = measure(centre, made, range(people), 1280)
    return found


def measure(centre: Centre, shops: list[books.BenchShop], people: range, warm: int) -> dict[str, Any]:
    """Place a hold for each of `people` in batches, and return what one cost after the first `warm`."""
    commands = list(books.hold_commands(centre, shops, people))
    writer = Writer(centre.engine, centre.setting, centre.now_ms, _complain)
    batches = [commands[start : start + BATCH] for start in range(0, len(commands), BATCH)]
    for batch in batches[: warm // BATCH]:
        _take(writer, batch)
    pid = _backend(writer)
    rest = batches[warm // BATCH :]
    # The least of several parts: other work on the machine only ever adds.
    ours, theirs, read = [], [], []
    for start in range(PARTS):
        part = rest[start::PARTS]
        pages = _pages(writer, centre)
        before = (time.thread_time(), _cpu_s(pid), pages)
        for batch in part:
            _take(writer, batch)
        spent = (time.thread_time(), _cpu_s(pid))
        after = (*spent, _pages(writer, centre))
        for found, later, earlier in zip((ours, theirs, read), after, before, strict=True):
            found.append((later - earlier) / sum(map(len, part)))
    writer._forget()
    return {
        "cpu_us_per_hold": round((min(ours) + min(theirs)) * 1e6, 1),
        "writer_us": round(min(ours) * 1e6, 1),
        "postgres_us": round(min(theirs) * 1e6, 1),
        "pages_per_hold": round(min(read), 1),
    }


def _take(writer: Writer, commands: list[Any]) -> None:
    waiting: list[Promised[Any]] = [Promised() for _ in commands]
    writer._take(list(zip(commands, waiting, strict=True)))
    assert all(one.wait(0).typ == "promise.v1" for one in waiting)


def _backend(writer: Writer) -> int:
    assert writer._connection is not None
    pid: int = writer._connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    return pid


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pages(writer: Writer, centre: Centre) -> int:
    # A backend tells what it did only now and then, or when it is asked to.
    assert writer._connection is not None
    with writer._connection.begin():
        writer._connection.execute(text("SELECT pg_stat_force_next_flush()"))
    time.sleep(0.2)
    query = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
    with reading(centre.engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


def _complain(wrong: BaseException) -> None:
    raise wrong
