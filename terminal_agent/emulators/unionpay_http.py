"""How does the emulated UnionPay hear a request and answer it, or fail to?

Every request must be signed, every answer is, refusals too. What goes wrong on the line goes wrong here;
what goes wrong with the money, in `unionpay_orders.py`.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar

from terminal_agent.emulators.control import PatientServer
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.unionpay_books import UnionPayBooks
from terminal_agent.emulators.unionpay_file import file_content
from terminal_agent.emulators.unionpay_orders import Orders, said
from terminal_agent.emulators.unionpay_signing import (
    Form,
    Keys,
    answer_bytes,
    change_platform,
    is_signed,
    read_form,
    signed,
)

_MOST_BYTES = 65_536
_IDLE_S = 30
_TRADE, _QUERY, _FILE = "/gateway/api/backTransReq.do", "/gateway/api/queryTrans.do", "/"
_ECHOED = (
    "version",
    "encoding",
    "bizType",
    "txnType",
    "txnSubType",
    "accessType",
    "merId",
    "orderId",
    "txnTime",
)
_STRANGERS = (("wrong_order", "orderId", "SOMEBODYELSES"), ("wrong_merchant", "merId", "EMU999999999999"))
_DAY = re.compile(r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Request:
    """One signed request. `work` does it; `target` is what faults call it."""

    target: str
    work: Callable[[Struck], Form]


class UnionPayServer:
    """The interface's address on this host, until closed. One thing is done at a time, in order."""

    def __init__(
        self,
        port: int,
        mer_id: str,
        term_id: str,
        keys: Keys,
        books: UnionPayBooks,
        orders: Orders,
        faults: Faults,
    ) -> None:
        self.mer_id = mer_id
        self.keys = keys
        self._term_id = term_id
        self._books = books
        self._orders = orders
        self._faults = faults
        self._lock = threading.Lock()
        self._server = PatientServer(("127.0.0.1", port), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="unionpay")
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def alone(self, step: Callable[[], _Result]) -> _Result:
        """Do `step` while nothing else is done."""
        with self._lock:
            return step()

    def change_certificate(self) -> None:
        """Sign under a new certificate from now on."""
        self.keys = change_platform(self.keys)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def strike(self, target: str) -> Struck:
        """Return what strikes the request that now begins."""
        return self.alone(lambda: self._faults.strike(target))

    def route(self, path: str, form: Form) -> Request | None:
        """Return what a request asks for, or None when there is no such thing."""
        kind = (path, form.get("txnType"), form.get("txnSubType"))
        if kind == (_TRADE, "01", "06"):
            return Request("pay", lambda struck: self._orders.pay(form, struck))
        if kind == (_TRADE, "01", "07"):
            return Request("show", lambda struck: self._orders.show(form, struck))
        if kind == (_TRADE, "99", "01"):
            return Request("reverse", lambda struck: self._orders.reverse(form, struck))
        if kind == (_TRADE, "04", "00"):
            return Request("refund", lambda struck: self._orders.refund(form, struck))
        if kind == (_QUERY, "00", "00"):
            return Request("query", lambda _: self._orders.query(form))
        if kind == (_FILE, "76", "01"):
            return Request("file", lambda _: self._file(form.get("settleDate", "")))
        return None

    def file_of(self, day: str) -> str | None:
        """Return the files of a settlement day as they travel."""
        return file_content(self._books.lines, day, self.mer_id, self._term_id)

    def _file(self, month_day: str) -> Form:
        if not _DAY.fullmatch(month_day):
            return said("10")
        days = sorted({one.settle_day for one in self._books.lines})
        day = next((one for one in reversed(days) if one[5:].replace("-", "") == month_day), "")
        content = self.file_of(day) if day else None
        if content is None:
            return said("98")
        return {**said("00"), "fileName": f"{self.mer_id}_{month_day}.zip", "fileContent": content}


def _handler_of(server: UnionPayServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        wbufsize = -1  # head and body leave together

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing: standard output belongs to the line that says ready."""

        def do_POST(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                length = self.headers.get("Content-Length", "")
                if not (length.isascii() and length.isdecimal() and int(length) <= _MOST_BYTES):
                    self.close_connection = True
                    return self._say({}, said("10"), _NO_FAULTS)
                form = read_form(self.rfile.read(int(length)))
                if form is None:
                    return self._say({}, said("10"), _NO_FAULTS)
                if not is_signed(server.keys, form):
                    return self._say(form, said("11"), _NO_FAULTS)
                request = server.route(self.path, form) if form.get("merId") == server.mer_id else None
                if request is None:
                    return self._say(form, said("32"), _NO_FAULTS)
                self._work(form, request, server.strike(request.target))

        def _work(self, form: Form, request: Request, struck: Struck) -> None:
            if _kill_at("request_received", struck) or "lost_request" in struck:
                self.close_connection = True
                return
            if "system_error" in struck and not struck.flag("system_error", "charged"):
                return self._send(500, b"<html>500</html>")
            if "unclear_code" in struck and not struck.flag("unclear_code", "charged"):
                return self._say(form, said("04"), struck)
            if "declined" in struck and request.target in ("query", "file"):
                return self._say(form, said(struck.word("declined", "code")), struck)
            answer = server.alone(lambda: request.work(struck))
            if "doubled_request" in struck:
                answer = server.alone(lambda: request.work(struck))
            _kill_at("after_booking", struck)
            if "lost_answer" in struck:
                self.close_connection = True
                return
            time.sleep(struck.number("late_answer", "ms") / 1000)
            if "system_error" in struck:
                return self._send(500, b"<html>500</html>")
            self._say(form, said("04") if "unclear_code" in struck else answer, struck)
            _kill_at("after_answer", struck)

        def _say(self, form: Form, answer: Form, struck: Struck) -> None:
            echoed = {name: form[name] for name in _ECHOED if name in form}
            whole = _spoilt({**echoed, **answer}, struck)
            keys = server.keys
            pem = keys.stranger_pem if "unknown_key" in struck else keys.platform_pem
            key = keys.stranger if {"unknown_key", "wrong_key"} & struck.names else keys.platform
            body = answer_bytes(whole if "missing_signature" in struck else signed(key, pem, whole))
            if "garbage" in struck:
                body = b"respCode=00&\xff\xfe{{{"
            self._send(200, body, len(body) // 2 if "torn_answer" in struck else None)

        def _send(self, status: int, body: bytes, torn: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html;charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:torn])
            self.wfile.flush()
            self.close_connection = self.close_connection or torn is not None

    return Handler


_NO_FAULTS = Struck({})


def _spoilt(form: Form, struck: Struck) -> Form:
    if "wrong_currency" in struck and "currencyCode" in form:
        form = {**form, "currencyCode": "840"}
    for fault, name, other in _STRANGERS:
        if fault in struck:
            form = {**form, name: other, "respCode": struck.word(fault, "code") or form["respCode"]}
    return form


def _kill_at(point: str, struck: Struck) -> bool:
    if struck.word("kill", "point") != point:
        return False
    with suppress(ProcessLookupError):
        os.kill(struck.number("kill", "pid"), signal.SIGKILL)
    return True
