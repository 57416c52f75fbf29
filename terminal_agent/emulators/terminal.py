"""How does the emulated card terminal behave, when all is well and when something goes wrong?

It works on one transaction at a time and is its own acquirer: what its books hold has moved money, and
nothing else has.
"""

import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from terminal_agent.emulators import answers, wire
from terminal_agent.emulators.acquirer import Transaction, book
from terminal_agent.emulators.books import Books, Line
from terminal_agent.emulators.delivery import Delivery, Later, Parcel
from terminal_agent.emulators.faults import Faults, Struck

_NAMES = {wire.SALE: "sale", wire.VOID: "void", wire.REFUND: "refund"}
_NONCE = re.compile(r"[0-9A-Za-z]{8}", re.ASCII)
_ORDER = re.compile(r"[0-9A-Za-z]{0,32}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_TRACE = re.compile(r"[0-9]{6}", re.ASCII)
_REFERENCE = re.compile(r"[0-9A-Za-z]{12}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}|[0-9]{8}", re.ASCII)
_REFUND_NO = re.compile(r"[0-9A-Za-z]{1,31}R", re.ASCII)
# What each kind of request must carry beside its nonce, and may carry.
_NEEDED = {
    wire.SALE: {wire.AMOUNT: _AMOUNT},
    wire.VOID: {wire.ORIGINAL_TRACE: _TRACE},
    wire.REFUND: {
        wire.AMOUNT: _AMOUNT,
        wire.ORIGINAL_TRACE: _TRACE,
        wire.REFERENCE: _REFERENCE,
        wire.DATE: _DATE,
        wire.ORDER: _REFUND_NO,
    },
}


class Cable(Protocol):
    """What a terminal can do with its line beside writing to it."""

    def unplug_for(self, seconds: float) -> None:
        """Pull the cable, and push it back in after so long."""


class Terminal:
    """A card terminal with its acquirer behind it."""

    def __init__(
        self,
        terminal_no: str,
        merchant_no: str,
        books: Books,
        faults: Faults,
        write: Callable[[bytes], None],
        cable: Cable,
        later: Later,
        work_s: float,
        spoken: wire.Wire = wire.TAGGED,
    ) -> None:
        self._own = (terminal_no, merchant_no)
        self._books = books
        self._faults = faults
        self._write = write
        self._cable = cable
        self._later = later
        self._work_s = work_s
        self._spoken = spoken
        self._delivery = Delivery(write, later, spoken)
        self._current: Transaction | None = None
        self._leaking: tuple[int, str] | None = None  # which line leaks clear data, and in which form

    def hear(self, kind: str, middle: bytes) -> None:
        """React to what the till sent: "ack", "nak", "bad" or a "frame" with its middle."""
        if kind == "ack":
            self._delivery.heard_ack()
        elif kind == "nak":
            self._delivery.heard_nak()
        elif kind == "bad":
            self._write(self._spoken.not_understood)
        else:
            self._hear_request(middle)

    def _hear_request(self, middle: bytes) -> None:
        try:
            fields = self._spoken.split(middle)
        except wire.Unreadable:
            self._refuse(0, {})
            return
        type_ = fields[wire.TYPE][0] if len(fields.get(wire.TYPE, b"")) == 1 else 0
        if type_ == wire.LAST:
            self._tell_last()
        elif type_ in _NAMES and _is_complete(type_, fields):
            self._hear_money(type_, fields)
        else:
            self._refuse(type_, fields)

    def _refuse(self, type_: int, fields: wire.Fields, code: str = answers.FORMAT_CODE) -> None:
        self._write(self._spoken.acknowledged)
        nonce, order = fields.get(wire.NONCE, b""), fields.get(wire.ORDER, b"")
        self._say(answers.short_answer(type_, code, nonce, order, *self._own))

    def _tell_last(self) -> None:
        self._delivery.drop()
        self._write(self._spoken.acknowledged)
        if "silent_query" in self._faults.strike("query"):
            return
        working = self._current
        if working is not None and working.begun:
            nonce, order = working.nonce.encode(), working.order.encode()
            self._say(answers.short_answer(wire.LAST, answers.BUSY_CODE, nonce, order, *self._own))
            return
        last = self._books.last
        fields = answers.last_transaction(last, *self._own)
        if last is not None and self._leaking is not None and self._leaking[0] == last.no:
            fields = answers.leak(fields, self._leaking[1])
        self._say(fields)

    def _hear_money(self, type_: int, fields: wire.Fields) -> None:
        key = (type_, fields[wire.NONCE].decode())
        last = self._books.last
        if last is not None and (last.type, last.nonce) == key:
            # The till did not hear our ACK: it gets another one, and nothing is done twice.
            self._write(self._spoken.acknowledged)
            return
        current = self._current
        if current is not None and current.begun and current.key != key:
            self._refuse(type_, fields, answers.BUSY_CODE)
            return
        if current is None or current.key != key:
            # The till asks something new, so it no longer waits for what we were sending.
            self._delivery.drop()
            current = self._current = Transaction(
                type=type_,
                fen=int(fields[wire.AMOUNT]) if type_ != wire.VOID else 0,
                nonce=key[1],
                order=fields.get(wire.ORDER, b"").decode(),
                orig_trace=fields[wire.ORIGINAL_TRACE].decode() if type_ != wire.SALE else "",
                orig_rrn=fields[wire.REFERENCE].decode() if type_ == wire.REFUND else "",
                orig_mmdd=fields[wire.DATE].decode()[-4:] if type_ == wire.REFUND else "",
                struck=self._faults.strike(_NAMES[type_]),
            )
        self._hear_frame_of(current)

    def _hear_frame_of(self, current: Transaction) -> None:
        struck = current.struck
        current.frames_heard += 1
        if self._kill_at("frame_received", struck):
            # The till is gone before it could know that we are here: nothing was begun.
            self._current = None
        elif current.frames_heard <= struck.number("nak", "n"):
            self._write(self._spoken.not_understood)
        elif current.frames_heard <= struck.number("no_ack", "frames"):
            if struck.flag("no_ack", "charged"):
                self._begin(current)
        else:
            self._write(self._spoken.acknowledged)
            self._begin(current)

    def _begin(self, current: Transaction) -> None:
        if current.begun:
            return
        current.begun = True
        struck = current.struck
        self._kill_at("after_ack", struck)
        if "unplug_after_ack" in struck:
            self._cable.unplug_for(struck.number("unplug_after_ack", "ms") / 1000)
        if "lost_request" in struck:
            self._current = None
            return
        reports = struck.number("progress", "n")
        every_s = struck.number("progress", "every_ms") / 1000
        for no in range(1, reports + 1):
            self._later(no * every_s, lambda: self._report_progress(current))
        self._later(reports * every_s + self._work_s, lambda: self._finish(current))

    def _finish(self, current: Transaction) -> None:
        before = self._books.last
        line = book(self._books, current)
        struck = current.struck
        self._current = None
        self._kill_at("after_approval", struck)
        if "clear_card" in struck:
            self._leaking = (line.no, struck.word("clear_card", "form"))
        if "lost_answer" in struck:
            return
        parcels = self._answer_parcels(line, before, struck)
        self._later(struck.number("late_answer", "ms") / 1000, lambda: self._delivery.deliver(*parcels))

    def _answer_parcels(self, line: Line, before: Line | None, struck: Struck) -> list[Parcel]:
        fields = answers.answer_to(line)
        if "wrong_terminal" in struck:
            fields[wire.TERMINAL] = b"EMU99999"
        if "wrong_nonce" in struck:
            fields[wire.NONCE] = b"WRONG999"
        if "clear_card" in struck:
            fields = answers.leak(fields, struck.word("clear_card", "form"))

        def after_answer() -> None:
            self._kill_at("after_answer", struck)

        own = Parcel(
            self._spoken.join(fields),
            spoiled_sends=struck.number("bad_lrc", "n"),
            pause_s=struck.number("split", "pause_ms") / 1000 if "split" in struck else None,
            noisy="noise" in struck,
            when_sent=after_answer,
        )
        parcels = [own]
        if "doubled_answer" in struck:
            parcels.append(Parcel(own.middle))
        if "crossed_answer" in struck:
            foreign = Parcel(self._spoken.join(answers.answer_to(before or _somebody_elses(line))))
            parcels = [foreign, *parcels] if struck.flag("crossed_answer", "then_right") else [foreign]
        return parcels

    def _report_progress(self, current: Transaction) -> None:
        if self._spoken.at_work is not None:
            self._write(self._spoken.at_work)
        else:
            self._say(answers.progress_report(current.nonce.encode()))

    def _say(self, fields: wire.Fields) -> None:
        self._delivery.deliver(Parcel(self._spoken.join(fields)))

    def _kill_at(self, point: str, struck: Struck) -> bool:
        if struck.word("kill", "point") != point:
            return False
        with suppress(ProcessLookupError):
            os.kill(struck.number("kill", "pid"), signal.SIGKILL)
        return True


def _is_complete(type_: int, fields: wire.Fields) -> bool:
    needed = {wire.NONCE: _NONCE, **_NEEDED[type_]}
    if wire.ORDER in fields:
        needed.setdefault(wire.ORDER, _ORDER)
    texts = {tag: fields.get(tag, b"").decode("ascii", "replace") for tag in needed}
    return all(shape.fullmatch(texts[tag]) for tag, shape in needed.items())


def _somebody_elses(line: Line) -> Line:
    """Return a transaction that never was, for a terminal whose first one this is."""
    return Line(
        no=0,
        kind="sale",
        tid=line.tid,
        mid=line.mid,
        batch=line.batch,
        trace="999999",
        rrn="000000999999",
        auth="E99999",
        fen=line.fen,
        pay_ref="",
        orig_trace="",
        at=line.at,
        type=line.type,
        code="00",
        nonce="OTHER999",
    )
