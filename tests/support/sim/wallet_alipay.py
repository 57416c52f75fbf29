"""How does Alipay answer in a world?"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import structs
from story.shop_files import ROOT, with_values

from sim.network import Came, Sent, Service
from sim.signatures import cheap
from sim.wallet import EVERY_WALLETS_FAULTS, PASSWORD_MS, Move, Request, ScanRefused, Shown, Wallet
from terminal_agent.channels.alipay_keys import ByCertificate
from terminal_agent.channels.wallets import AlipayChannel, Channel
from terminal_agent.emulators import alipay_orders, alipay_shown
from terminal_agent.emulators.alipay_bill import trade_bill
from terminal_agent.emulators.alipay_books import AlipayBooks
from terminal_agent.emulators.alipay_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.alipay_http import (
    _METHODS,
    GATEWAY,
    AlipayServer,
    _bytes_of,
    _envelope,
    _read_json,
    _spoilt,
)
from terminal_agent.emulators.alipay_signing import Keys, doubt_of, open_keys
from terminal_agent.emulators.faults import Faults, Struck

APP_ID, ACCOUNT = "EMU0000000000001", "EMU20880000000156"
_BACK = ("cancel", "refund")


class AlipayInHere(Wallet):
    """Alipay of one application, in either mode."""

    name = "alipay"
    url = "http://127.0.0.1:8701"
    layout, file_name, merchant = "alipay_bill", "alipay-{date}.csv.zip", ACCOUNT
    makes_code, code_begins = "show", "https://qr.alipay.com/"
    refund_refused = {"fault": "declined", "on": "refund", "code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"}  # noqa: RUF012
    too_late = {"fault": "declined", "on": "cancel", "code": "ACQ.TRADE_CANCEL_TIME_OUT"}  # noqa: RUF012
    faults_known = (
        *EVERY_WALLETS_FAULTS,
        {"fault": "previous_answer"},
        {"fault": "unknown_certificate"},
        {"fault": "other_bytes"},
        {"fault": "doubled_member"},
        refund_refused,
        too_late,
        {"fault": "lost_answer", "on": "cancel"},
        {"fault": "cancel_lost"},
        {"fault": "declined", "on": "show"},
        {"fault": "lost_answer", "on": "show"},
    )

    def __init__(self, keys: Keys, folder: Path, service: Service, note: Callable[[str, str], None]) -> None:
        super().__init__(service, note)
        self.books = AlipayBooks(folder / "alipay.jsonl")
        self.faults = Faults(KNOWN, TARGETS, QUESTIONS)
        self._keys = keys
        if keys.certificates:
            note(self.name, "both sides name certificates")
        self._said: dict[str, bytes] = {}
        self._server: Any = AlipayServer.__new__(AlipayServer)
        self._server._books, self._server._password_ms = self.books, PASSWORD_MS

    @staticmethod
    def keys_in(folder: Path) -> Keys:
        """Return both sides' keys, made in a folder. They sign cheaply, as the tills' do."""
        keys = open_keys(folder, certificates=False)
        return replace(keys, **cheap(keys, "merchant", "platform", "stranger"))

    @classmethod
    def profile(cls, keys: Keys, rhythm: dict[str, int]) -> str:
        """Return the application's profile as shop IT would have written it."""
        mine = {"gateway": f"{cls.url}{GATEWAY}", "app_id": APP_ID, **keys.files()}
        return with_values((ROOT / "config/channels/alipay.yaml").read_text(), {**mine, **rhythm})

    def configured(self, channel: Channel) -> Channel:
        """Return an agent's channel in this application's mode."""
        if not self._keys.certificates:
            return channel
        assert isinstance(channel, AlipayChannel)
        keys = ByCertificate(**{name: Path(file) for name, file in self._keys.files().items()})
        return structs.replace(channel, profile=structs.replace(channel.profile, keys=keys))

    def new_code(self, chance: random.Random) -> str:
        """Return a payment code as a shopper's phone shows it."""
        return f"28{chance.randrange(10**16):016d}"

    def scan(self, code: str) -> None:
        """Be the shopper who scans a code that we show and pays. Raises ScanRefused."""
        try:
            alipay_shown.scan(self.books, code)
        except alipay_shown.ScanRefused as refused:
            raise ScanRefused(str(refused)) from None

    def moves(self) -> Iterator[Move]:
        """Yield all money that moved, in order."""
        for line in self.books.lines:
            if line.kind == "pay" or line.kind in _BACK:
                at = datetime.fromisoformat(f"{line.at}+08:00")
                fen = -line.fen if line.kind in _BACK else line.fen
                yield Move(line.out_trade_no, fen, round(at.timestamp() * 1000))

    def shown(self) -> Iterator[Shown]:
        """Yield every code that was made for a shopper to scan."""
        for line in self.books.lines:
            if line.kind == "shown":
                yield Shown(line.out_trade_no, line.due_ms)

    def file(self, day: str) -> bytes | None:
        """Return the trade bill of a day."""
        return trade_bill(self.books.lines, day, ACCOUNT)

    def call_of(self, sent: Sent) -> str:
        """Return the call's name, as in alipay.trade.pay."""
        return dict(parse_qsl(urlsplit(sent.path).query)).get("method", "")

    def hear(self, sent: Sent) -> Request | Came:
        """Return what a request asks for, or the answer to one that is not signed rightly."""
        query, body = urlsplit(sent.path).query, sent.body.decode("latin-1")
        parameters = dict(parse_qsl(f"{query}&{body}", keep_blank_values=True))
        method, doubt = parameters["method"], doubt_of(self._keys, APP_ID, parameters)
        if doubt is not None:
            return self._signed(method, alipay_orders.failed(doubt, "", "40002"), Struck({}))
        content = _read_json(parameters["biz_content"])
        assert content is not None
        target = _METHODS[method]
        return Request(target, method, lambda struck: self._server.work(target, content, struck))

    def instead(self, request: Request, struck: Struck) -> Any:
        """Return what is answered although nothing is done; None when it is done."""
        undone = "system_error" in struck and not struck.flag("system_error", "charged")
        return _unsure() if undone else None

    def worded(self, answer: Any, struck: Struck) -> Any:
        """Return what is said of what was done."""
        return _unsure() if "system_error" in struck else answer

    def say(self, request: Request, answer: Any, struck: Struck) -> Came:
        """Return the signed answer."""
        return self._signed(request.form, answer, struck)

    def told(self, line: Any) -> str:
        """Return a line of the books in words."""
        return f"{line.kind} {line.fen} fen, {line.out_trade_no} {line.out_request_no}"

    def _signed(self, method: str, answer: Any, struck: Struck) -> Came:
        signed = _bytes_of(_spoilt(answer, struck))
        if "garbage" in struck:
            signed = b'{"code":"10000' + b"\xff" + b'"}'
        order_no = alipay_orders.text_of(answer, "out_trade_no")
        others = [one for no, one in self._said.items() if no != order_no]
        if "previous_answer" in struck and others:
            signed = others[-1]
        elif order_no:
            self._said.pop(order_no, None)
            self._said[order_no] = signed
        return Came(200, {}, _envelope(self._keys, f"{method.replace('.', '_')}_response", signed, struck))


def _unsure() -> Any:
    return {**alipay_orders.answer("20000"), "sub_code": "isp.unknow-error", "sub_msg": "系统繁忙"}
