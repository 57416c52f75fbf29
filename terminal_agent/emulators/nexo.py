"""How does the emulated nexo terminal behave, when all is well and when something goes wrong?

One transaction at a time, and every message is known by its ServiceID for ever: the same one again is
answered with the same answer, and a status request repeats it.
"""

import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from terminal_agent.emulators import nexo_wire, wire
from terminal_agent.emulators.acquirer import Transaction, book
from terminal_agent.emulators.books import Books, Line, mmdd_of
from terminal_agent.emulators.delivery import Later
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.nexo_wire import Message

_ORDER = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_POI_NUMBER = re.compile(r"EMU[0-9]{6}\.([0-9]{6})", re.ASCII)
_NOISE = b"\xff\xff\xff\xff no message"


class Network(Protocol):
    """What a terminal can do with its connections."""

    def write(self, number: int, data: bytes) -> None:
        """Send to one of them."""

    def hang_up(self, number: int) -> None:
        """Close one of them."""

    def unplug_for(self, seconds: float) -> None:
        """Close all, and be away for so long."""


@dataclass(slots=True)
class Work:
    """The request for money that the terminal is at work on."""

    connection: int
    header: Message
    number: str  # what the till calls it
    transaction: Transaction
    category: str
    may_abort: bool = False
    is_over: bool = False


class NexoTerminal:
    """A card terminal with its acquirer behind it."""

    def __init__(
        self, poi_id: str, books: Books, faults: Faults, network: Network, later: Later, work_s: float
    ) -> None:
        self._poi_id = poi_id
        self._books = books
        self._faults = faults
        self._network = network
        self._later = later
        self._work_s = work_s
        self._held: dict[int, bytearray] = {}
        self._current: Work | None = None
        self._logged_in = False
        self._leaking: set[str] = set()

    def hear(self, number: int, received: bytes) -> None:
        """React to what came over a connection; nothing: it is gone."""
        if not received:
            self._held.pop(number, None)
            return
        held = self._held.setdefault(number, bytearray())
        held += received
        try:
            for message in nexo_wire.unwrap(held):
                self._hear_message(number, message)
        except (wire.Unreadable, KeyError, TypeError, AttributeError):
            self._network.hang_up(number)

    def _hear_message(self, number: int, message: Message) -> None:
        request = message["SaleToPOIRequest"]
        header = request["MessageHeader"]
        category = header["MessageCategory"]
        if header["POIID"] != self._poi_id:
            raise wire.Unreadable
        body = request[f"{category}Request"]
        if category == "Login":
            self._logged_in = True
            self._say(number, nexo_wire.answer(header, category, {"Response": {"Result": "Success"}}))
        elif category == "Diagnosis":
            status = {"GlobalStatus": "Busy" if self._is_at_work else "OK"}
            found = {"Response": {"Result": "Success"}, "POIStatus": status}
            self._say(number, nexo_wire.answer(header, category, found))
        elif category == "TransactionStatus":
            self._tell_status(number, header, body["MessageReference"])
        elif category == "Abort":
            self._abort(body["MessageReference"]["ServiceID"])
        elif category in ("Payment", "Reversal"):
            self._hear_money(number, header, category, body)
        else:
            raise wire.Unreadable

    @property
    def _is_at_work(self) -> bool:
        return self._current is not None and not self._current.is_over

    def _tell_status(self, number: int, header: Message, reference: Message) -> None:
        if "silent_query" in self._faults.strike("query"):
            return
        service_id, category = reference["ServiceID"], reference["MessageCategory"]
        work = self._current
        if work is not None and not work.is_over and work.header["ServiceID"] == service_id:
            found = nexo_wire.failure("InProgress")
        elif (line := self._line_of(service_id)) is None:
            found = nexo_wire.failure("NotFound")
        else:
            own = {**header, "ServiceID": service_id, "MessageCategory": category, "MessageType": "Response"}
            repeated = {
                "MessageHeader": own,
                "RepeatedResponseMessageBody": {f"{category}Response": self._body(line)},
            }
            found = {"Response": {"Result": "Success"}, "RepeatedMessageResponse": repeated}
        self._say(number, nexo_wire.answer(header, "TransactionStatus", found))

    def _abort(self, service_id: str) -> None:
        work = self._current
        if work is None or work.is_over or not work.may_abort or work.header["ServiceID"] != service_id:
            return
        work.is_over = True
        body = nexo_wire.failure("Aborted")
        self._say(work.connection, nexo_wire.answer(work.header, work.category, body))

    def _hear_money(self, number: int, header: Message, category: str, body: Message) -> None:
        service_id = header["ServiceID"]
        if not self._logged_in:
            self._say(number, nexo_wire.answer(header, category, nexo_wire.failure("LoggedOut")))
            return
        if (line := self._line_of(service_id)) is not None:
            self._say(number, nexo_wire.answer(header, category, self._body(line)))
            return
        if self._is_at_work:
            self._say(number, nexo_wire.answer(header, category, nexo_wire.failure("Busy")))
            return
        order = body["SaleData"]["SaleTransactionID"]["TransactionID"]
        if _ORDER.fullmatch(order) is None:
            raise wire.Unreadable
        transaction = (
            self._sale(body, service_id, order)
            if category == "Payment"
            else self._back(body, service_id, order)
        )
        self._begin(Work(number, header, order, transaction, category))

    def _sale(self, body: Message, service_id: str, order: str) -> Transaction:
        amounts = body["PaymentTransaction"]["AmountsReq"]
        if amounts["Currency"] != "CNY":
            raise wire.Unreadable
        fen = _fen(amounts["RequestedAmount"])
        return Transaction(wire.SALE, fen, service_id, order, "", "", "", self._faults.strike("sale"))

    def _back(self, body: Message, service_id: str, order: str) -> Transaction:
        named = _POI_NUMBER.fullmatch(body["OriginalPOITransaction"]["POITransactionID"]["TransactionID"])
        trace = named[1] if named else "000000"
        sale = next((one for one in self._books.lines if one.kind == "sale" and one.trace == trace), None)
        whole = sale is not None and _fen(body.get("ReversedAmount", sale.fen / 100)) == sale.fen
        if whole and self._books.find_sale(trace) is not None:
            # Void or refund, the terminal decides: the till asks for a reversal.
            struck = self._faults.strike("void")
            return Transaction(wire.VOID, 0, service_id, order, trace, "", "", struck)
        fen = _fen(body["ReversedAmount"]) if "ReversedAmount" in body else 0 if sale is None else sale.fen
        rrn, mmdd = ("", "") if sale is None else (sale.rrn, mmdd_of(sale))
        refund_no = order if order.endswith("R") else f"{order}R"
        return Transaction(
            wire.REFUND, fen, service_id, refund_no, trace, rrn, mmdd, self._faults.strike("refund")
        )

    def _begin(self, work: Work) -> None:
        struck = work.transaction.struck
        if self._kill_at("frame_received", struck) or "lost_request" in struck:
            return
        self._current = work
        self._kill_at("after_ack", struck)
        if "unplug_after_ack" in struck:
            self._network.unplug_for(struck.number("unplug_after_ack", "ms") / 1000)
        card_s = struck.number("slow_card", "ms") / 1000
        work.may_abort = "slow_card" in struck
        reports = struck.number("progress", "n")
        every_s = struck.number("progress", "every_ms") / 1000
        for no in range(1, reports + 1):
            self._later(no * every_s, lambda: self._say(work.connection, nexo_wire.progress(work.header)))
        self._later(card_s + reports * every_s + self._work_s, lambda: self._finish(work))

    def _finish(self, work: Work) -> None:
        if work.is_over:
            return
        before = self._books.last
        struck = work.transaction.struck
        line = book(self._books, work.transaction)
        work.is_over = True
        self._kill_at("after_approval", struck)
        if "clear_card" in struck:
            self._leaking.add(line.nonce)
        if "lost_answer" in struck:
            return
        self._later(struck.number("late_answer", "ms") / 1000, lambda: self._answer(work, line, before))

    def _answer(self, work: Work, line: Line, before: Line | None) -> None:
        struck = work.transaction.struck
        body = self._body(line, work.number)
        header = dict(work.header)
        if "wrong_terminal" in struck and "PaymentResult" in body:
            body["PaymentResult"]["PaymentAcquirerData"]["AcquirerPOIID"] = "EMU99999"
        if "wrong_nonce" in struck:
            header["ServiceID"] = "WRONG99999"
        own = nexo_wire.wrap(nexo_wire.answer(header, work.category, body))
        if "crossed_answer" in struck:
            other = line if before is None else before
            strangers = {**header, "ServiceID": "OTHER99999" if before is None else before.nonce}
            foreign = nexo_wire.wrap(nexo_wire.answer(strangers, work.category, self._body(other)))
            own = foreign + own if struck.flag("crossed_answer", "then_right") else foreign
        if "doubled_answer" in struck:
            own += own
        if "noise" in struck:
            own = _NOISE + own
        if "torn_answer" in struck:
            self._network.write(work.connection, own[: len(own) // 2])
            self._network.hang_up(work.connection)
            return
        pause_s = struck.number("split", "pause_ms") / 1000
        pieces = [own[at : at + 20] for at in range(0, len(own), 20)] if "split" in struck else [own]
        for no, piece in enumerate(pieces):
            self._later(no * pause_s, self._writer(work.connection, piece))
        self._later(len(pieces) * pause_s, lambda: self._kill_after(struck))

    def _writer(self, number: int, piece: bytes) -> Callable[[], None]:
        return lambda: self._network.write(number, piece)

    def _kill_after(self, struck: Struck) -> None:
        self._kill_at("after_answer", struck)

    def _body(self, line: Line, number: str = "") -> dict[str, Any]:
        body = nexo_wire.body_of(line, number or line.refund_no or line.pay_ref)
        return nexo_wire.leak(body) if line.nonce in self._leaking else body

    def _line_of(self, service_id: str) -> Line | None:
        return next((one for one in self._books.lines if one.nonce == service_id), None)

    def _say(self, number: int, message: Message) -> None:
        self._network.write(number, nexo_wire.wrap(message))

    def _kill_at(self, point: str, struck: Struck) -> bool:
        if struck.word("kill", "point") != point:
            return False
        with suppress(ProcessLookupError):
            os.kill(struck.number("kill", "pid"), signal.SIGKILL)
        return True


def _fen(yuan: float) -> int:
    fen = round(yuan * 100)
    if abs(fen - yuan * 100) > 1e-6 or not 0 < fen < 10**12:
        raise wire.Unreadable
    return fen
