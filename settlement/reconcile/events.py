"""What changes when the night finds something, finds it settled, or finds a sale paid?"""

from msgspec.structs import replace

from settlement.funds import holds
from settlement.funds.blocks import block, unblock
from settlement.funds.freed_goods import take_again
from settlement.funds.matched import MATCHED
from settlement.ledger.accounts import Account
from settlement.writer.batch import Rows
from settlement.writer.rows import Difference, Record
from settlement.writer.step import Event, MoneyEvent


def block_of(kind: str) -> str:
    """Return the reason under which a difference blocks a record's line."""
    return f"night:{kind}"


class DifferenceFound(Event, frozen=True, kw_only=True, tag="night_difference_found"):
    """Files and records differ. `record_id` is None when no record is concerned."""

    subject: str
    kind: str
    day: str
    fen: int
    pay_ref: str
    record_id: str | None
    owner: str
    detail: str
    next_step: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Open the item, or correct it, and block the record's line."""
        before = rows.get(Difference, self.subject, self.kind)
        is_open = before is not None and before.closed_ms is None
        rows.put(
            Difference(
                subject=self.subject,
                kind=self.kind,
                owner=self.owner,
                detail=self.detail,
                opened_ms=before.opened_ms if before is not None and is_open else self.at_ms,
                day=self.day,
                fen=self.fen,
                pay_ref=self.pay_ref,
                next_step=self.next_step,
            )
        )
        if self.record_id is not None:
            block(rows, self.record_id, block_of(self.kind), f"{self.kind}: {self.detail}", self.owner)


class DifferenceSettled(Event, frozen=True, kw_only=True, tag="night_difference_settled"):
    """A later file or record, or two people, explain a difference. `unblocks` frees the line."""

    subject: str
    kind: str
    record_id: str | None
    unblocks: bool
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Close the item, and free the line when no other item of its kind is open for the record."""
        item = rows.want(Difference, self.subject, self.kind)
        rows.put(replace(item, closed_ms=self.at_ms))
        if self.unblocks and self.record_id is not None:
            unblock(rows, self.record_id, block_of(self.kind))


class PaymentLookedAt(Event, frozen=True, kw_only=True, tag="night_payment_looked_at"):
    """A night has held the record's payment against the files; `says` is MATCHED, or what it waits for."""

    record_id: str
    says: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note it."""
        rows.put(replace(rows.want(Record, self.record_id), night=self.says))


class RecordRecovered(MoneyEvent, frozen=True, kw_only=True, tag="record_recovered"):
    """The files prove that a hold was paid; its shop has not reported yet. `why` names the files."""

    record_id: str
    pay_ref: str
    paid_fen: int
    why: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """The hold has become a grant; the shop's own record will be merged into it."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        holds.count_open(rows, record, -1)
        record = take_again(rows, record)
        rows.put(
            replace(
                record,
                state="PAYABLE",
                money=Account.PAYABLE.value,
                paid_fen=self.paid_fen,
                pay_ref=self.pay_ref,
                recovered=True,
                ended_ms=self.at_ms,
                why=self.why,
                night=MATCHED,
            )
        )
