"""What happens when a merchant repays the grant of goods that came back after payout, or it is netted?

The money is available again in the sale's year; when that year is closed it is the treasury's.
"""

import msgspec
from msgspec.structs import replace

from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import ClosedYear, GoodsReturn, Record
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting


class Repay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="repay"):
    """The merchant has repaid a record's grant; `reference` names the document."""

    record_id: str
    reference: str


class MerchantRepaid(MoneyEvent, frozen=True, kw_only=True, tag="merchant_repaid"):
    """The merchant owes nothing for the record any more."""

    record_id: str
    reference: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note the document; the record holds no money."""
        record = rows.want(Record, self.record_id)
        assert record.money == Account.MERCHANT_RECEIVABLE
        rows.put(replace(record, money=None))
        known = rows.want(GoodsReturn, self.record_id)
        rows.put(replace(known, repaid_by=self.reference, repaid_ms=self.at_ms))


def keys(command: Repay, rows: Rows) -> list[Wanted]:
    """Ask for the record, its return and its year."""
    record = (Record, (command.record_id,))
    wanted: list[Wanted] = [record, (GoodsReturn, (command.record_id,))]
    found = rows.get(Record, command.record_id) if rows.has(record) else None
    if found is not None:
        wanted += [(ClosedYear, (found.year,)), *balances.keys_of([found])]
    return wanted


def decide(rows: Rows, command: Repay, _setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Book the repayment, once."""
    record, known = rows.get(Record, command.record_id), rows.get(GoodsReturn, command.record_id)
    if record is None:
        return record_unknown()
    if known is not None and known.repaid_by:
        detail = f"it was repaid by {known.repaid_by}. Nothing more is owed"
        return Denied(409, "ALREADY_REPAID", detail)
    if record.money != Account.MERCHANT_RECEIVABLE:
        detail = f"the record is {record.state}: nothing is owed for it. Only returns after payout are repaid"
        return Denied(409, "NOTHING_OWED", detail)
    closed = rows.get(ClosedYear, record.year) is not None
    happening = Happening.MERCHANT_REPAID_YEAR_CLOSED if closed else Happening.MERCHANT_REPAID
    emit(
        MerchantRepaid(
            record_id=command.record_id,
            reference=command.reference,
            at_ms=at_ms,
            booking=Booking(happening, record.year, record.parts, record.pool),
        )
    )
    return Done()


def record_unknown() -> Denied:
    """Return what is said of a record that is not here."""
    return Denied(404, "RECORD_UNKNOWN", "No record with this id is here. Check the id")
