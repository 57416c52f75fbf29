"""How does the emulated acquirer host hear requests on its TCP line, and answer them or fail to?

Each connection has its own thread; one request is worked on at a time, in the order of the books.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.host import Host, Reply, target_of
from terminal_agent.emulators.host_faults import QUESTIONS
from terminal_agent.emulators.host_wire import Unreadable, split, wrap

_LONGEST_FRAME = 4096
_IDLE_S = 300.0
_GARBAGE = b"\x00\x14\x60\x00\x00\x00\x03\x60\x31\x00\x31\x00\x01\x02\x10\xff\xff\xff\xff\xff\xff\xff"
_NOBODYS = {11: "999999"}  # the trace in the "answer before" of a host that has given none yet
_Result = TypeVar("_Result")


class HostLine:
    """The host's address on this machine, until closed."""

    def __init__(self, port: int, host: Host, faults: Faults, work_s: float) -> None:
        self._host = host
        self._faults = faults
        self._work_s = work_s
        self._lock = threading.Lock()
        self._before: bytes | None = None
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, name="host")
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def alone(self, step: Callable[[], _Result]) -> _Result:
        """Do `step` while nothing else is done."""
        with self._lock:
            return step()

    def close(self) -> None:
        """Stop listening and drop every line."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        for line in list(self._open):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.settimeout(_IDLE_S)
            self._open.add(line)
            threading.Thread(target=self._serve, args=(line,), name="line", daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        try:
            while self._exchange(line):
                pass
        except OSError:
            return  # the terminal has gone
        finally:
            self._open.discard(line)
            line.close()

    def _exchange(self, line: socket.socket) -> bool:
        """Hear one request and answer it; return whether the line stays."""
        length = _exactly(line, 2)
        size = int.from_bytes(length)
        if len(length) < 2 or not 0 < size <= _LONGEST_FRAME:
            return False
        content = _exactly(line, size)
        if len(content) < size:
            return False
        try:
            around, mti, values = split(content)
        except Unreadable:
            return False
        target = target_of(mti, values)
        struck = self.alone(lambda: self._faults.strike(target))
        if "cut_request" in struck:
            return False
        if "lost_request" in struck or _kill_at("request_received", struck):
            return True
        time.sleep(self._work_s + struck.number("late_request", "ms") / 1000)
        with self._lock:
            reply = self._host.reply(mti, values, content[11:-8], struck)
            answer = _spoiled(wrap(around, reply.body(), sign_in_again=reply.sign_in_again), reply, struck)
            before = self._before or wrap(
                around, Reply(reply.mti, reply.values | _NOBODYS, reply.keys).body()
            )
            if target not in QUESTIONS:
                self._before = answer
        _kill_at("after_booking", struck)
        if "lost_answer" in struck:
            return True
        time.sleep(struck.number("late_answer", "ms") / 1000)
        stays = _send(line, answer, before, struck)
        _kill_at("after_answer", struck)
        return stays


def _exactly(line: socket.socket, size: int) -> bytes:
    """Return so many bytes, fewer when the line ends before."""
    received = b""
    while len(received) < size and (more := line.recv(size - len(received))):
        received += more
    return received


def _spoiled(frame: bytes, reply: Reply, struck: Struck) -> bytes:
    if "wrong_mac" in struck and reply.keys is not None:
        return frame[:-1] + bytes((frame[-1] ^ 1,))
    return frame


def _send(line: socket.socket, answer: bytes, before: bytes, struck: Struck) -> bool:
    if "noise" in struck:
        line.sendall(_GARBAGE)
    if "previous_answer" in struck:
        line.sendall(before)
        if not struck.flag("previous_answer", "then_right"):
            return True
    if "cut_answer" in struck:
        line.sendall(answer[: struck.number("cut_answer", "bytes")])
        return False
    if "split" in struck:
        for one in answer:
            line.sendall(bytes((one,)))
            time.sleep(struck.number("split", "pause_ms") / 1000)
        return True
    line.sendall(answer * 2 if "doubled_answer" in struck else answer)
    return True


def _kill_at(point: str, struck: Struck) -> bool:
    if struck.word("kill", "point") != point:
        return False
    with suppress(ProcessLookupError):
        os.kill(struck.number("kill", "pid"), signal.SIGKILL)
    return True
