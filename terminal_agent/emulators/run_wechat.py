"""How is the emulated WeChat Pay put together, started and stopped?"""

import json
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from terminal_agent.emulators.acquirer_file import read_date
from terminal_agent.emulators.control import Body, BodyRefused, Control, Route, Text, read_text
from terminal_agent.emulators.control_routes import shared_routes
from terminal_agent.emulators.faults import Faults, read_wish
from terminal_agent.emulators.wechat_bill import empty_bill, trade_bill
from terminal_agent.emulators.wechat_books import WechatBooks
from terminal_agent.emulators.wechat_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.wechat_http import WechatServer
from terminal_agent.emulators.wechat_orders import Orders, Waits
from terminal_agent.emulators.wechat_renewal import read_renewal, renew
from terminal_agent.emulators.wechat_shown import ScanRefused, ShownOrders
from terminal_agent.emulators.wechat_signing import open_keys


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said."""

    port: int
    books: Path
    keys: Path
    control_port: int
    appid: str
    mchid: str
    password_ms: int
    refund_ms: int
    faults: Sequence[str]


def run_wechat(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable, KeysUnusable or OSError before."""
    faults = Faults(KNOWN, TARGETS, QUESTIONS)
    for wish in settings.faults:
        faults.arm(read_wish(wish, KNOWN))
    stopped = threading.Event()
    with ExitStack() as stack:
        keys = open_keys(settings.keys)
        books = WechatBooks(settings.books)
        stack.callback(books.close)
        orders = Orders(
            settings.appid, settings.mchid, books, Waits(settings.password_ms, settings.refund_ms)
        )
        shown = ShownOrders(orders, books)
        server = WechatServer(
            settings.port, settings.appid, settings.mchid, keys, books, orders, shown, faults
        )
        stack.callback(server.close)
        control = Control(settings.control_port, _routes(settings, server, faults, books, shown), KNOWN)
        stack.callback(control.close)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        ready = {
            "ready": True,
            "base_url": server.address,
            "control": control.address,
            "appid": settings.appid,
            "mchid": settings.mchid,
            "merchant_serial": keys.serial,
            "merchant_key": str(keys.merchant_file),
            "merchant_certificate": str(keys.certificate_file),
            "platform_key_id": keys.platform_id,
            "platform_key": str(keys.platform_file),
        }
        print(json.dumps(ready), flush=True)
        stopped.wait()


def _routes(
    settings: Settings, server: WechatServer, faults: Faults, books: WechatBooks, shown: ShownOrders
) -> dict[tuple[str, str], Route]:
    def scan(body: Body) -> object:
        code = read_text(body, "code")
        try:
            return server.alone(lambda: shown.scan(code))
        except ScanRefused as refusal:
            raise BodyRefused(str(refusal)) from None

    def renewed(body: Body) -> object:
        what, keep_old = read_renewal(body)

        def renew_it() -> object:
            server.keys, said = renew(server.keys, what, keep_old=keep_old)
            return said

        return server.alone(renew_it)

    def show_file(query: Body) -> object:
        day = read_date(query)
        bill = server.alone(lambda: trade_bill(books.lines, day, settings.appid, settings.mchid))
        return Text((bill or empty_bill()).decode(), "text/csv; charset=utf-8")

    return {
        **shared_routes(KNOWN, server, faults, lambda: books.lines),
        ("POST", "/scan"): scan,
        ("POST", "/renew"): renewed,
        ("GET", "/file"): show_file,
    }
