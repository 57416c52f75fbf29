"""How does WeChat Pay answer in a world? The shipped emulator's orders, books and signatures, on our line.

What its server does with a request between the line and the orders is told again here, without a socket.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.network import Came, Sent, Service
from sim.scheduler import Process
from sim.threads import Here, threading
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.wechat_books import WechatBooks
from terminal_agent.emulators.wechat_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.wechat_http import WechatServer, _spoilt
from terminal_agent.emulators.wechat_orders import Answer, Orders, Waits, problem
from terminal_agent.emulators.wechat_shown import ShownOrders
from terminal_agent.emulators.wechat_signing import Keys, doubt_of, sign_answer

URL = "http://127.0.0.1:8700"
APPID, MCHID = "EMU0000000000000001", "EMU00000001"
_PASSWORD_MS, _REFUND_MS = 8_000, 20_000


class Wallet:
    """WeChat Pay of one merchant."""

    def __init__(self, keys: Keys, folder: Path, service: Service, note: Callable[[str, str], None]) -> None:
        self.books = WechatBooks(folder / "wechat.jsonl")
        self.faults = Faults(KNOWN, TARGETS, QUESTIONS)
        self._note = note
        self._noted = 0
        self._server: Any = WechatServer.__new__(WechatServer)
        self._server.mchid, self._server.keys = MCHID, keys
        self._server._appid, self._server._books, self._server._faults = APPID, self.books, self.faults
        orders = self._server._orders = Orders(APPID, MCHID, self.books, Waits(_PASSWORD_MS, _REFUND_MS))
        self._server._shown = ShownOrders(orders, self.books)
        self._server._lock = threading.Lock()
        service.answer, service.process = self._answer, Process("wechat")

    def _answer(self, sent: Sent) -> Came | None:
        keys, server = self._server.keys, self._server
        header = sent.headers.get("Authorization", "")
        if doubt_of(keys, MCHID, header, sent.method, sent.path, sent.body) is not None:
            return self._say(problem(401, "SIGN_ERROR"), Struck({}))
        request = server.route(sent.method, sent.path, json.loads(sent.body or b"{}"))
        assert request is not None, sent.path
        struck = server.strike(request.target)
        if "lost_request" in struck:
            return None
        if "system_error" in struck and not struck.flag("system_error", "charged"):
            return self._say(problem(500, "SYSTEM_ERROR"), struck)
        if "declined" in struck and request.target in QUESTIONS:
            return self._say(problem(400, struck.word("declined", "code")), struck)
        answer = request.work(struck)
        if "doubled_request" in struck:
            answer = request.work(struck)
        self._note_books()
        if "lost_answer" in struck:
            return None
        Here.scheduler.sleep(struck.number("late_answer", "ms") / 1000)
        return self._say(problem(500, "SYSTEM_ERROR") if "system_error" in struck else answer, struck)

    def _say(self, answer: Answer, struck: Struck) -> Came:
        body = json.dumps(_spoilt(answer.body, struck), ensure_ascii=False).encode()
        if "garbage" in struck:
            body = b'{"trade_state": "SUCC' + b"\xff"
        keys = self._server.keys
        key = keys.stranger if "wrong_key" in struck else keys.platform
        signed = sign_answer(key, keys.platform_id, body, struck.number("stale_timestamp", "s"))
        return Came(answer.status, {} if "missing_signature" in struck else signed, body)

    def _note_books(self) -> None:
        for line in self.books.lines[self._noted :]:
            self._note("wechat", f"{line.kind} {line.fen} fen, {line.out_trade_no} {line.out_refund_no}")
        self._noted = len(self.books.lines)
