"""How does a card terminal behave that calls its acquirer itself, as the unchanged terminal of a shop does?

A person keys in an amount; the terminal sends the sale, waits for the answer, and sends a reversal when
none comes. It keeps its slips, so that a test can compare what the shopper was told. Its MAC is made up:
whoever only passes bytes on cannot check one.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass

from terminal_agent.emulators import line_frames
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_TRACK

_MAC = "4D41434D41434D41"
_MERCHANT = "EMU000000000001"
_PIN_BLOCK = "9F8E7D6C5B4A3F2E"
_SALE, _RETURN = "000000", "200000"
_TIMED_OUT = "98"


class NoSuchSlip(Exception):
    """The terminal has no slip with this trace."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One transaction as the terminal knows it; `code` is empty when no answer came.

    `fen` is what the host approved where it named an amount, else what was asked.
    """

    kind: str
    trace: str
    batch: str
    fen: int
    code: str = ""
    rrn: str = ""
    auth: str = ""
    mmdd: str = ""
    original: str = ""

    @property
    def approved(self) -> bool:
        """Whether the shopper was told yes."""
        return self.code == "00"


class LineTerminal:
    """One terminal. Every transaction has a connection of its own unless `keeps_line`."""

    def __init__(
        self, address: tuple[str, int], terminal_no: str = "EMU00001", *, keeps_line: bool = False
    ) -> None:
        self.address = address
        self.terminal_no = terminal_no
        self.keeps_line = keeps_line
        self.slips: list[Slip] = []
        self.batch = "000001"
        self._trace = 0
        self._line: socket.socket | None = None
        self._received = b""

    def sell(self, fen: int, *, wait_s: float = 5.0, cuts: tuple[int, ...] = ()) -> Slip:
        """Charge the made-up card. `cuts`: after how many bytes the request pauses."""
        trace = self._next_trace()
        return self._do(Slip("sale", trace, self.batch, fen), *self.request("sale", trace, fen), wait_s, cuts)

    def void(self, trace: str, *, wait_s: float = 5.0) -> Slip:
        """Void a sale of this batch."""
        return self._undo("void", trace, None, wait_s)

    def refund(self, trace: str, fen: int | None = None, *, wait_s: float = 5.0) -> Slip:
        """Give back a sale, or a part of it."""
        return self._undo("refund", trace, fen, wait_s)

    def reverse(self, trace: str, *, wait_s: float = 5.0) -> Slip:
        """Reverse a sale or void whose answer did not come."""
        slip = self.slip(trace)
        _, fields = self.request(slip.kind, trace, slip.fen, slip.original)
        kept = {no: text for no, text in fields.items() if no not in (2, 35, 52, 53)}
        back = Slip("reversal", trace, self.batch, slip.fen, original=trace)
        return self._do(back, "0400", kept | {39: _TIMED_OUT}, wait_s)

    def settle(self) -> None:
        """Begin a new batch."""
        self.batch = f"{int(self.batch) + 1:06d}"

    def sign_in(self, *, wait_s: float = 5.0) -> Slip:
        """Send what is no sale."""
        trace = self._next_trace()
        fields = {11: trace, 41: self.terminal_no, 42: _MERCHANT, 60: f"00{self.batch}003", 63: "01 "}
        return self._do(Slip("sign_in", trace, self.batch, 0), "0800", fields, wait_s)

    def noise(self, content: bytes) -> None:
        """Send anything at all."""
        self._connected().sendall(content)

    def drop(self) -> None:
        """Pull the plug: the line is gone at once."""
        if self._line is not None:
            with suppress(OSError):
                self._line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self._hang_up()

    def slip(self, trace: str) -> Slip:
        """Return the last slip with this trace that is no reversal."""
        found = [one for one in self.slips if one.trace == trace and one.kind != "reversal"]
        if not found:
            raise NoSuchSlip(trace)
        return found[-1]

    def request(self, kind: str, trace: str, fen: int, original: str = "") -> tuple[str, line_frames.Fields]:
        """Return the type and fields of a transaction's request."""
        fields = {
            2: MADE_UP_CARD,
            3: _SALE if kind == "sale" else _RETURN,
            4: f"{fen:012d}",
            11: trace,
            22: "051",
            25: "00",
            41: self.terminal_no,
            42: _MERCHANT,
            49: "156",
            60: {"sale": "22", "void": "23", "refund": "25"}[kind] + self.batch + "00060",
            64: _MAC,
        }
        if kind == "sale":
            return "0200", fields | {35: MADE_UP_TRACK[:37], 52: _PIN_BLOCK, 53: "2600000000000000"}
        sale = self.slip(original)
        named = sale.batch + sale.trace + ((sale.mmdd or "0101") if kind == "refund" else "")
        return "0220" if kind == "refund" else "0200", fields | {37: sale.rrn.ljust(12, "0"), 61: named}

    def _undo(self, kind: str, original: str, fen: int | None, wait_s: float) -> Slip:
        trace = self._next_trace()
        amount = self.slip(original).fen if fen is None else fen
        slip = Slip(kind, trace, self.batch, amount, original=original)
        return self._do(slip, *self.request(kind, trace, amount, original), wait_s)

    def _do(
        self, slip: Slip, mti: str, fields: line_frames.Fields, wait_s: float, cuts: tuple[int, ...] = ()
    ) -> Slip:
        try:
            line = self._connected()
            line.settimeout(wait_s)
            frame = line_frames.write(mti, fields)
            for start, end in zip((0, *cuts), (*cuts, len(frame)), strict=True):
                line.sendall(frame[start:end])
            slip = self._with_answer(slip, f"{int(mti) + 10:04d}", line)
        except (OSError, line_frames.Unreadable):
            self._hang_up()
        self.slips.append(slip)
        if not self.keeps_line:
            self._hang_up()
        return slip

    def _with_answer(self, slip: Slip, answer_type: str, line: socket.socket) -> Slip:
        while True:
            size = int.from_bytes(self._received[:2], "big") + 2
            if len(self._received) >= 2 and len(self._received) >= size:
                rest, self._received = self._received[2:size], self._received[size:]
                said_type, told = line_frames.read(rest)
                # A reversal has its sale's trace: the type tells their answers apart.
                is_mine = told.get(41, self.terminal_no) == self.terminal_no
                if is_mine and (said_type, told.get(11)) == (answer_type, slip.trace):
                    return Slip(
                        kind=slip.kind,
                        trace=slip.trace,
                        batch=slip.batch,
                        fen=int(told.get(4, slip.fen)),
                        code=told.get(39, ""),
                        rrn=told.get(37, ""),
                        auth=told.get(38, ""),
                        mmdd=told.get(13, ""),
                        original=slip.original,
                    )
                continue
            more = line.recv(4096)
            if not more:
                raise ConnectionError
            self._received += more

    def _connected(self) -> socket.socket:
        if self._line is None:
            self._received = b""
            self._line = socket.create_connection(self.address, 3.0)
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._line

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _next_trace(self) -> str:
        self._trace += 1
        return f"{self._trace:06d}"
