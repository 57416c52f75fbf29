"""What changes when goods come back?"""

from msgspec.structs import replace

from settlement.funds import blocks, holds
from settlement.ledger.accounts import Account
from settlement.ledger.post import Happening
from settlement.writer.batch import Rows
from settlement.writer.rows import GoodsReturn, Record
from settlement.writer.step import Event, MoneyEvent


class ReturnHeard(Event, frozen=True, kw_only=True, tag="return_heard"):
    """A shop has told of a return: `goods_return` is what is known of it now."""

    goods_return: GoodsReturn

    def fold(self, rows: Rows) -> None:
        """Put what is known."""
        rows.put(self.goods_return)

    def about(self) -> str:
        """The record whose goods come back."""
        return self.goods_return.record_id


class LineHeldBack(Event, frozen=True, kw_only=True, tag="line_held_back"):
    """A line has a reason not to be paid now."""

    record_id: str
    reason: str
    why: str
    owner: str

    def fold(self, rows: Rows) -> None:
        """Add the reason."""
        blocks.block(rows, self.record_id, self.reason, self.why, self.owner)


class LineFreed(Event, frozen=True, kw_only=True, tag="line_freed"):
    """A reason not to pay a line is gone."""

    record_id: str
    reason: str

    def fold(self, rows: Rows) -> None:
        """Take the reason away."""
        blocks.unblock(rows, self.record_id, self.reason)


class GoodsFreed(Event, frozen=True, kw_only=True, tag="goods_freed"):
    """The shopper has the money back: serial number and qualification may be used again.

    `restores_quota` is what the programme says of the person's quota.
    """

    record_id: str
    restores_quota: bool

    def fold(self, rows: Rows) -> None:
        """Give back what the sale took, once."""
        known, record = rows.want(GoodsReturn, self.record_id), rows.want(Record, self.record_id)
        assert known.state == "REFUNDED"
        assert not known.freed
        if not record.goods_freed:  # people freed them when they rejected the record
            holds.give_back(rows, record, self.restores_quota)
        rows.put(replace(known, freed=True, money=record.money or ""))


class GrantReturned(MoneyEvent, frozen=True, kw_only=True, tag="grant_returned"):
    """The fund need not pay for goods that came back, or is owed what it has paid."""

    record_id: str

    def fold(self, rows: Rows) -> None:
        """End the record; a late grant's tombstone stays one, with nothing claimed any more."""
        record = rows.want(Record, self.record_id)
        happening = self.booking.happening
        if happening is Happening.LATE_GRANT_RETURNED:
            assert record.state == "RELEASED"
            known = rows.want(GoodsReturn, self.record_id)
            rows.put(replace(known, money=record.money or ""))
            rows.put(replace(record, money=None, blocks=()))
            return
        owed = happening is Happening.RETURNED_AFTER_PAYOUT
        rows.put(
            replace(
                record,
                state="RETURNED",
                money=Account.MERCHANT_RECEIVABLE.value if owed else None,
                why="goods returned",
                owner="",
                blocks=(),
            )
        )
