"""How does the centre answer when it is offered five times what it can do?

In turns on one server: as fast as answers come with 32 in flight, which gives the usual rate and its 99th
percentile; then five times that rate from 160 connections, whatever comes back. What is accepted should take
little longer than usual, and what is not should hear so at once. Afterwards the books hold every promise.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import books_for_bench as books
import holds
from sqlalchemy import text
from story.processes import Process, answers, free_port, wait_for

from settlement.db.connection import reading
from settlement.ledger import read_books

TIMES = 5
CONNECTIONS = 160
_ENOUGH = 2_000_000


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the bench's result."""
    rounds, normal, seconds = (1, 1_500, 2) if asked.quick else (5, 4_000, 5)
    folder = Path(tempfile.mkdtemp(prefix="bench-overload-", dir="/dev/shm" if asked.sync_ms else None))  # noqa: S108
    folder.chmod(0o711)
    try:
        with holds.cluster(folder, asked.sync_ms) as server:
            return Stage(folder, server.url(server.make())).measure(rounds, normal, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Stage:
    """The books, the service and the shops of one run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.centre = books.make_books(
            folder / "served",
            f'"{url}"',
            0,
            listen=f'"127.0.0.1:{self.port}"',
            holds_per_device_s="1000000",
        )
        self.shops = books.make_shops(self.centre, holds.IN_FLIGHT, _ENOUGH)
        self.people = 0
        self.promised = 0
        self.service = Process(
            folder / "served", "centre", ["settlement", "serve", "--config", "settlement.yaml"]
        )

    def measure(self, rounds: int, normal: int, seconds: int) -> dict[str, Any]:
        """Return the result of `rounds` turns, after a short one that warms everything up."""
        self.service.start()
        try:
            wait_for("the centre", lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))
            self._send(1_000, 0)
            memory = [holds.resident_mib(self.service.pid)]
            turns = []
            for _ in range(rounds):
                turns.append(self._turn(normal, seconds))
                memory.append(holds.resident_mib(self.service.pid))
        finally:
            self.service.stop()
        middle = {name: statistics.median(one[name] for one in turns) for name in turns[0]}
        figures: dict[str, Any] = {
            "usual_holds_per_s": round(middle["usual_per_s"]),
            "usual_p50_ms": middle["usual_p50_ms"],
            "usual_p99_ms": middle["usual_p99_ms"],
            "offered_per_s": round(middle["offered_per_s"]),
            "accepted_per_s": round(middle["accepted_per_s"]),
            "accepted_p50_ms": middle["accepted_p50_ms"],
            "accepted_p99_ms": middle["accepted_p99_ms"],
            "refused_per_s": round(middle["refused_per_s"]),
            "refused_p50_ms": middle["refused_p50_ms"],
            "refused_p99_ms": middle["refused_p99_ms"],
            "not_sent_share": round(middle["not_sent_share"], 3),
            "ratio_each_round": [round(one["ratio"], 2) for one in turns],
            "memory_mib": memory,
            "books_true": self._are_books_true(),
            "rounds": rounds,
            "seconds_each": seconds,
        }
        return {
            "name": "overload",
            "ratio": round(middle["ratio"], 3),
            "better": "lower",
            "against": f"p99 of a hold with {holds.IN_FLIGHT} in flight; this at {TIMES} times that rate",
            "figures": figures,
        }

    def _turn(self, usual: int, seconds: int) -> dict[str, float]:
        """Return the figures of one round."""
        calm = self._send(usual, 0)
        rate = calm["kinds"]["promise"] / calm["wall_s"]
        offered = round(rate * TIMES)
        storm = self._send(offered * seconds, offered)
        assert set(storm["kinds"]) <= {"promise", "503"}, storm["kinds"]
        accepted, refused = storm["ms"]["promise"], storm["ms"].get("503", {"p50": 0.0, "p99": 0.0})
        return {
            "ratio": accepted["p99"] / calm["ms"]["promise"]["p99"],
            "usual_per_s": rate,
            "usual_p50_ms": calm["ms"]["promise"]["p50"],
            "usual_p99_ms": calm["ms"]["promise"]["p99"],
            "offered_per_s": offered,
            "accepted_per_s": storm["kinds"]["promise"] / storm["wall_s"],
            "accepted_p50_ms": accepted["p50"],
            "accepted_p99_ms": accepted["p99"],
            "refused_per_s": storm["kinds"].get("503", 0) / storm["wall_s"],
            "refused_p50_ms": refused["p50"],
            "refused_p99_ms": refused["p99"],
            "not_sent_share": storm["not_sent"] / (offered * seconds),
        }

    def _send(self, count: int, rate: int) -> dict[str, Any]:
        """Send `count` holds of new people, `rate` a second or, with 0, as fast as answers come."""
        people = range(self.people, self.people + count)
        self.people += count
        books.add_people(self.centre, people)
        file = self.folder / "requests"
        with file.open("wb") as out:
            for place, person in enumerate(people):
                request = holds.signed(self.shops[place % len(self.shops)], person, place)
                out.write(len(request).to_bytes(4, "big") + request)
        load = [sys.executable, Path(__file__).with_name("load.py"), "127.0.0.1", str(self.port), file]
        how = [str(CONNECTIONS), str(rate)] if rate else [str(holds.IN_FLIGHT)]
        done = subprocess.run([*load, *how], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        self.promised += found["kinds"].get("promise", 0)
        return found

    def _are_books_true(self) -> bool:
        """Whether the books are true and hold exactly what was promised."""
        with reading(self.centre.engine) as connection:
            held = connection.execute(text("SELECT count(*) FROM record WHERE state = 'HELD'")).scalar_one()
            return not list(read_books.faults(connection)) and held == self.promised
