"""An acquirer's host for terminals that call it themselves: real TCP, its own books, and faults by hand.

    with CardHost() as host:
        LineTerminal(host.address).sell(85_000)
    assert host.standing() == {"000001": 85_000}

It reads and writes with the emulators' own framing, which shares nothing with the agent.
"""

import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from terminal_agent.emulators import line_frames

ANSWERS = {"0200": "0210", "0220": "0230", "0400": "0410", "0800": "0810"}


@dataclass
class Booked:
    """One line of the host's books. What stands here moved money."""

    kind: str
    trace: str
    batch: str
    fen: int
    original: str = ""


@dataclass
class Next:
    """What becomes of the next request: another `code`, another amount, no answer, a pause."""

    code: str = "00"
    fen: int | None = None
    answers: bool = True
    before: threading.Event | None = None
    twice: bool = False
    pieces: tuple[int, ...] = ()
    books: bool = True
    hangs_up: bool = False
    raw: bytes | None = None


@dataclass
class CardHost:
    """Serves until the block ends."""

    books: list[Booked] = field(default_factory=list)
    nexts: deque[Next] = field(default_factory=deque)
    received: list[bytes] = field(default_factory=list)
    rrn_begins: str = "9"

    def __enter__(self) -> "CardHost":
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = self._door.getsockname()
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def standing(self) -> dict[str, int]:
        """Return what every sale still stands at, by its trace; nothing for what went back whole."""
        left: dict[str, int] = {}
        for one in self.books:
            if one.kind == "sale":
                left[one.trace] = left.get(one.trace, 0) + one.fen
            else:
                left[one.original] -= one.fen
        return {trace: fen for trace, fen in left.items() if fen}

    def _welcome(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines.append(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        held = b""
        with line, suppress(OSError):
            while more := line.recv(4096):
                self.received.append(more)
                held += more
                while len(held) >= 2 and len(held) >= (size := int.from_bytes(held[:2], "big") + 2):
                    rest, held = held[2:size], held[size:]
                    if not self._answer(line, rest):
                        return

    def _answer(self, line: socket.socket, rest: bytes) -> bool:
        try:
            mti, asked = line_frames.read(rest)
        except line_frames.Unreadable:
            return True
        step = self.nexts.popleft() if self.nexts else Next()
        code, fen = self._book(mti, asked, step)
        if step.before is not None:
            step.before.wait(20)
        if step.hangs_up:
            return False
        if not step.answers:
            return True
        told = {no: text for no, text in asked.items() if no in (3, 4, 11, 25, 41, 42, 49, 60)}
        told |= {12: "101112", 13: "0301", 37: f"{self.rrn_begins}{asked[11]:>011}", 39: code}
        if fen is not None:
            told[4] = f"{fen:012d}"
        frame = line_frames.write(ANSWERS[mti], told) if step.raw is None else step.raw
        for start, end in pairwise((0, *step.pieces, len(frame))):
            line.sendall(frame[start:end])
        if step.twice:
            line.sendall(frame)
        return True

    def _book(self, mti: str, asked: line_frames.Fields, step: Next) -> tuple[str, int | None]:
        if step.code not in ("00", "10") or mti == "0800" or not step.books:
            return step.code, None
        trace, batch = asked[11], asked.get(60, "")[2:8]
        fen = step.fen if step.fen is not None else int(asked[4])
        is_sale = asked[3] == "000000"
        if mti == "0400":
            return self._reverse(trace, batch), None
        if is_sale:
            self.books.append(Booked("sale", trace, batch, fen))
            return step.code, fen
        original = asked[61][6:12]
        if self.standing().get(original, 0) < fen:
            return "25", None
        kind = "refund" if mti == "0220" else "void"
        self.books.append(Booked(kind, trace, batch, fen, original))
        return step.code, fen

    def _reverse(self, trace: str, batch: str) -> str:
        found = [one for one in self.books if one.trace == trace and one.kind in ("sale", "void")]
        if not found:
            return "25"
        one = found[-1]
        if one.kind == "void":
            self.books.remove(one)
        elif trace in self.standing():
            self.books.append(Booked("reversal", trace, batch, self.standing()[trace], trace))
        return "00"
