"""A shop's day at an acquirer that has never heard our order numbers, as a night sees it.

Its file is the plain CSV, or UnionPay's ZM and ZME; both are written by the emulators' own code.
"""

from pathlib import Path

from books import Books
from msgspec.structs import replace
from night import CARD_NO, DAY, NEXT_DAY, SOURCES, NightDay, changed

from settlement.reconcile.run import Night
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed
from terminal_agent.emulators.acquirer_zm import zm_file

THIRD_DAY = "2026-03-03"
CSV, ZM = "acquirer_csv", "unionpay_zm"


class UnnamedDay(NightDay):
    """The books, one device, and what the acquirer has booked."""

    def __init__(self, folder: Path, of: Books, layout: str = CSV) -> None:
        super().__init__(folder, of)
        self.layout = layout
        sources = SOURCES.replace("names_orders: true", "names_orders: false").replace(CSV, layout)
        self.sources.write_text(sources, encoding="utf-8")

    def write_files(self, day: str = DAY) -> None:
        """Write them as an acquirer does that knows terminal, batch, trace and reference number."""
        told, self.card = self.card, [changed(one, pay_ref="") for one in self.card]
        super().write_files(day)
        if self.layout == ZM:
            self.write_zm(day)
        self.card = told

    def write_zm(self, day: str) -> None:
        """Write ZM and ZME in place of the CSV, or that nothing moved."""
        file = self.card_file(day)
        content = zm_file(self.card, day, CARD_NO)
        if content is None:
            file.unlink()
            file.with_name(f"{file.name}.none").touch()
        else:
            file.write_text(content, encoding="ascii")

    def slip(self) -> Evidence:
        """Return what the shop's evidence says of the last row."""
        last = self.card[-1]
        return Evidence(code="00", terminal_no=last.tid, batch=last.batch, trace=last.trace, rrn=last.rrn)

    def sell(self, tender: Tender = Tender.CARD) -> Sealed:
        """A sale that is paid by card at the first try, and whose shop has its slip."""
        held = self.hold(tender)
        self.charge(held)
        self.report_paid(held, replace(self.attempt(held), evidence=self.slip()))
        return held

    def give_back_goods(self, sold: Sealed, *, by_void: bool = False) -> None:
        """Take a sale's goods back, its money by a void or refund of which the shop has the slip."""
        (self.take_back if by_void else self.refund)(sold)
        self.report(self.returning(sold), replace(self.returned(sold), evidence=self.slip()))

    def nights(self) -> Night:
        """Run the nights of the day and the next, each on its morning; return the day's, run again."""
        self.write_files()
        self.pass_to(NEXT_DAY)
        self.run()
        self.write_files(NEXT_DAY)
        self.pass_to(THIRD_DAY)
        self.run(NEXT_DAY)
        night = self.run()
        assert night.report.proof.debited.holds
        assert night.report.proof.granted.holds
        return night

    def move_last(self, terminal_no: str) -> None:
        """Move the last row to another terminal."""
        self.card[-1] = changed(self.card[-1], tid=terminal_no)
