"""Which lines of a claim are paid, and what becomes of the others?

A line whose goods came back is withheld for good: its money is available again. One with another reason
against it, of something frozen, or that no night has matched as it stands now, stays in the claim, and is
paid with a later payment when the reason is gone.
"""

import msgspec
from msgspec.structs import replace

from settlement.funds import freezings
from settlement.funds.matched import waits_for
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.returns.follow import BACK
from settlement.writer.batch import LinesOf, Rows, Wanted
from settlement.writer.rows import Claim, ClaimLine, ClaimPayment, Record
from settlement.writer.step import Answer, Claimed, Denied, Emit, Event, LeftOut, MoneyEvent, Setting

CLAIM_UNKNOWN = "CLAIM_UNKNOWN"


class PayClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="pay_claim"):
    """The bank has paid `claim`; `reference` names its document, which counts once for it.

    `lines` and `fen` are what two people agreed that it comes to; without them, whatever it comes to.
    """

    claim: str
    reference: str
    lines: int | None = None
    fen: int | None = None


class LinePaid(MoneyEvent, frozen=True, kw_only=True, tag="line_paid"):
    """The merchant has the money of a line."""

    record_id: str
    claim: str
    reference: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """End the line and pay the record."""
        record = rows.want(Record, self.record_id)
        assert record.state == "IN_CLAIM"
        assert record.blocks == ()
        why = f"paid by {self.reference}"
        rows.put(replace(record, state="PAID_OUT", money=Account.PAID.value, why=why))
        line = rows.want(ClaimLine, self.claim, self.record_id)
        rows.put(replace(line, state="PAID", reference=self.reference, ended_ms=self.at_ms))


class LineWithheld(MoneyEvent, frozen=True, kw_only=True, tag="line_withheld"):
    """The goods of a line came back before it was paid: its money is available again."""

    record_id: str
    claim: str
    reference: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """End the line and the record."""
        record = rows.want(Record, self.record_id)
        assert record.state == "IN_CLAIM"
        rows.put(replace(record, state="RETURNED", money=None, why="goods returned", owner="", blocks=()))
        line = rows.want(ClaimLine, self.claim, self.record_id)
        rows.put(replace(line, state="WITHHELD", reference=self.reference, ended_ms=self.at_ms))


class ClaimPaid(Event, frozen=True, kw_only=True, tag="claim_paid"):
    """A payment of a claim counts, with both totals: what was paid and what was withheld."""

    payment: ClaimPayment

    def fold(self, rows: Rows) -> None:
        """Note the payment."""
        rows.put(self.payment)


def keys(command: PayClaim, rows: Rows, setting: Setting) -> list[Wanted]:
    """Ask for the claim, its lines, the records of those that are open, and what is frozen of them."""
    lines = LinesOf(command.claim)
    wanted: list[Wanted] = [
        (Claim, (command.claim,)),
        (ClaimPayment, (command.claim, command.reference)),
        lines,
    ]
    if not rows.has(lines):
        return wanted
    records: list[Wanted] = [(Record, (line.record_id,)) for line in _open(rows, command.claim)]
    if not all(rows.has(one) for one in records):
        return wanted + records
    found = [rows.want(Record, line.record_id) for line in _open(rows, command.claim)]
    names = (name for one in found for name in freezings.concerns_record(one, setting.pack.programme))
    return wanted + freezings.keys_of(names) + balances.keys_of(found)


def decide(rows: Rows, command: PayClaim, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Pay every open line that has no reason against it."""
    claim = rows.get(Claim, command.claim)
    if claim is None:
        return unknown(command.claim)
    before = rows.get(ClaimPayment, command.claim, command.reference)
    if before is not None:
        detail = (
            f"{command.reference} has paid {before.lines} lines of {command.claim} already. "
            "Another payment needs another reference"
        )
        return Denied(409, "ALREADY_PAID", detail)
    records = [rows.want(Record, line.record_id) for line in _open(rows, command.claim)]
    against = {one.record_id: _against(rows, one, setting) for one in records}
    if not any(_may_end(record, against[record.record_id]) for record in records):
        waiting = f"{len(records)} lines wait for their reasons to go" if records else "no line is open"
        return Denied(409, "NOTHING_TO_PAY", f"{command.claim}: {waiting}. See `settlement claims show`")
    to_pay = [record for record in records if not against[record.record_id]]
    comes_to = (len(to_pay), sum(record.subsidy_fen for record in to_pay))
    if (command.lines, command.fen) not in ((None, None), comes_to):
        detail = (
            f"{command.claim} comes to {comes_to[0]} lines, {comes_to[1]} fen now, not to what was agreed. "
            "Withdraw this, and propose it again"
        )
        return Denied(409, "ANOTHER_AMOUNT", detail)
    paid_fen, paid, withheld = 0, 0, []
    for record in records:
        if BACK in record.blocks:
            withheld.append(
                LeftOut(record.record_id, record.subsidy_fen, "goods returned: withheld for good")
            )
            emit(
                LineWithheld(
                    record_id=record.record_id,
                    claim=command.claim,
                    reference=command.reference,
                    at_ms=at_ms,
                    booking=Booking(Happening.RETURNED_IN_CLAIM, record.year, record.parts, record.pool),
                )
            )
        elif against[record.record_id]:
            withheld.append(LeftOut(record.record_id, record.subsidy_fen, against[record.record_id]))
        else:
            paid, paid_fen = paid + 1, paid_fen + record.subsidy_fen
            emit(
                LinePaid(
                    record_id=record.record_id,
                    claim=command.claim,
                    reference=command.reference,
                    at_ms=at_ms,
                    booking=Booking(Happening.CLAIM_PAID, record.year, record.parts, record.pool),
                )
            )
    payment = ClaimPayment(
        claim=command.claim,
        reference=command.reference,
        lines=paid,
        fen=paid_fen,
        withheld_lines=len(withheld),
        withheld_fen=sum(one.fen for one in withheld),
        paid_ms=at_ms,
    )
    emit(ClaimPaid(payment=payment))
    return Claimed(claim.claim, claim.merchant, paid, paid_fen, tuple(withheld))


def unknown(claim: str) -> Denied:
    """Return what is said of a claim that is not here."""
    return Denied(404, CLAIM_UNKNOWN, f"there is no claim {claim}. `settlement claims show` lists them")


def _open(rows: Rows, claim: str) -> list[ClaimLine]:
    return [line for line in rows.every(LinesOf(claim)) if line.state == "SUBMITTED"]


def _against(rows: Rows, record: Record, setting: Setting) -> str:
    """Return why a line is not paid now, or an empty text."""
    if record.blocks:
        return f"blocked: {', '.join(record.blocks)}"
    return freezings.against(rows, record, setting.pack.programme) or waits_for(record)


def _may_end(record: Record, against: str) -> bool:
    """Whether a payment does something to a line: it is paid, or withheld for good."""
    return not against or BACK in record.blocks
