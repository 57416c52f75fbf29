"""Which records go into a merchant's claim for the sales up to a day?

All that are payable, have no reason against them, whose payment a night has matched with the files, and whose
device has stated its open holds since the day ended: before that a sale of the day may still be missing. A
device that was replaced states nothing any more: of its sales none is missing when its last hold of that day
has ended. What is frozen is not claimed. A claim is submitted as it is built and never edited; what becomes
claimable later goes into another claim of the same day.
"""

import datetime

import msgspec
from msgspec.structs import replace

from settlement.funds import freezings
from settlement.funds.matched import waits_for
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import ClaimsOf, HeldBy, Rows, UnclaimedOf, Wanted
from settlement.writer.rows import Claim, ClaimLine, Device, Merchant, Record
from settlement.writer.step import Answer, Claimed, Denied, Emit, Event, LeftOut, MoneyEvent, Setting
from subsidy import calendar

MOST_LINES = 1000
"""A longer claim would keep the tills waiting while it is written: what is left goes into the next one."""


class BuildClaim(msgspec.Struct, frozen=True):
    """Claim what `merchant` sold up to the end of `day`, in Shanghai."""

    merchant: str
    day: datetime.date


class ClaimBuilt(Event, frozen=True, kw_only=True, tag="claim_built"):
    """A claim has been submitted."""

    claim: Claim

    def fold(self, rows: Rows) -> None:
        """Put the claim."""
        rows.put(self.claim)


class LineClaimed(MoneyEvent, frozen=True, kw_only=True, tag="line_claimed"):
    """A record has gone into a claim."""

    record_id: str
    claim: str

    def fold(self, rows: Rows) -> None:
        """Put the line."""
        record = rows.want(Record, self.record_id)
        assert record.state == "PAYABLE"
        assert record.blocks == ()
        rows.put(
            replace(record, state="IN_CLAIM", money=Account.IN_CLAIM.value, why=f"in claim {self.claim}")
        )
        rows.put(ClaimLine(self.claim, self.record_id, record.subsidy_fen, "SUBMITTED"))


def keys(command: BuildClaim, rows: Rows, setting: Setting) -> list[Wanted]:
    """Ask for the merchant's records, its claims of the day, who reported the records, and what is frozen."""
    unclaimed = _unclaimed(command)
    wanted: list[Wanted] = [
        (Merchant, (command.merchant,)),
        unclaimed,
        ClaimsOf(command.merchant, command.day.isoformat()),
    ]
    if not rows.has(unclaimed):
        return wanted
    records: list[Record] = rows.every(unclaimed)
    devices: list[Wanted] = [(Device, (name,)) for name in {record.device for record in records}]
    programme = setting.pack.programme
    wanted += devices
    wanted += freezings.keys_of(
        name for record in records for name in freezings.concerns_record(record, programme)
    )
    if all(rows.has(one) for one in devices):
        known = [rows.want(Device, record.device) for record in records]
        wanted += {HeldBy(one.device, one.epoch) for one in known if one.replaced}
    return wanted + balances.keys_of(records)


def decide(rows: Rows, command: BuildClaim, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Build the claim and return what is in it and what was left out."""
    if rows.get(Merchant, command.merchant) is None:
        detail = f"there is no merchant {command.merchant}. Import it, or correct the id"
        return Denied(404, "MERCHANT_UNKNOWN", detail)
    taken: list[Record] = []
    left_out: list[LeftOut] = []
    for record in rows.every(_unclaimed(command)):
        why = _why_not(rows, record, command, setting)
        if not why and len(taken) == MOST_LINES:
            why = "the claim is full: it goes into the next one"
        if why:
            left_out.append(LeftOut(record.record_id, record.subsidy_fen, why))
        else:
            taken.append(record)
    if not taken:
        return Claimed(None, command.merchant, 0, 0, tuple(left_out))
    claim = Claim(
        claim=_next_name(rows, command),
        merchant=command.merchant,
        day=command.day.isoformat(),
        lines=len(taken),
        fen=sum(record.subsidy_fen for record in taken),
        built_ms=at_ms,
    )
    emit(ClaimBuilt(claim=claim))
    for record in taken:
        booking = Booking(Happening.CLAIM_SUBMITTED, record.year, record.parts, record.pool)
        emit(LineClaimed(record_id=record.record_id, claim=claim.claim, booking=booking))
    more = len(taken) == MOST_LINES
    return Claimed(claim.claim, command.merchant, claim.lines, claim.fen, tuple(left_out), more)


def _why_not(rows: Rows, record: Record, command: BuildClaim, setting: Setting) -> str:
    if record.state == "BLOCKED":
        return f"blocked: {', '.join(record.blocks)}"
    frozen = freezings.against(rows, record, setting.pack.programme)
    if frozen:
        return frozen
    device = rows.want(Device, record.device)
    if device.replaced:
        held = rows.held_by(device.device, device.epoch)
        waiting = sum(one.placed_at_ms < calendar.end_ms(command.day) for one in held)
        if waiting:
            return f"{waiting} holds of its replaced device {device.device} have not ended yet"
    elif device.stated_ms < calendar.end_ms(command.day):
        frozen = "; it is frozen" if device.frozen is not None else ""
        return f"device {device.device} has not stated its open holds since the day ended{frozen}"
    return waits_for(record)


def _unclaimed(command: BuildClaim) -> UnclaimedOf:
    return UnclaimedOf(command.merchant, calendar.end_ms(command.day))


def _next_name(rows: Rows, command: BuildClaim) -> str:
    """Return `C-<merchant>-<day>`, with `-2` and so on for a further claim of that day."""
    day = command.day.isoformat()
    number = len(rows.every(ClaimsOf(command.merchant, day))) + 1
    return f"C-{command.merchant}-{day}" + (f"-{number}" if number > 1 else "")
