"""How does the emulated WeChat Pay hear a request and answer it, or fail to?

Every request must be signed, every answer is, refusals too; only the download of a bill is not. What goes
wrong on the line goes wrong here; what goes wrong with the money, in `wechat_orders.py`.
"""

import hashlib
import json
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from terminal_agent.emulators.control import PatientServer
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.wechat_bill import trade_bill
from terminal_agent.emulators.wechat_books import WechatBooks
from terminal_agent.emulators.wechat_orders import Answer, Json, Orders, problem
from terminal_agent.emulators.wechat_shown import ShownOrders
from terminal_agent.emulators.wechat_signing import Keys, doubt_of, sign_answer

_MOST_BYTES = 65_536
_IDLE_S = 30
_DOWNLOAD_S = 300
_ORDER = re.compile(r"/v3/pay/transactions/out-trade-no/([^/]+)(?:/(reverse|close))?")
_REFUND = re.compile(r"/v3/refund/domestic/refunds/([^/]+)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Request:
    """One signed request. `work` does it; `target` is what faults call it."""

    target: str
    work: Callable[[Struck], Answer]


class WechatServer:
    """The API's address on this host, until closed. One thing is done at a time, in the books' order."""

    def __init__(
        self,
        port: int,
        appid: str,
        mchid: str,
        keys: Keys,
        books: WechatBooks,
        orders: Orders,
        shown: ShownOrders,
        faults: Faults,
    ) -> None:
        self.mchid = mchid
        self.keys = keys
        self._appid = appid
        self._books = books
        self._orders = orders
        self._shown = shown
        self._faults = faults
        self._lock = threading.Lock()
        self._turn = 0
        self._downloads: dict[str, tuple[float, bytes]] = {}
        self._server = PatientServer(("127.0.0.1", port), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="wechat")
        self._thread.start()

    def signer(self) -> tuple[str, RSAPrivateKey]:
        """Return what the next answer is signed with; while there are several keys, each in its turn."""
        with self._lock:
            keys = [(self.keys.platform_id, self.keys.platform), *self.keys.beside.items()]
            self._turn += 1
            return keys[self._turn % len(keys)]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def alone(self, step: Callable[[], _Result]) -> _Result:
        """Do `step` while nothing else is done."""
        with self._lock:
            return step()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def route(self, method: str, path: str, body: Json) -> Request | None:
        """Return what a request asks for, or None when there is no such thing."""
        parts = urlsplit(path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if order := _ORDER.fullmatch(parts.path):
            no, undoes = order[1], order[2]
            if method == "POST" and undoes == "reverse":
                return Request("reverse", lambda struck: self._orders.reverse(no, body, struck))
            if method == "POST" and undoes == "close":
                return Request("close", lambda struck: self._shown.close(no, body, struck))
            if method == "GET" and undoes is None:
                ours = query.get("mchid") == self.mchid
                return Request("query", lambda _: self._orders.query(no) if ours else _param_error())
        if (refund := _REFUND.fullmatch(parts.path)) and method == "GET":
            refund_no = refund[1]
            return Request("refund_query", lambda _: self._orders.refund_query(refund_no))
        if (method, parts.path) == ("POST", "/v3/pay/transactions/codepay"):
            return Request("pay", lambda struck: self._orders.pay(body, struck))
        if (method, parts.path) == ("POST", "/v3/pay/transactions/native"):
            return Request("native", lambda struck: self._shown.make(body, struck))
        if (method, parts.path) == ("POST", "/v3/refund/domestic/refunds"):
            return Request("refund", lambda struck: self._orders.refund(body, struck))
        if (method, parts.path) == ("GET", "/v3/bill/tradebill"):
            return Request("bill", lambda _: self._offer_bill(query))
        return None

    def download(self, path: str) -> bytes | None:
        """Return a bill that was offered less than five minutes ago."""
        parts = urlsplit(path)
        if parts.path != "/v3/billdownload/file":
            return None
        until, content = self._downloads.get(parse_qs(parts.query).get("token", [""])[0], (0.0, b""))
        return content if time.monotonic() < until else None

    def strike(self, target: str) -> Struck:
        """Return what strikes the request that now begins."""
        return self.alone(lambda: self._faults.strike(target))

    def _offer_bill(self, query: Json) -> Answer:
        day = query.get("bill_date", "")
        if not _DAY.fullmatch(day) or query.get("bill_type", "ALL") != "ALL" or "tar_type" in query:
            return _param_error()
        bill = trade_bill(self._books.lines, day, self._appid, self.mchid)
        if bill is None:
            return problem(400, "NO_STATEMENT_EXIST")
        token = secrets.token_urlsafe(24)
        self._downloads[token] = (time.monotonic() + _DOWNLOAD_S, bill)
        digest = hashlib.sha1(bill, usedforsecurity=False).hexdigest()
        url = f"{self.address}/v3/billdownload/file?token={token}"
        return Answer(200, {"hash_type": "SHA1", "hash_value": digest, "download_url": url})


def _param_error() -> Answer:
    return problem(400, "PARAM_ERROR")


def _handler_of(server: WechatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        wbufsize = -1  # head and body leave together

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing: standard output belongs to the line that says ready."""

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                length = self.headers.get("Content-Length", "0")
                if not (length.isascii() and length.isdecimal() and int(length) <= _MOST_BYTES):
                    self.close_connection = True
                    return self._say(_param_error(), _NO_FAULTS)
                self._serve_body(self.rfile.read(int(length)))

        def _serve_body(self, body: bytes) -> None:
            header = self.headers.get("Authorization", "")
            if doubt_of(server.keys, server.mchid, header, self.command, self.path, body) is not None:
                return self._say(problem(401, "SIGN_ERROR"), _NO_FAULTS)
            bill = server.download(self.path) if self.command == "GET" else None
            if bill is not None:
                return self._send(200, bill, {"Content-Type": "text/csv"})
            content = _read_json(body)
            request = None if content is None else server.route(self.command, self.path, content)
            if request is None:
                return self._say(
                    problem(404, "NOT_FOUND") if content is not None else _param_error(), _NO_FAULTS
                )
            self._work(request, server.strike(request.target))

        def _work(self, request: Request, struck: Struck) -> None:
            if _kill_at("request_received", struck) or "lost_request" in struck:
                self.close_connection = True
                return
            if "system_error" in struck and not struck.flag("system_error", "charged"):
                return self._say(problem(500, "SYSTEM_ERROR"), struck)
            if "declined" in struck and request.target in ("query", "refund_query", "bill"):
                return self._say(problem(400, struck.word("declined", "code")), struck)
            answer = server.alone(lambda: request.work(struck))
            if "doubled_request" in struck:
                answer = server.alone(lambda: request.work(struck))
            _kill_at("after_booking", struck)
            if "lost_answer" in struck:
                self.close_connection = True
                return
            time.sleep(struck.number("late_answer", "ms") / 1000)
            self._say(problem(500, "SYSTEM_ERROR") if "system_error" in struck else answer, struck)
            _kill_at("after_answer", struck)

        def _say(self, answer: Answer, struck: Struck) -> None:
            empty = answer.status == 204
            body = b"" if empty else json.dumps(_spoilt(answer.body, struck), ensure_ascii=False).encode()
            if "garbage" in struck:
                body = b'{"trade_state": "SUCC' + b"\xff"
            key_id, key = server.signer()
            key = server.keys.stranger if "wrong_key" in struck else key
            key_id = "PUB_KEY_ID_EMUNOBODY" if "unknown_key" in struck else key_id
            signed = sign_answer(key, key_id, body, struck.number("stale_timestamp", "s"))
            if "missing_signature" in struck:
                signed = {}
            torn = len(body) // 2 if "torn_answer" in struck else None
            self._send(answer.status, body, {"Content-Type": "application/json", **signed}, torn)

        def _send(self, status: int, body: bytes, headers: dict[str, str], torn: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:torn])
            self.wfile.flush()
            self.close_connection = self.close_connection or torn is not None

    return Handler


_NO_FAULTS = Struck({})


def _spoilt(body: Json, struck: Struck) -> Json:
    if "wrong_currency" in struck and "amount" in body:
        body = {**body, "amount": {**body["amount"], "currency": "USD"}}
    if "wrong_order" in struck:
        body = {**body, "out_trade_no": "SOMEBODYELSES", "out_refund_no": "SOMEBODYELSES"}
    return {**body, "mchid": "1999999999"} if "wrong_merchant" in struck else body


def _read_json(body: bytes) -> Json | None:
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _kill_at(point: str, struck: Struck) -> bool:
    if struck.word("kill", "point") != point:
        return False
    with suppress(ProcessLookupError):
        os.kill(struck.number("kill", "pid"), signal.SIGKILL)
    return True
