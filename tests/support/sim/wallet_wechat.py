"""How does WeChat Pay answer in a world?"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from story.shop_files import wechat_profile

from sim.network import Came, Sent, Service
from sim.signatures import cheap
from sim.wallet import EVERY_WALLETS_FAULTS, PASSWORD_MS, Move, Request, ScanRefused, Shown, Wallet
from terminal_agent.emulators import wechat_shown
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.wechat_bill import trade_bill
from terminal_agent.emulators.wechat_books import WechatBooks
from terminal_agent.emulators.wechat_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.wechat_http import WechatServer, _spoilt
from terminal_agent.emulators.wechat_orders import Answer, Orders, Waits, problem
from terminal_agent.emulators.wechat_signing import Keys, doubt_of, open_keys, sign_answer

APPID, MCHID = "EMU0000000000000001", "EMU00000001"
_REFUND_MS = 20_000
_BACK = ("reversal", "refund")


class WechatInHere(Wallet):
    """WeChat Pay of one merchant."""

    name = "wechat"
    url = "http://127.0.0.1:8700"
    layout, file_name, merchant = "wechat_bill", "wechat-{date}.csv", MCHID
    makes_code, code_begins = "native", "weixin://"
    refund_refused = {"fault": "declined", "on": "refund"}  # noqa: RUF012
    too_late = {"fault": "declined", "on": "reverse", "code": "REVERSE_EXPIRE"}  # noqa: RUF012
    faults_known = (
        *EVERY_WALLETS_FAULTS,
        {"fault": "wrong_merchant"},
        {"fault": "stale_timestamp", "s": 400},
        {"fault": "refund_unknown", "ms": 60_000},
        refund_refused,
        too_late,
        {"fault": "lost_answer", "on": "reverse"},
        {"fault": "reverse_lost"},
        {"fault": "declined", "on": "native"},
        {"fault": "lost_answer", "on": "native"},
        {"fault": "lost_answer", "on": "close"},
        {"fault": "close_lost"},
        {"fault": "declined", "on": "close", "code": "SYSTEM_ERROR", "times": 2},
        {"fault": "not_paid_yet", "ms": 20_000},
        {"fault": "not_paid_yet", "ms": 70_000},
    )

    def __init__(self, keys: Keys, folder: Path, service: Service, note: Callable[[str, str], None]) -> None:
        super().__init__(service, note)
        self.books = WechatBooks(folder / "wechat.jsonl")
        self.faults = Faults(KNOWN, TARGETS, QUESTIONS)
        self._keys = keys
        self._server: Any = WechatServer.__new__(WechatServer)
        self._server.mchid = MCHID
        orders = self._server._orders = Orders(APPID, MCHID, self.books, Waits(PASSWORD_MS, _REFUND_MS))
        self._server._shown = wechat_shown.ShownOrders(orders, self.books)

    @staticmethod
    def keys_in(folder: Path) -> Keys:
        """Return both sides' keys, made in a folder. They sign cheaply, as the tills' do."""
        keys = open_keys(folder)
        return replace(keys, **cheap(keys, "merchant", "platform", "stranger"))

    @classmethod
    def profile(cls, keys: Keys, rhythm: dict[str, int]) -> str:
        """Return the merchant's profile as shop IT would have written it."""
        ready = {
            "base_url": cls.url,
            "appid": APPID,
            "mchid": MCHID,
            "merchant_certificate": str(keys.certificate_file),
            "merchant_key": str(keys.merchant_file),
            "platform_key_id": keys.platform_id,
            "platform_key": str(keys.platform_file),
        }
        return wechat_profile(ready, rhythm)

    def new_code(self, chance: random.Random) -> str:
        """Return a payment code as a shopper's phone shows it."""
        return f"13{chance.randrange(10**16):016d}"

    def scan(self, code: str) -> None:
        """Be the shopper who scans a code that we show and pays. Raises ScanRefused."""
        try:
            self._server._shown.scan(code)
        except wechat_shown.ScanRefused as refused:
            raise ScanRefused(str(refused)) from None

    def moves(self) -> Iterator[Move]:
        """Yield all money that moved, in order."""
        for line in self.books.lines:
            if line.kind == "charge" or line.kind in _BACK:
                fen = -line.fen if line.kind in _BACK else line.fen
                yield Move(line.out_trade_no, fen, round(datetime.fromisoformat(line.at).timestamp() * 1000))

    def shown(self) -> Iterator[Shown]:
        """Yield every code that was made for a shopper to scan."""
        for line in self.books.lines:
            if line.kind == "shown":
                yield Shown(line.out_trade_no, line.due_ms)

    def file(self, day: str) -> bytes | None:
        """Return the trade bill of a day."""
        return trade_bill(self.books.lines, day, APPID, MCHID)

    def call_of(self, sent: Sent) -> str:
        """Return the path without what is asked there."""
        return sent.path.partition("?")[0]

    def hear(self, sent: Sent) -> Request | Came:
        """Return what a request asks for, or the answer to one that is not signed rightly."""
        header = sent.headers.get("Authorization", "")
        if doubt_of(self._keys, MCHID, header, sent.method, sent.path, sent.body) is not None:
            return self._signed(problem(401, "SIGN_ERROR"), Struck({}))
        request = self._server.route(sent.method, sent.path, json.loads(sent.body or b"{}"))
        assert request is not None, sent.path
        return Request(request.target, None, request.work)

    def instead(self, request: Request, struck: Struck) -> Answer | None:
        """Return what is answered although nothing is done; None when it is done."""
        if "system_error" in struck and not struck.flag("system_error", "charged"):
            return problem(500, "SYSTEM_ERROR")
        if "declined" in struck and request.target in QUESTIONS:
            return problem(400, struck.word("declined", "code"))
        return None

    def worded(self, answer: Answer, struck: Struck) -> Answer:
        """Return what is said of what was done."""
        return problem(500, "SYSTEM_ERROR") if "system_error" in struck else answer

    def say(self, request: Request, answer: Answer, struck: Struck) -> Came:
        """Return the signed answer."""
        return self._signed(answer, struck)

    def told(self, line: Any) -> str:
        """Return a line of the books in words."""
        return f"{line.kind} {line.fen} fen, {line.out_trade_no} {line.out_refund_no}"

    def _signed(self, answer: Answer, struck: Struck) -> Came:
        body = b""
        if answer.status != 204:
            body = json.dumps(_spoilt(answer.body, struck), ensure_ascii=False).encode()
        if "garbage" in struck:
            body = b'{"trade_state": "SUCC' + b"\xff"
        key = self._keys.stranger if "wrong_key" in struck else self._keys.platform
        headers = sign_answer(key, self._keys.platform_id, body, struck.number("stale_timestamp", "s"))
        return Came(answer.status, {} if "missing_signature" in struck else headers, body)
