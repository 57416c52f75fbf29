"""How does the emulated Alipay hear a request and answer it, or fail to?

Every request must be signed, every answer is, refusals too; only the download of a bill is not. What goes
wrong on the line goes wrong here; what goes wrong with the money, in `alipay_orders.py`.
"""

import json
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from terminal_agent.emulators import alipay_orders as orders
from terminal_agent.emulators import alipay_shown
from terminal_agent.emulators.alipay_bill import trade_bill
from terminal_agent.emulators.alipay_books import AlipayBooks
from terminal_agent.emulators.alipay_faults import QUESTIONS
from terminal_agent.emulators.alipay_orders import Json
from terminal_agent.emulators.alipay_signing import Keys, doubt_of, sign
from terminal_agent.emulators.control import PatientServer
from terminal_agent.emulators.faults import Faults, Struck

GATEWAY = "/gateway.do"

_MOST_BYTES = 65_536
_IDLE_S = 30
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_METHODS = {
    "alipay.trade.pay": "pay",
    "alipay.trade.precreate": "show",
    "alipay.trade.query": "query",
    "alipay.trade.cancel": "cancel",
    "alipay.trade.refund": "refund",
    "alipay.trade.fastpay.refund.query": "refund_query",
    "alipay.data.dataservice.bill.downloadurl.query": "bill",
}
_NO_FAULTS = Struck({})
_Result = TypeVar("_Result")


class AlipayServer:
    """The gateway's address on this host, until closed. One thing is done at a time, in the books' order."""

    def __init__(
        self,
        port: int,
        app_id: str,
        account: str,
        keys: Keys,
        books: AlipayBooks,
        faults: Faults,
        password_ms: int,
        download_ms: int,
    ) -> None:
        self.app_id = app_id
        self.keys = keys
        self.said: dict[str, bytes] = {}
        self._account = account
        self._books = books
        self._faults = faults
        self._password_ms = password_ms
        self._download_ms = download_ms
        self._lock = threading.Lock()
        self._downloads: dict[str, tuple[float, bytes]] = {}
        self._server = PatientServer(("127.0.0.1", port), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="alipay")
        self._thread.start()

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

    def strike(self, target: str) -> Struck:
        """Return what strikes the request that now begins."""
        return self.alone(lambda: self._faults.strike(target))

    def work(self, target: str, content: Json, struck: Struck) -> Json:
        """Do what one request asks for."""
        books = self._books
        if target in QUESTIONS and "declined" in struck:
            return orders.failed(struck.word("declined", "code"), orders.text_of(content, "out_trade_no"))
        match target:
            case "pay":
                return orders.pay(books, content, struck, self._password_ms)
            case "show":
                return alipay_shown.make(books, content, struck)
            case "query":
                return orders.query(books, content)
            case "cancel":
                return orders.cancel(books, content, struck)
            case "refund":
                return orders.refund(books, content, struck)
            case "refund_query":
                return orders.refund_query(books, content)
            case _:
                return self._offer_bill(content)

    def download(self, token: str) -> bytes | None:
        """Return a bill whose address still lives."""
        until, content = self._downloads.get(token, (0.0, b""))
        return content if time.monotonic() < until else None

    def _offer_bill(self, content: Json) -> Json:
        day = orders.text_of(content, "bill_date")
        if not _DAY.fullmatch(day) or content.get("bill_type") != "trade":
            return orders.failed("isv.invalid-arguments", "", "40002")
        bill = trade_bill(self._books.lines, day, self._account)
        if bill is None:
            return orders.failed("isp.bill_not_exist", "")
        token = secrets.token_urlsafe(24)
        self._downloads[token] = (time.monotonic() + self._download_ms / 1000, bill)
        return {**orders.answer("10000"), "bill_download_url": f"{self.address}/bill?token={token}"}


def _handler_of(server: AlipayServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        wbufsize = -1  # head and body leave together

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing: standard output belongs to the line that says ready."""

        def do_GET(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                parts = urlsplit(self.path)
                bill = server.download(dict(parse_qsl(parts.query)).get("token", ""))
                if parts.path != "/bill" or bill is None:
                    return self._send(404, b"", "text/plain")
                self._send(200, bill, "application/zip")

        def do_POST(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                length = self.headers.get("Content-Length", "")
                if not (length.isascii() and length.isdecimal() and int(length) <= _MOST_BYTES):
                    self.close_connection = True
                    return self._send(413, b"", "text/plain")
                self._serve(self.rfile.read(int(length)))

        def _serve(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            if parts.path != GATEWAY:
                return self._send(404, b"", "text/plain")
            pairs = parse_qsl(f"{parts.query}&{body.decode('latin-1')}", keep_blank_values=True)
            parameters = dict(pairs)
            method = parameters.get("method", "")
            doubt = doubt_of(server.keys, server.app_id, parameters)
            if doubt is None and len(parameters) < len(pairs):
                doubt = "isv.invalid-arguments"
            if doubt is None and not _TIMESTAMP.fullmatch(parameters.get("timestamp", "")):
                doubt = "isv.invalid-timestamp"
            content = _read_json(parameters.get("biz_content", ""))
            if doubt is not None or method not in _METHODS or content is None:
                reason = doubt or (
                    "isv.invalid-method" if method not in _METHODS else "isv.invalid-arguments"
                )
                return self._say(method, orders.failed(reason, "", "40002"), _NO_FAULTS)
            self._work(method, _METHODS[method], content)

        def _work(self, method: str, target: str, content: Json) -> None:
            struck = server.strike(target)
            if _kill_at("request_received", struck) or "lost_request" in struck:
                self.close_connection = True
                return
            unsure = {**orders.answer("20000"), "sub_code": "isp.unknow-error", "sub_msg": "系统繁忙"}
            if "system_error" in struck and not struck.flag("system_error", "charged"):
                return self._say(method, unsure, struck)
            said = server.alone(lambda: server.work(target, content, struck))
            if "doubled_request" in struck:
                said = server.alone(lambda: server.work(target, content, struck))
            _kill_at("after_booking", struck)
            if "lost_answer" in struck:
                self.close_connection = True
                return
            time.sleep(struck.number("late_answer", "ms") / 1000)
            self._say(method, unsure if "system_error" in struck else said, struck)
            _kill_at("after_answer", struck)

        def _say(self, method: str, said: Json, struck: Struck) -> None:
            signed = _bytes_of(_spoilt(said, struck))
            if "garbage" in struck:
                signed = b'{"code":"10000' + b"\xff" + b'"}'
            order_no = orders.text_of(said, "out_trade_no")
            others = [one for no, one in server.said.items() if no != order_no]
            if "previous_answer" in struck and others:
                signed = others[-1]
            elif order_no:
                server.said.pop(order_no, None)  # the last one to be heard of stands last
                server.said[order_no] = signed
            body = _envelope(server.keys, f"{method.replace('.', '_')}_response", signed, struck)
            torn = len(body) // 2 if "torn_answer" in struck else None
            self._send(200, body, "text/html;charset=utf-8", torn)

        def _send(self, status: int, body: bytes, content_type: str, torn: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:torn])
            self.wfile.flush()
            self.close_connection = self.close_connection or torn is not None

    return Handler


def _envelope(keys: Keys, name: str, signed: bytes, struck: Struck) -> bytes:
    """Return an answer as it leaves: the signed member, the signature, and whose it is."""
    key = keys.stranger if "wrong_key" in struck else keys.platform
    signature = sign(key, signed)
    if "other_bytes" in struck:
        signed = signed.replace(b"\\/", b"/").replace(b":", b": ", 1)
    members = [f'"{name}":'.encode() + signed]
    if "doubled_member" in struck:
        members.insert(0, f'"{name}":{{"code":"10000","trade_status":"TRADE_SUCCESS"}}'.encode())
    if keys.certificates or "unknown_certificate" in struck:
        number = "0" * 32 if "unknown_certificate" in struck else keys.platform_sn
        members.append(f'"alipay_cert_sn":"{number}"'.encode())
    if "missing_signature" not in struck:
        members.append(f'"sign":"{signature}"'.encode())
    return b"{" + b",".join(members) + b"}"


def _bytes_of(said: Json) -> bytes:
    # As Alipay writes them: no spaces, and every slash escaped.
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/").encode()


def _spoilt(said: Json, struck: Struck) -> Json:
    if "wrong_currency" in struck:
        said = {**said, "trans_currency": "USD"}
    if "wrong_order" in struck:
        said = {**said, "out_trade_no": "SOMEBODYELSES", "out_request_no": "SOMEBODYELSES"}
    return said


def _read_json(text: str) -> Json | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _kill_at(point: str, struck: Struck) -> bool:
    if struck.word("kill", "point") != point:
        return False
    with suppress(ProcessLookupError):
        os.kill(struck.number("kill", "pid"), signal.SIGKILL)
    return True
