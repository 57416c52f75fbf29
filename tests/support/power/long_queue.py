"""How does an agent start, and come up with the centre again, when very much waits in its outbox?"""

import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests
from audit import disagreements
from killing_proxy import cut
from lone_agent import LoneAgent
from power.kinds import Piece
from quiet_till import ENROLLED
from real_centre import RealCentre
from shop import Shop
from story.processes import answers, wait_for
from unit_shop import UnitShop

from terminal_agent.journal import outbox
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.open import open_journal

_SALES_A_COMMIT = 500
_MUCH = 100_000
# Of processor time, so that a busy machine makes no difference. By the clock the goal is 3 s.
_START_S = 1.5
# As many as there are people enough for at one centre of these tests.
_DAYS, _SALES_A_DAY = 30, 30


def fill(journal: Path, entries: int) -> None:
    """Put so many sales into a journal, each like one that was really made, whose entries wait."""
    with tempfile.TemporaryDirectory() as folder:
        shop = UnitShop(Path(folder))
        sold = shop.sell()
        tables = ("sale", "attempt", "move", "idempotency_key")
        rows = {
            name: shop.rows(f"SELECT * FROM {name} WHERE record_id = ?", sold.record_id) for name in tables
        }
        ((body,),) = shop.rows("SELECT body FROM outbox WHERE record_id = ?", sold.record_id)
        names = {name: [one[1] for one in shop.rows(f"PRAGMA table_info({name})")] for name in tables}
        shop.connection.close()
    db = open_journal(journal)
    for first in range(0, entries, _SALES_A_COMMIT):
        db.execute("BEGIN IMMEDIATE")
        for number in range(first, min(first + _SALES_A_COMMIT, entries)):
            _copy(db, sold.record_id, f"{number:08d}", names, rows, body, number + 1)
        db.commit()
    db.close()


def _copy(
    db: JournalConnection,
    old: str,
    mark: str,
    names: dict[str, list[str]],
    rows: dict[str, list[tuple[Any, ...]]],
    body: bytes,
    number: int,
) -> None:
    """Write one more sale like the one that was made, under an id of its own."""
    new = old[:-8] + mark
    own = {"serial_no", "qualification", "pay_ref", "key_mac"}
    for table, found in rows.items():
        for row in found:
            values = []
            for name, value in zip(names[table], row, strict=True):
                if name in own and value is not None:
                    value = f"{value}-{mark}"
                elif name == "hold_no":
                    value = number
                elif name == "no" and table == "move":
                    value = None
                values.append(value.replace(old, new) if isinstance(value, str) else value)
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    seq = outbox.next_number(db, "seq")
    outbox.next_number(db, "hold_no")
    before = db.execute("SELECT hash FROM outbox WHERE seq = ?", (seq - 1,)).fetchone()
    prev = before[0] if before else outbox.GENESIS
    content = body.replace(old.encode(), new.encode())
    digest = outbox.entry_hash(ENROLLED.device, ENROLLED.epoch, seq, prev, content)
    db.execute(
        "INSERT INTO outbox (seq, record_id, kind, prev, hash, body, made_ms) "
        "VALUES (?, ?, 'paid', ?, ?, ?, 0)",
        (seq, new, prev, digest, content),
    )


def start(entries: int) -> dict[str, Any]:
    """Kill an agent in whose outbox so many entries wait, and return the seconds until it can sell again."""
    folder = Path(tempfile.mkdtemp(prefix="long-queue-"))
    agent = LoneAgent(folder)
    try:
        fill(agent.journal_file, entries)
        took, worked = [], []
        for _ in range(3):
            began = time.monotonic()
            agent.process.start()
            wait_for("the agent", lambda: answers(f"{agent.url}/v1/status"), 120)
            took.append(round(time.monotonic() - began, 2))
            worked.append(_processor_s(agent.process.pid))
            depth = requests.get(f"{agent.url}/v1/status", timeout=30).json()["outbox"]["depth"]
            os.kill(agent.process.pid, signal.SIGKILL)
            agent.process.wait_dead()
        size = agent.journal_file.stat().st_size >> 20
        boxes = sum(one.stat().st_size for one in agent.journal_file.parent.glob("*.box")) >> 20
        return {
            "seconds": took,
            "processor_s": worked,
            "waiting": depth,
            "journal_mib": size,
            "black_box_mib": boxes,
        }
    finally:
        agent.process.stop()
        shutil.rmtree(folder)


def _processor_s(pid: int) -> float:
    """Return the processor's seconds that a process has used, which a busy machine makes no longer."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 2)


def drain(sales: int) -> dict[str, Any]:
    """Let so many sales pile up while the centre takes no records, then send them while a till sells."""
    folder = Path(tempfile.mkdtemp(prefix="long-drain-"))
    (folder / "centre").mkdir()
    (folder / "shop").mkdir()
    try:
        with RealCentre(folder / "centre") as centre, Shop.open(folder / "shop", centre, set()) as shop:
            shop.proxy.always("records", cut)
            for _ in range(sales):
                assert shop.sell("FRIDGE")["state"] == "paid"
            piled = shop.waiting()
            over, sold = threading.Event(), []

            def sell_on() -> None:
                while not over.is_set():
                    sold.append(shop.sell("AC", till="02")["record_id"])

            seller = threading.Thread(target=sell_on)
            seller.start()
            shop.proxy.clear()
            began = time.monotonic()
            wait_for("the first of the queue", lambda: shop.waiting() < piled / 2, 120)
            meanwhile = len(sold)
            over.set()
            seller.join()
            shop.wait_for_empty_outbox()
            seconds = round(time.monotonic() - began, 2)
            shop.agent.stop()
            journal = shop.journal()
            wrong = disagreements(shop, journal)
            wrong += [
                f"{one['record_id']} is not told" for one in journal.outbox if one["answer"] != "accepted"
            ]
            return {
                "piled_up": piled,
                "sold_meanwhile": meanwhile,
                "sent": len(journal.outbox),
                "seconds": seconds,
                "wrong": wrong,
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def piece_of_starts(_seed: int) -> Piece:
    """Start with very much waiting, in little of the processor's time."""
    found = start(_MUCH)
    wrong = [] if found["waiting"] == _MUCH else [f"{found['waiting']} wait, not {_MUCH}"]
    if max(found["processor_s"]) > _START_S:
        wrong.append(f"a start took {max(found['processor_s'])} s of processor time, not {_START_S}")
    saw = {
        "ms at the slowest of three": round(max(found["seconds"]) * 1000),
        "ms of processor": round(max(found["processor_s"]) * 1000),
        "MiB of journal": found["journal_mib"],
        "MiB of black box": found["black_box_mib"],
    }
    return Piece(f"{_MUCH} entries", 1, wrong, saw)


def piece_of_drains(_seed: int) -> Piece:
    """Let a month's sales pile up, and send them."""
    found = drain(_DAYS * _SALES_A_DAY)
    saw = {name: found[name] for name in ("piled_up", "sold_meanwhile", "sent")}
    return Piece(f"{_DAYS} days of {_SALES_A_DAY} sales", found["piled_up"], found["wrong"], saw)
