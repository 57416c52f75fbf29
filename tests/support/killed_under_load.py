"""Is anything that the centre has acknowledged lost or doubled when it is killed under load, again and again?

A real `settlement serve`, on a file or on a PostgreSQL server of its own; shops that sell, report and take
goods back, each in a thread; and somebody who kills the service or the server in any moment.
"""

import contextlib
import itertools
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres
from centre import fund
from real_centre import RealCentre
from remembering_shop import RememberingShop
from sqlalchemy import text

from settlement.app import Centre
from settlement.db.connection import reading, writing
from settlement.ledger import read_books
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Qualification
from subsidy.policy.split import Part

SHOPS = 5
_PEOPLE_A_KILL = 60
_MUCH = tuple(Part(name, 1_000_000_000_000) for name in ("central", "province", "city", "county"))
# What may have become of a sale that the shop was told stands there.
_SINCE = {
    "HELD": {"HELD", "RELEASED", "PAYABLE", "RETURNED", "BLOCKED"},
    "PAID HERE": {"HELD", "PAYABLE", "RETURNED", "BLOCKED"},
    "RELEASED": {"RELEASED"},
    "PAYABLE": {"PAYABLE", "BLOCKED", "RETURNED"},
    "RETURNED": {"RETURNED"},
}


class Report:
    """What was done and what was found. `lost` and `doubled` name each one."""

    def __init__(self) -> None:
        self.kills: dict[str, int] = {}
        self.lost: set[str] = set()
        self.doubled: set[str] = set()
        self.faults: list[str] = []
        self.rebuilt: bool | None = None

    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or untrue."""
        return not (self.lost or self.doubled or self.faults) and self.rebuilt is not False


def run(times: int, database: str, seed: int) -> dict[str, Any]:
    """Kill `times` times and return the report; `good` says whether everything held."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kill-centre-"))
    folder.chmod(0o755)
    report = Report()
    try:
        with _server(database) as server:
            url = None if server is None else server.url(server.make())
            centre = RealCentre(folder, url)
            fund(centre.centre, _MUCH, "much")
            with centre:
                shops = _open_shops(centre, times, seed)
                _kill_under_load(centre, server, shops, times, random.Random(seed), report)
                _check(centre.centre, shops, report, is_over=True)
            report.rebuilt = _is_rebuilt_the_same(centre)
    finally:
        shutil.rmtree(folder)
    return {
        "good": report.is_good(),
        "database": database,
        "seed": seed,
        "kills": report.kills,
        "holds_acknowledged": sum(len(one.told) for one in shops),
        "entries_acknowledged": sum(len(one.acked) for one in shops),
        "refused": sum(len(one.refused) for one in shops),
        "asked_again": sum(one.asked_again for one in shops),
        "lost": len(report.lost),
        "doubled": len(report.doubled),
        "faults": [*sorted(report.lost), *sorted(report.doubled), *report.faults][:20],
        "rebuilt_the_same": report.rebuilt,
        "seconds": round(time.monotonic() - began, 1),
    }


@contextlib.contextmanager
def _server(database: str) -> Iterator[postgres.Cluster | None]:
    if database == "sqlite":
        yield None
        return
    with postgres.own() as server:
        yield server


def _open_shops(centre: RealCentre, times: int, seed: int) -> list[RememberingShop]:
    """Return shops with people enough to sell to."""
    shops, rows = [], Rows()
    for number in range(SHOPS):
        people = [f"FIRE-{number}-{one:06d}" for one in range((times + 2) * _PEOPLE_A_KILL)]
        for code in people:
            index = centre.keys.qualification_index(code)
            rows.put(Qualification(index, f"{number}{code[-6:]:0>31}", "FRIDGE", 0, 2**50, None))
        shops.append(RememberingShop(centre.device(f"shop {number}"), people, seed * SHOPS + number))
    with writing(centre.centre.engine) as connection:
        store.write(connection, rows, ())
    return shops


def _kill_under_load(
    centre: RealCentre,
    server: postgres.Cluster | None,
    shops: list[RememberingShop],
    times: int,
    chance: random.Random,
    report: Report,
) -> None:
    over = threading.Event()
    threads = [threading.Thread(target=one.work, args=(over,)) for one in shops]
    for thread in threads:
        thread.start()
    try:
        for _ in range(times):
            time.sleep(chance.uniform(0.05, 0.8))
            what = chance.choice(("service",) if server is None else ("service", "quit", "kill", "both"))
            report.kills[what] = report.kills.get(what, 0) + 1
            _kill(centre, server, what)
            _check(centre.centre, shops, report, is_over=False)
        time.sleep(0.5)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    report.faults += [wrong for one in shops for wrong in one.wrong]


def _kill(centre: RealCentre, server: postgres.Cluster | None, what: str) -> None:
    """Kill the service, the server, or both, and start again what is dead."""
    if what in ("service", "both"):
        centre.kill()
    if server is not None and what != "service":
        if what == "quit":
            server.kill()
        else:
            server.kill_every_process()
        server.start()
    if what in ("service", "both"):
        centre.restart()
    else:
        centre.wait_ready()


def _check(centre: Centre, shops: list[RememberingShop], report: Report, is_over: bool) -> None:
    """Hold the books against what the shops have been told until now."""
    told = {name: (one, one.state) for shop in shops for name, one in dict(shop.told).items()}
    acked = {(shop.device, seq): said for shop in shops for seq, said in dict(shop.acked).items()}
    with reading(centre.engine) as connection:
        report.faults += read_books.faults(connection)
        records = {
            row.record_id: row
            for row in connection.execute(text("SELECT record_id, state, why, promise FROM record"))
        }
        entries = [
            ((row.device, row.seq), row.hash)
            for row in connection.execute(
                text("SELECT device, seq, hash FROM entry_row WHERE answer = 'accepted'")
            )
        ]
        report.doubled |= {
            f"{row.record_id}: {row.happening} twice"
            for row in connection.execute(
                text(
                    "SELECT e.record_id, p.happening FROM posting p JOIN event e ON e.event_no = p.event_no "
                    "WHERE e.record_id IS NOT NULL "
                    "GROUP BY e.record_id, p.happening HAVING count(DISTINCT e.event_no) > 1"
                )
            )
        }
        held_fen = sum(
            fen for slot, fen in read_books.balances(connection).items() if slot[1].value == "held"
        )
        bad = connection.execute(
            text("SELECT count(*) FROM balance WHERE fen < 0 AND account IN ('available', 'held', 'payable')")
        ).scalar_one()
    if bad:
        report.faults.append(f"{bad} balances are negative")
    for place, found in itertools.groupby(sorted(entries), key=lambda one: one[0]):
        if len(list(found)) > 1:
            report.doubled.add(f"entry {place} stands twice")
    kept = dict(entries)
    report.lost |= {f"entry {place}" for place, (digest, _) in acked.items() if kept.get(place) != digest}
    for name, (one, state) in told.items():
        row = records.get(name)
        if row is None or bytes(row.promise) != one.payload:
            report.lost.add(f"promise {name}")
        elif row.state not in _SINCE[state] or (is_over and row.state != state):
            report.faults.append(f"{name} is {row.state} ({row.why}); its shop was told {state}")
    if not is_over:
        return
    if strangers := records.keys() - told.keys():
        report.doubled |= {f"{name} is nobody's" for name in strangers}
    if held_fen != sum(one.promise.amounts.subsidy_fen for one, state in told.values() if state == "HELD"):
        report.faults.append(f"{held_fen} fen are held, not what the open promises come to")


def _is_rebuilt_the_same(centre: RealCentre) -> bool | None:
    """Whether the books built again from their events are the same; None where there is no such command."""
    if centre.command("ledger", "rebuild", "--help").returncode != 0:
        return None
    return centre.command("ledger", "rebuild", "--check").returncode == 0
