"""How is the emulated Alipay put together, started and stopped?"""

import json
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from terminal_agent.emulators import alipay_shown
from terminal_agent.emulators.acquirer_file import read_date
from terminal_agent.emulators.alipay_bill import trade_bill
from terminal_agent.emulators.alipay_books import AlipayBooks
from terminal_agent.emulators.alipay_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.alipay_http import GATEWAY, AlipayServer
from terminal_agent.emulators.alipay_signing import open_keys
from terminal_agent.emulators.control import Body, BodyRefused, Control, File, Route, read_text
from terminal_agent.emulators.control_routes import shared_routes
from terminal_agent.emulators.faults import Faults, read_wish


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said."""

    port: int
    books: Path
    keys: Path
    control_port: int
    app_id: str
    account: str
    certificates: bool
    password_ms: int
    download_ms: int
    faults: Sequence[str]


def run_alipay(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable, KeysUnusable or OSError before."""
    faults = Faults(KNOWN, TARGETS, QUESTIONS)
    for wish in settings.faults:
        faults.arm(read_wish(wish, KNOWN))
    stopped = threading.Event()
    with ExitStack() as stack:
        keys = open_keys(settings.keys, settings.certificates)
        books = AlipayBooks(settings.books)
        stack.callback(books.close)
        server = AlipayServer(
            settings.port,
            settings.app_id,
            settings.account,
            keys,
            books,
            faults,
            settings.password_ms,
            settings.download_ms,
        )
        stack.callback(server.close)
        control = Control(settings.control_port, _routes(settings.account, server, faults, books), KNOWN)
        stack.callback(control.close)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        ready = {
            "ready": True,
            "gateway": f"{server.address}{GATEWAY}",
            "control": control.address,
            "app_id": settings.app_id,
            "account": settings.account,
            "keys": {"mode": "certificate" if settings.certificates else "public_key", **keys.files()},
        }
        print(json.dumps(ready), flush=True)
        stopped.wait()


def _routes(
    account: str, server: AlipayServer, faults: Faults, books: AlipayBooks
) -> dict[tuple[str, str], Route]:
    def show_file(query: Body) -> object:
        day = read_date(query)
        bill = server.alone(lambda: trade_bill(books.lines, day, account))
        if bill is None:
            raise BodyRefused(f"nothing moved on {day}: Alipay has no bill of such a day")
        return File(bill, "application/zip")

    def scan(body: Body) -> object:
        code = read_text(body, "code")
        try:
            return server.alone(lambda: alipay_shown.scan(books, code))
        except alipay_shown.ScanRefused as refusal:
            raise BodyRefused(str(refusal)) from None

    return {
        **shared_routes(KNOWN, server, faults, lambda: books.lines),
        ("POST", "/scan"): scan,
        ("GET", "/file"): show_file,
    }
