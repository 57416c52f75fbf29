"""How do people end a record that nothing else moves on: one that is blocked or kept, or a late grant?

Rejected, its money is available again and the record is over, as a rejected line of a claim is. The sale may
have happened, so its person and serial number stay taken, unless the proposer says that they are free. Of a
late grant only the claim beside the pool is taken off: it holds no money, no person and no serial number.
Accepted, one difference against the line is lifted, and with the last one gone it may be claimed; one that
was found after the line was paid is only closed. What has a way out of its own (a return, an invoice, a
difference of the night) is not accepted here.
"""

from msgspec.structs import replace

from settlement.claims.repaid import record_unknown
from settlement.funds import blocks, holds, open_items
from settlement.funds.open_items import ENDED_WITH_RECORD
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.returns.follow import UNDER_WAY
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference, Record
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event, MoneyEvent, Setting
from subsidy import calendar
from subsidy.policy.model import must

MAY_BE_ACCEPTED = ("decision_differs", "recovery_differs", "return_differs", "late_differs")
"""The reasons that people may lift: each is a question about a record, and an answer is theirs alone."""

_GIVES_BACK = {
    Account.PAYABLE.value: Happening.BLOCKED_REJECTED,
    Account.HELD.value: Happening.KEPT_REJECTED,
    Account.SUSPENSE.value: Happening.SUSPENSE_REJECTED,
    Account.LATE_GRANTS_CLAIMED.value: Happening.LATE_GRANT_REJECTED,
}

_INSTEAD = {
    "HELD": "Release it with `settlement holds release`",
    "PAYABLE": "Let it go into a claim; `settlement claims reject` takes it out of that for good",
    "IN_CLAIM": "`settlement claims reject` takes its line out of the claim",
    "PAID_OUT": "It is paid: only a return of its goods brings the money back",
    "RELEASED": "Its hold has ended and nothing of it is claimed",
}


class RejectRecord(Decision, frozen=True, tag="reject_record"):
    """The fund does not pay a record, people have decided; `frees_goods` frees person and serial number."""

    record_id: str
    frees_goods: bool
    reason: str


class AcceptDifference(Decision, frozen=True, tag="accept_difference"):
    """People have looked at one difference against a record's line, and it is no reason not to pay."""

    record_id: str
    difference: str
    reason: str


class RecordRejected(MoneyEvent, frozen=True, kw_only=True, tag="record_rejected"):
    """The fund does not pay a record. `restores_quota` is what the programme says of a person's quota."""

    record_id: str
    why: str
    by: str
    frees_goods: bool
    restores_quota: bool
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """End the record and what was open about it, and give back what is free."""
        record = rows.want(Record, self.record_id)
        is_late = blocks.is_late_grant(record)
        assert record.state in ("BLOCKED", "KEPT") or is_late
        if self.frees_goods and not record.goods_freed:
            holds.give_back(rows, record, self.restores_quota)
        rows.put(
            replace(
                record,
                state="AVAILABLE_AGAIN",
                money=None,
                why=f"rejected: {self.why}",
                owner="",
                blocks=(),
                # The end of a late grant's hold has given them back: no later return does it once more.
                goods_freed=record.goods_freed or self.frees_goods or is_late,
            )
        )
        for kind in ENDED_WITH_RECORD:
            open_items.close(rows, self.record_id, kind, self.at_ms)


class DifferenceAccepted(Event, frozen=True, kw_only=True, tag="difference_accepted"):
    """A difference is no reason against a record's line any more."""

    record_id: str
    difference: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Take the reason away, and close its item."""
        blocks.unblock(rows, self.record_id, self.difference)
        open_items.close(rows, self.record_id, self.difference, self.at_ms)


def keys(command: RejectRecord | AcceptDifference, rows: Rows) -> list[Wanted]:
    """Ask for the record, what is open about it, and what it has taken."""
    key = (Record, (command.record_id,))
    record = rows.get(Record, command.record_id) if rows.has(key) else None
    taken = holds.keys(record, rows) if record is not None else ()
    accepted = [(Difference, (command.record_id, kind)) for kind in MAY_BE_ACCEPTED]
    return [key, *accepted, *open_items.keys(command.record_id), *taken]


def decide(
    rows: Rows, command: RejectRecord | AcceptDifference, setting: Setting, at_ms: int, emit: Emit
) -> Answer:
    """Let it happen, or say what to do instead."""
    record = rows.get(Record, command.record_id)
    if record is None:
        return record_unknown()
    if isinstance(command, AcceptDifference):
        return _accept(rows, record, command, at_ms, emit)
    return _reject(record, command, setting, at_ms, emit)


def _accept(rows: Rows, record: Record, command: AcceptDifference, at_ms: int, emit: Emit) -> Answer:
    if command.difference not in MAY_BE_ACCEPTED:
        detail = f"people accept only {', '.join(MAY_BE_ACCEPTED)}: the rest ends in a way of its own"
        return Denied(409, "NOT_TO_BE_ACCEPTED", detail)
    # One that was found when the line was paid already blocks nothing, and waits for people all the same.
    if command.difference not in record.blocks and not open_items.is_open(
        rows, record.record_id, command.difference
    ):
        against = ", ".join(record.blocks) or "nothing"
        detail = f"the record is {record.state} and held back by {against}: name one that is there"
        return Denied(409, "NOT_BLOCKED_BY_IT", detail)
    emit(
        DifferenceAccepted(
            record_id=record.record_id,
            difference=command.difference,
            why=command.reason,
            by=command.by,
            at_ms=at_ms,
        )
    )
    return Done()


def _reject(record: Record, command: RejectRecord, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    is_late = blocks.is_late_grant(record)
    if record.state not in ("BLOCKED", "KEPT") and not is_late:
        instead = _INSTEAD.get(record.state, "It is over already")
        said = f"the record is {record.state}: {record.why}"
        detail = f"{said}. Only a blocked or kept one, or a late grant, is rejected. {instead}"
        return Denied(409, "NOT_TO_BE_REJECTED", detail)
    # The centre ends no return of a payment that has no number: nothing else would end such a late grant.
    if UNDER_WAY in record.blocks and (record.pay_ref or not is_late):
        detail = "its goods are being returned, which ends it. `settlement returns end` when its host is gone"
        return Denied(409, "RETURN_UNDER_WAY", detail)
    if is_late and command.frees_goods:
        detail = "its hold's end gave back person and serial number, others may have them. Reject it without"
        return Denied(409, "GOODS_FREED", detail)
    assert record.money is not None
    day = calendar.business_day(calendar.from_ms(record.placed_at_ms))
    # A kept record has no payment that counts: nothing says that the person has had anything.
    restores = record.state == "KEPT" or (not is_late and must(setting.pack.return_restores_quota, day).value)
    emit(
        RecordRejected(
            record_id=record.record_id,
            why=command.reason,
            by=command.by,
            frees_goods=command.frees_goods,
            restores_quota=restores,
            at_ms=at_ms,
            booking=Booking(_GIVES_BACK[record.money], record.year, record.parts, record.pool),
        )
    )
    return Done()
