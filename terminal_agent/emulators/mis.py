"""How does an emulated MIS client with fixed-width records behave, when all is well and when not?

Written from the protocol and from nothing else, as in `wire.py`. A request is 59 bytes on a connection of
its own, the answer 148. Asked for the last transaction it tells the last one that went through, whatever
was refused since, and neither its kind nor its order number: the records have no place for them.
"""

import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress

from terminal_agent.emulators import answers, wire
from terminal_agent.emulators.acquirer import Transaction, book
from terminal_agent.emulators.books import Books, Line, mmdd_of
from terminal_agent.emulators.delivery import Later
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.nexo import Network

_REQUEST = re.compile(
    rb"(?P<pos>[ -~]{8})(?P<operator>[ -~]{8})(?P<trans>[0-9]{2})(?P<amount>[0-9]{12})(?P<date>[0-9]{8})"
    rb"(?P<rrn>[0-9A-Za-z]{12})(?P<trace>[0-9]{6})(?P<nonce>[0-9]{3})"
)
_REQUEST_BYTES = 59
_KINDS = {b"00": wire.SALE, b"01": wire.VOID, b"02": wire.REFUND}
_NAMES = {wire.SALE: "sale", wire.VOID: "void", wire.REFUND: "refund"}
_LAST = b"04"


class MisClient:
    """A MIS client with a terminal and its acquirer behind it."""

    def __init__(
        self,
        own: tuple[str, str],
        books: Books,
        faults: Faults,
        network: Network,
        later: Later,
        work_s: float,
    ) -> None:
        self._own = own
        self._books = books
        self._faults = faults
        self._network = network
        self._later = later
        self._work_s = work_s
        self._held: dict[int, bytearray] = {}
        self._is_at_work = False
        self._leaking: set[int] = set()

    def hear(self, number: int, received: bytes) -> None:
        """React to what came over a connection; nothing: it is gone."""
        if not received:
            self._held.pop(number, None)
            return
        held = self._held.setdefault(number, bytearray())
        held += received
        if len(held) < _REQUEST_BYTES:
            return
        found = _REQUEST.fullmatch(bytes(held))
        if found is None:
            self._network.hang_up(number)
            return
        held.clear()
        trans, nonce = found["trans"], found["nonce"]
        if trans == _LAST:
            self._tell_last(number, nonce)
        elif trans not in _KINDS:
            self._say(number, self._refusal(answers.FORMAT_CODE, nonce))
        elif self._is_at_work:
            self._say(number, self._refusal(answers.BUSY_CODE, nonce))
        else:
            self._begin(number, self._transaction(_KINDS[trans], found), nonce)

    def _tell_last(self, number: int, nonce: bytes) -> None:
        if "silent_query" in self._faults.strike("query"):
            return
        done = [one for one in self._books.lines if one.kind in ("sale", "void", "refund")]
        if self._is_at_work:
            self._say(number, self._refusal(answers.BUSY_CODE, nonce))
        elif not done:
            self._say(number, self._refusal("25", nonce))
        else:
            self._say(number, self._record(done[-1], nonce, "00"))

    def _transaction(self, kind: int, found: re.Match[bytes]) -> Transaction:
        trace, rrn, date = found["trace"].decode(), found["rrn"].decode(), found["date"].decode()
        return Transaction(
            type=kind,
            fen=0 if kind == wire.VOID else int(found["amount"]),
            nonce=found["nonce"].decode(),
            # The record has no place for the till's numbers; each refund needs one of its own in the books.
            order=f"{len(self._books.lines)}R" if kind == wire.REFUND else "",
            orig_trace="" if kind == wire.SALE else trace,
            orig_rrn=rrn if kind == wire.REFUND else "",
            orig_mmdd=date[4:] if kind == wire.REFUND else "",
            struck=self._faults.strike(_NAMES[kind]),
        )

    def _begin(self, number: int, transaction: Transaction, nonce: bytes) -> None:
        struck = transaction.struck
        if self._kill_at("frame_received", struck) or "hung" in struck:
            return
        if "lost_request" in struck:
            self._network.hang_up(number)
            return
        self._is_at_work = True
        self._kill_at("after_ack", struck)
        if "unplug_after_ack" in struck:
            self._network.unplug_for(struck.number("unplug_after_ack", "ms") / 1000)
        busy_s = struck.number("progress", "n") * struck.number("progress", "every_ms") / 1000
        self._later(busy_s + self._work_s, lambda: self._finish(number, transaction, nonce))

    def _finish(self, number: int, transaction: Transaction, nonce: bytes) -> None:
        before = self._books.last
        line = book(self._books, transaction)
        struck = transaction.struck
        self._is_at_work = False
        self._kill_at("after_approval", struck)
        if "clear_card" in struck:
            self._leaking.add(line.no)
        if "lost_answer" in struck:
            return
        late_s = struck.number("late_answer", "ms") / 1000
        self._later(late_s, lambda: self._answer(number, line, before, nonce, struck))

    def _answer(self, number: int, line: Line, before: Line | None, nonce: bytes, struck: Struck) -> None:
        told, told_nonce = line, nonce
        if "crossed_answer" in struck and not struck.flag("crossed_answer", "then_right"):
            told, told_nonce = before or line, b"%03d" % ((int(nonce) + 500) % 1000)
        if "wrong_nonce" in struck:
            told_nonce = b"%03d" % ((int(nonce) + 1) % 1000)
        record = self._record(told, told_nonce, told.code)
        if "wrong_terminal" in struck:
            record = record[:99] + b"EMU99999" + record[107:]
        if "doubled_answer" in struck:
            record += record
        if "torn_answer" in struck:
            self._network.write(number, record[:74])
            self._network.hang_up(number)
            return
        pause_s = struck.number("split", "pause_ms") / 1000
        pieces = [record[at : at + 1] for at in range(len(record))] if "split" in struck else [record]
        for no, piece in enumerate(pieces):
            self._later(no * pause_s, self._writer(number, piece))
        self._later(len(pieces) * pause_s, lambda: self._kill_after(struck))

    def _record(self, line: Line, nonce: bytes, code: str) -> bytes:
        fields = answers.answer_to(line, code)
        if line.no in self._leaking:
            fields = answers.leak(fields, "text")
        time = fields[wire.TIME]
        return _fixed(
            code, fields[wire.CARD], fields[wire.TRACE], fields[wire.AMOUNT], fields[wire.TEXT],
            fields[wire.MERCHANT], fields[wire.TERMINAL], fields[wire.BATCH], mmdd_of(line).encode(), time,
            fields[wire.REFERENCE], fields[wire.AUTH], nonce,
        )  # fmt: skip

    def _refusal(self, code: str, nonce: bytes) -> bytes:
        terminal_no, merchant_no = self._own
        empty = b""
        return _fixed(
            code, empty, empty, b"0" * 12, empty, merchant_no.encode(), terminal_no.encode(), empty, empty,
            empty, empty, empty, nonce,
        )  # fmt: skip

    def _say(self, number: int, record: bytes) -> None:
        self._network.write(number, record)

    def _writer(self, number: int, piece: bytes) -> Callable[[], None]:
        return lambda: self._network.write(number, piece)

    def _kill_after(self, struck: Struck) -> None:
        self._kill_at("after_answer", struck)

    def _kill_at(self, point: str, struck: Struck) -> bool:
        if struck.word("kill", "point") != point:
            return False
        with suppress(ProcessLookupError):
            os.kill(struck.number("kill", "pid"), signal.SIGKILL)
        return True


def _fixed(
    code: str, card: bytes, trace: bytes, amount: bytes, text: bytes, mid: bytes, tid: bytes, batch: bytes,
    date: bytes, time: bytes, rrn: bytes, auth: bytes, nonce: bytes,
) -> bytes:  # fmt: skip
    """Return an answer: each value in its width, filled with blanks."""
    widths = (
        (code.encode(), 2), (b"0102", 4), (card, 20), (trace, 6), (amount, 12), (text, 40), (mid, 15),
        (tid, 8), (batch, 6), (date, 4), (time, 6), (rrn, 12), (auth, 6), (date, 4), (nonce, 3),
    )  # fmt: skip
    return b"".join(value[:width].ljust(width) for value, width in widths)
