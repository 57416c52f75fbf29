"""A shop's day and what channel and acquirer write of it, for the night to hold together.

    day = NightDay(tmp_path)
    sold = day.sell()                      # paid by card: an entry at the centre, a row at the acquirer
    day.plant(...)                         # change one row behind everybody's back
    night = day.run()                      # the next morning

The records reach the centre through its one writer; the files are written by the emulators' own code.
"""

import dataclasses
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import reference_data as reference
from books import Books
from fake_device import FakeDevice, promised

from settlement.reconcile.config import NightConfig, read_night_config
from settlement.reconcile.report import Report
from settlement.reconcile.run import Night, NightParts, run_night
from settlement.writer.apply import Command
from settlement.writer.rows import Record
from settlement.writer.step import Answer
from subsidy import ids
from subsidy.calendar import SHANGHAI
from subsidy.policy.model import Tender
from subsidy.seal import Sealed
from subsidy.wire import v1
from terminal_agent.emulators.acquirer_file import settlement_file
from terminal_agent.emulators.books import Line as CardLine
from terminal_agent.emulators.wechat_bill import trade_bill
from terminal_agent.emulators.wechat_books import Line as WechatLine

DAY = "2026-03-01"
NEXT_DAY = "2026-03-02"
ACQUIRER = "acquirer"
WECHAT = "wechat"
CARD_NO = "EMU000000000001"
WECHAT_NO = "EMU00000001"
HOUR_MS = 3_600_000
SOURCES = f"""\
files: incoming
sources:
  - source: {ACQUIRER}
    layout: acquirer_csv
    file: "acquirer-{{date}}.csv"
    tenders: [card]
    merchants: {{"{CARD_NO}": ["{reference.SHOP}"], "EMU000000000009": ["{reference.OTHER_SHOP}"]}}
    longest_payment_s: 300
    names_orders: true
  - source: {WECHAT}
    layout: wechat_bill
    file: "wechat-{{date}}.csv"
    tenders: [qr_scan, qr_show]
    merchants: {{"{WECHAT_NO}": every_shop}}
    longest_payment_s: 300
"""


class NightDay:
    """The books, one device, and the two sides' books of what moved."""

    def __init__(self, folder: Path, books: Books | None = None) -> None:
        self.folder = folder
        self.books = books or Books(folder)
        self.device: FakeDevice = self.books.enrol()
        self.card: list[CardLine] = []
        self.wechat: list[WechatLine] = []
        self.incoming = folder / "incoming"
        self.incoming.mkdir(exist_ok=True)
        self.sources = folder / "night.yaml"
        self.sources.write_text(SOURCES, encoding="utf-8")
        self.trace = 0
        self._people = 0

    # At the shop.

    def hold(self, tender: Tender = Tender.CARD) -> Sealed:
        """Place a hold for the next person's fridge."""
        self._people += 1
        person = (self._people - 1) % reference.PEOPLE
        category = ("FRIDGE", "AC", "PHONE")[(self._people - 1) // reference.PEOPLE]
        return self.books.hold(self.device, tender=tender, person=person, category=category)

    def attempt(
        self, sealed: Sealed, no: int = 1, state: str = "PAID", tender: Tender | None = None
    ) -> v1.Attempt:
        """Return an attempt of a sale as the journal has it."""
        promise = promised(sealed)
        fen = promise.amounts.to_pay_fen if state == "PAID" else None
        return self.device.attempt(
            promise, no, state=state, approved_fen=fen, tender=tender or promise.tender
        )

    def report_paid(self, sealed: Sealed, *attempts: v1.Attempt) -> None:
        """Let the centre hear of a paid sale."""
        entry = self.device.paid(sealed, attempts=attempts or (self.attempt(sealed),))
        assert self.books.take(self.device, self.device.chain(entry)) == ["accepted"]

    def report_closed(self, sealed: Sealed, *attempts: v1.Attempt) -> None:
        """Let the centre hear of a sale that was not paid."""
        promise = promised(sealed)
        entry = self.device.closed(promise.record_id, promise.hold_no, attempts)
        assert self.books.take(self.device, self.device.chain(entry)) == ["accepted"]

    def report(self, *entries: v1.Entry) -> None:
        """Let the centre hear of anything else."""
        chained = [self.device.chain(entry) for entry in entries]
        assert self.books.take(self.device, *chained) == ["accepted"] * len(entries)

    def returning(self, sealed: Sealed, no: int = 1) -> v1.Returning:
        """Return the entry of a return that has begun."""
        promise = promised(sealed)
        return v1.Returning(
            v=1,
            record_id=promise.record_id,
            refund_no=ids.refund_no(ids.pay_ref(promise.record_id, no)),
            refund_fen=promise.amounts.to_pay_fen,
            operator="007",
            supervisor="001",
            reason="不合适",
            begun_ms=self.books.clock.now_ms(),
        )

    def returned(self, sealed: Sealed, no: int = 1, refunded: bool = True) -> v1.Returned:
        """Return the entry of a return's end."""
        promise = promised(sealed)
        return v1.Returned(
            v=1,
            record_id=promise.record_id,
            refund_no=ids.refund_no(ids.pay_ref(promise.record_id, no)),
            refunded=refunded,
            refund_fen=promise.amounts.to_pay_fen,
            evidence=self.attempt(sealed).evidence,
            ended_ms=self.books.clock.now_ms(),
        )

    # What the other sides book.

    def charge(
        self, sealed: Sealed, no: int = 1, tender: Tender | None = None, fen: int | None = None
    ) -> None:
        """A card or wallet is charged."""
        self._move(sealed, no, tender, "sale", "charge", fen)

    def take_back(
        self, sealed: Sealed, no: int = 1, tender: Tender | None = None, fen: int | None = None
    ) -> None:
        """A charge is voided, an order reversed."""
        self._move(sealed, no, tender, "void", "reversal", fen)

    def refund(
        self, sealed: Sealed, no: int = 1, tender: Tender | None = None, fen: int | None = None
    ) -> None:
        """A charge is refunded."""
        self._move(sealed, no, tender, "refund", "refund", fen)

    def charge_unnamed(self, fen: int) -> None:
        """A card is charged by the terminal under no number of ours."""
        self._card_line("sale", fen, "")

    def plain_sale(self, fen: int = 4990) -> None:
        """The same terminal sells something without subsidy, and another program has an order at WeChat."""
        self._card_line("sale", fen, "")
        self._wechat_line("charge", fen, f"POS{len(self.wechat):020d}", "")

    def _move(
        self, sealed: Sealed, no: int, tender: Tender | None, card: str, wechat: str, fen: int | None
    ) -> None:
        promise = promised(sealed)
        fen = promise.amounts.to_pay_fen if fen is None else fen
        pay_ref = ids.pay_ref(promise.record_id, no)
        if (tender or promise.tender) is Tender.CARD:
            self._card_line(card, fen, pay_ref)
        else:
            self._wechat_line(wechat, fen, pay_ref, ids.refund_no(pay_ref) if wechat == "refund" else "")

    def at(self) -> str:
        """Return the time as the emulators write it."""
        now = datetime.datetime.fromtimestamp(self.books.clock.now_ms() / 1000, SHANGHAI)
        return now.isoformat(timespec="seconds")

    def _card_line(self, kind: str, fen: int, pay_ref: str) -> None:
        self.trace += 1
        sale = next((one for one in self.card if one.kind == "sale" and one.pay_ref == pay_ref), None)
        self.card.append(
            CardLine(
                no=self.trace,
                kind=kind,
                tid=reference.TERMINAL,
                mid=CARD_NO,
                batch="000001",
                trace=f"{self.trace:06d}",
                rrn=f"{self.trace:012d}",
                auth=f"E{self.trace:05d}",
                fen=fen,
                pay_ref=pay_ref,
                orig_trace="" if kind == "sale" or sale is None else sale.trace,
                at=self.at(),
                type={"sale": 2, "void": 3, "refund": 4}[kind],
                code="00",
                nonce="",
            )
        )

    def _wechat_line(self, kind: str, fen: int, order: str, refund_no: str) -> None:
        self.trace += 1
        paid = next((one for one in self.wechat if one.out_trade_no == order), None)
        self.wechat.append(
            WechatLine(
                no=self.trace,
                kind=kind,
                out_trade_no=order,
                transaction_id=paid.transaction_id if paid else f"4200{self.trace:024d}",
                fen=fen,
                out_refund_no=refund_no,
                refund_id="" if kind == "charge" else f"5030{self.trace:024d}",
                code_hash="c",
                description="双门冰箱,以旧换新",
                due_ms=0,
                then="",
                hidden_ms=0,
                at=self.at(),
            )
        )

    # Whole sales.

    def sell(self, tender: Tender = Tender.CARD) -> Sealed:
        """A sale that is paid at the first try."""
        sealed = self.hold(tender)
        self.charge(sealed)
        self.report_paid(sealed)
        return sealed

    def sell_again(self, first: Tender, second: Tender) -> Sealed:
        """The first try is reversed, the second pays."""
        sealed = self.hold(first)
        self.charge(sealed)
        self.take_back(sealed)
        self.charge(sealed, 2, second)
        self.report_paid(sealed, self.attempt(sealed, 1, "NOT_PAID"), self.attempt(sealed, 2, tender=second))
        return sealed

    def give_back(self, tender: Tender) -> Sealed:
        """The only try is reversed too late and given back by a refund."""
        sealed = self.hold(tender)
        self.charge(sealed)
        self.refund(sealed)
        self.report_closed(sealed, self.attempt(sealed, 1, "GIVEN_BACK"))
        return sealed

    def stop(self, tender: Tender, charged: bool) -> Sealed:
        """The shopper walks off; what was charged is reversed."""
        sealed = self.hold(tender)
        if charged:
            self.charge(sealed)
            self.take_back(sealed)
        self.report_closed(sealed, self.attempt(sealed, 1, "NOT_PAID"))
        return sealed

    def sell_and_return(self, tender: Tender, by_void: bool = False) -> Sealed:
        """A sale whose goods come back on the same day."""
        sealed = self.sell(tender)
        if by_void:
            self.take_back(sealed)
        else:
            self.refund(sealed)
        self.report(self.returning(sealed), self.returned(sealed))
        return sealed

    # The files, and the night.

    def write_files(self, day: str = DAY) -> None:
        """Write the files of a day, or WeChat's word that nothing moved."""
        self.card_file(day).write_text(settlement_file(self.card, day), encoding="utf-8")
        bill = trade_bill(self.wechat, day, "wxEMU0000000000000", WECHAT_NO)
        if bill is None:
            self.wechat_file(day).with_name(self.wechat_file(day).name + ".none").touch()
        else:
            self.wechat_file(day).write_bytes(bill)

    def card_file(self, day: str = DAY) -> Path:
        """Where the acquirer's file of a day lies."""
        return self.incoming / f"acquirer-{day}.csv"

    def wechat_file(self, day: str = DAY) -> Path:
        """Where WeChat's bill of a day lies."""
        return self.incoming / f"wechat-{day}.csv"

    def pass_to(self, day: str, hour: float = 10.5) -> None:
        """Let the clock go on to an hour of a day."""
        at = datetime.datetime.fromisoformat(f"{day}T00:00:00+08:00").timestamp() * 1000 + hour * HOUR_MS
        self.books.clock.ahead_ms = round(at) - self.books.clock.at_ms

    def config(self) -> NightConfig:
        """Return the sources."""
        config = read_night_config(self.sources.read_text(encoding="utf-8"), self.sources, training=True)
        return msgspec.structs.replace(config, tenders=self.books.pack.tenders)

    def parts(self, submit: Callable[[Command], Answer] | None = None) -> NightParts:
        """Return what a night works with; commands go through the writer that checks the books."""
        return NightParts(
            programme=self.books.pack.programme,
            engine=self.books.engine,
            database=self.books.centre.settings.database,
            config=self.config(),
            owner=lambda _day: "platform",
            lag_target_s=lambda _day: 300,
            submit=submit or (lambda command: self.books.write(command)[0]),
            now_ms=self.books.clock.now_ms,
        )

    def run(self, day: str = DAY, **more: Any) -> Night:
        """Run the night of a day."""
        return run_night(self.parts(), day, **more)

    def record(self, sealed: Sealed) -> Record:
        """Return a sale's record."""
        return self.books.record(sealed)


def pay_ref(sealed: Sealed, no: int = 1) -> str:
    """Return the order number of an attempt."""
    return ids.pay_ref(promised(sealed).record_id, no)


def to_pay(sealed: Sealed) -> int:
    """Return what the shopper pays."""
    return promised(sealed).amounts.to_pay_fen


def triples(report: Report) -> list[tuple[str, str, int]]:
    """Return the differences as (kind, pay_ref, fen), sorted."""
    return sorted((one.kind, one.pay_ref, one.fen) for one in report.differences)


def changed(line: Any, **changes: Any) -> Any:
    """Return a line of an emulator's books with other values."""
    return dataclasses.replace(line, **changes)


def document(night: Night) -> dict[str, Any]:
    """Return a night's report as it is printed with --json."""
    return dict(json.loads(night.content))
