"""What becomes of a line that a reviewer does not accept?

Rejected, its money is available again and the record is over; the sale has happened, so its serial
number and quota stay taken. Sent back to be corrected, it is payable again and goes into another claim.
"""

import msgspec
from msgspec.structs import replace

from settlement.claims.pay import unknown
from settlement.funds import open_items
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.returns.follow import BACK
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Claim, ClaimLine, Record
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting


class SendBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="send_back"):
    """Take a line out of a submitted claim, to be corrected or for good."""

    claim: str
    record_id: str
    reason: str
    to_correct: bool


class LineRejected(MoneyEvent, frozen=True, kw_only=True, tag="line_rejected"):
    """A line was rejected: the fund does not pay it."""

    record_id: str
    claim: str
    reason: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """End the line and the record."""
        record = rows.want(Record, self.record_id)
        assert record.state == "IN_CLAIM"
        why = f"rejected: {self.reason}"
        rows.put(replace(record, state="AVAILABLE_AGAIN", money=None, why=why, owner="", blocks=()))
        line = rows.want(ClaimLine, self.claim, self.record_id)
        rows.put(replace(line, state="REJECTED", why=self.reason, ended_ms=self.at_ms))


class LineToCorrect(MoneyEvent, frozen=True, kw_only=True, tag="line_to_correct"):
    """A line was sent back to be corrected: it may be claimed again."""

    record_id: str
    claim: str
    reason: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """End the line; the record is payable, and blocked when there is a reason against it."""
        record = rows.want(Record, self.record_id)
        assert record.state == "IN_CLAIM"
        why = f"to correct: {self.reason}"
        record = replace(record, state="PAYABLE", money=Account.PAYABLE.value, why=why)
        rows.put(record)
        if record.blocks:
            rows.put(replace(record, state="BLOCKED", why=f"blocked: {', '.join(record.blocks)}"))
        line = rows.want(ClaimLine, self.claim, self.record_id)
        rows.put(replace(line, state="CORRECTED", why=self.reason, ended_ms=self.at_ms))


def keys(command: SendBack, rows: Rows) -> list[Wanted]:
    """Ask for the line, its record, and what waits for people about that."""
    record = (Record, (command.record_id,))
    wanted: list[Wanted] = [
        (Claim, (command.claim,)),
        (ClaimLine, (command.claim, command.record_id)),
        record,
        *open_items.keys(command.record_id),
    ]
    found = rows.get(Record, command.record_id) if rows.has(record) else None
    return wanted + (balances.keys_of([found]) if found is not None else [])


def decide(rows: Rows, command: SendBack, _setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Take the line out, unless it is over already."""
    if rows.get(Claim, command.claim) is None:
        return unknown(command.claim)
    line = rows.get(ClaimLine, command.claim, command.record_id)
    if line is None:
        detail = (
            f"{command.claim} has no line for {command.record_id}. `settlement claims show` lists its lines"
        )
        return Denied(404, "LINE_UNKNOWN", detail)
    if line.state != "SUBMITTED":
        detail = f"the line of {command.record_id} is {line.state} since it ended. A line ends once"
        return Denied(409, "LINE_ENDED", detail)
    record = rows.want(Record, command.record_id)
    if BACK in record.blocks:
        detail = "the goods were returned: the line is withheld when the claim is paid. Pay the claim"
        return Denied(409, "GOODS_RETURNED", detail)
    event, happening = (
        (LineToCorrect, Happening.LINE_TO_CORRECT)
        if command.to_correct
        else (LineRejected, Happening.LINE_REJECTED)
    )
    emit(
        event(
            record_id=command.record_id,
            claim=command.claim,
            reason=command.reason,
            at_ms=at_ms,
            booking=Booking(happening, record.year, record.parts, record.pool),
        )
    )
    if not command.to_correct:
        open_items.end(rows, command.record_id, at_ms, emit)
    return Done()
