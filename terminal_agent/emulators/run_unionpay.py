"""How is the emulated UnionPay put together, started and stopped?"""

import json
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from terminal_agent.emulators.acquirer_file import read_date
from terminal_agent.emulators.control import Body, BodyRefused, Control, Route, Text, read_nothing, read_text
from terminal_agent.emulators.control_routes import shared_routes
from terminal_agent.emulators.faults import Faults, read_wish
from terminal_agent.emulators.unionpay_books import UnionPayBooks
from terminal_agent.emulators.unionpay_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.unionpay_http import UnionPayServer
from terminal_agent.emulators.unionpay_orders import Orders, ScanRefused
from terminal_agent.emulators.unionpay_signing import NAME, open_keys

TERM_ID = "EMU00001"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said."""

    port: int
    books: Path
    keys: Path
    control_port: int
    mer_id: str
    password_ms: int
    faults: Sequence[str]


def run_unionpay(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable, KeysUnusable or OSError before."""
    faults = Faults(KNOWN, TARGETS, QUESTIONS)
    for wish in settings.faults:
        faults.arm(read_wish(wish, KNOWN))
    stopped = threading.Event()
    with ExitStack() as stack:
        keys = open_keys(settings.keys)
        books = UnionPayBooks(settings.books)
        stack.callback(books.close)
        orders = Orders(settings.mer_id, books, settings.password_ms)
        server = UnionPayServer(settings.port, settings.mer_id, TERM_ID, keys, books, orders, faults)
        stack.callback(server.close)
        control = Control(settings.control_port, _routes(server, faults, books, orders), KNOWN)
        stack.callback(control.close)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        ready = {
            "ready": True,
            "base_url": server.address,
            "control": control.address,
            "mer_id": settings.mer_id,
            "term_id": TERM_ID,
            "certificate": keys.file("merchant.cer"),
            "private_key": keys.file("merchant_key.pem"),
            "root": keys.file("root.cer"),
            "middle": keys.file("middle.cer"),
            "name": NAME,
        }
        print(json.dumps(ready), flush=True)
        stopped.wait()


def _routes(
    server: UnionPayServer, faults: Faults, books: UnionPayBooks, orders: Orders
) -> dict[tuple[str, str], Route]:
    def scan(body: Body) -> object:
        code = read_text(body, "code")
        try:
            return server.alone(lambda: orders.scan(code))
        except ScanRefused as refusal:
            raise BodyRefused(str(refusal)) from None

    def settle(body: Body) -> object:
        read_nothing(body)
        return {"settled_up_to": server.alone(orders.settle)}

    def change_certificate(body: Body) -> object:
        read_nothing(body)
        server.alone(server.change_certificate)
        return {}

    def show_file(query: Body) -> object:
        day = read_date(query)
        content = server.alone(lambda: server.file_of(day))
        return Text(content or "", "text/plain; charset=us-ascii")

    return {
        **shared_routes(KNOWN, server, faults, lambda: books.lines),
        ("POST", "/scan"): scan,
        ("POST", "/settle"): settle,
        ("POST", "/certificate"): change_certificate,
        ("GET", "/file"): show_file,
    }
