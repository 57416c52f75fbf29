"""How is the emulated acquirer host put together, started and stopped?"""

import json
import re
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from terminal_agent.emulators.acquirer_file import read_date, settlement_file
from terminal_agent.emulators.acquirer_zm import zm_file
from terminal_agent.emulators.control import Body, BodyRefused, Control, Route, Text, read_lines
from terminal_agent.emulators.faults import Faults, read_wish
from terminal_agent.emulators.host import Host, Ways
from terminal_agent.emulators.host_books import HostBooks
from terminal_agent.emulators.host_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.host_line import HostLine

_MERCHANT_NO = re.compile(r"[0-9A-Z]{15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said. `tmk` is the terminals' master key, 16 bytes."""

    port: int
    books: Path
    control_port: int
    tmk: bytes
    work_ms: int
    faults: Sequence[str]
    ways: Ways


def run_host(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable or OSError before it is ready."""
    faults = Faults(KNOWN, TARGETS, QUESTIONS)
    for wish in settings.faults:
        faults.arm(read_wish(wish, KNOWN))
    stopped = threading.Event()
    with ExitStack() as stack:
        books = HostBooks(settings.books)
        stack.callback(books.close)
        line = HostLine(
            settings.port, Host(books, settings.tmk, settings.ways), faults, settings.work_ms / 1000
        )
        stack.callback(line.close)
        control = Control(settings.control_port, _routes(line, faults, books), KNOWN)
        stack.callback(control.close)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        print(json.dumps({"ready": True, "address": line.address, "control": control.address}), flush=True)
        stopped.wait()


def _routes(line: HostLine, faults: Faults, books: HostBooks) -> dict[tuple[str, str], Route]:
    def show_faults(_: Body) -> object:
        known = {name: kind.does for name, kind in KNOWN.items()}
        return {"faults": line.alone(faults.show), "known": known}

    def arm(body: Body) -> object:
        line.alone(lambda: faults.arm(body))
        return {"faults": line.alone(faults.show)}

    def clear(_: Body) -> object:
        line.alone(faults.clear)
        return {"faults": []}

    def show_books(query: Body) -> object:
        return line.alone(lambda: read_lines(query, books.lines))

    def show_file(query: Body) -> object:
        day = read_date(query)
        return Text(line.alone(lambda: settlement_file(books.standing, day)), "text/csv; charset=utf-8")

    def show_zm(query: Body) -> object:
        asked = dict(query)
        merchant_no = asked.pop("merchant_no", "")
        day = read_date(asked)
        if not isinstance(merchant_no, str) or _MERCHANT_NO.fullmatch(merchant_no) is None:
            raise BodyRefused("write ?date=2026-01-31&merchant_no=EMU000000000001")
        content = line.alone(lambda: zm_file(books.standing, day, merchant_no))
        return Text(content or "", "text/plain; charset=us-ascii")

    def settle(body: Body) -> object:
        tid = body.get("terminal_no")
        if set(body) != {"terminal_no"} or not isinstance(tid, str):
            raise BodyRefused('write {"terminal_no": "EMU00001"}')
        closed = line.alone(lambda: books.settle(tid, ""))
        return {"closed": closed.batch, "fen": closed.fen, "open": line.alone(lambda: books.batch(tid))}

    return {
        ("GET", "/faults"): show_faults,
        ("POST", "/faults"): arm,
        ("DELETE", "/faults"): clear,
        ("GET", "/books"): show_books,
        ("GET", "/file"): show_file,
        ("GET", "/zm"): show_zm,
        ("POST", "/settle"): settle,
    }
