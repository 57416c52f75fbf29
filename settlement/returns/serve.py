"""How are goods returned when the host that sold them is gone for good?

Its device was replaced, so no word of it is heard any more, and nobody else has its sale. Somebody at the
centre begins the return, which holds the line back at once; the merchant gives the money back the way it
came, in the channel's or acquirer's own pages; and two people book what came of it, by the document that
shows it.
While the device may still speak this is refused: its shop could give the same money back a second time.
"""

import msgspec
from msgspec.structs import replace

from settlement.claims.repaid import record_unknown
from settlement.funds import holds, open_items
from settlement.offers import take as offers
from settlement.returns.follow import follow
from settlement.returns.hear import REFUNDED, REFUSED, RETURNING, was_paid
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Device, GoodsReturn, Record
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event, Setting
from subsidy import ids


class BeginReturn(msgspec.Struct, frozen=True):
    """A shopper brings goods back, and the host that sold them is gone."""

    record_id: str
    reason: str
    by: str


class EndReturn(Decision, frozen=True, tag="end_return"):
    """People have seen, in the document that `reference` names, whether the shopper has the money back."""

    record_id: str
    refunded: bool
    reference: str


class ReturnBegunHere(Event, frozen=True, kw_only=True, tag="return_begun_here"):
    """A return is served by the centre."""

    record_id: str
    refund_no: str
    refund_fen: int
    reason: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note that it is under way; what the device had said of an earlier try stays."""
        known = rows.get(GoodsReturn, self.record_id)
        begun = known or GoodsReturn(self.record_id, RETURNING, self.refund_no, self.refund_fen, self.at_ms)
        rows.put(
            replace(
                begun,
                state=RETURNING,
                heard_ms=self.at_ms,
                operator=self.by,
                supervisor="",
                reason=self.reason,
                begun_ms=self.at_ms,
                ended_ms=None,
            )
        )


class ReturnEndedHere(Event, frozen=True, kw_only=True, tag="return_ended_here"):
    """Two people have said what came of a return, and by which document."""

    record_id: str
    refunded: bool
    reference: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note what came of it, and who has said so."""
        known = rows.want(GoodsReturn, self.record_id)
        assert known.state == RETURNING
        ended = REFUNDED if self.refunded else REFUSED
        rows.put(replace(known, state=ended, supervisor=self.by, ended_ms=self.at_ms))


def keys(command: BeginReturn | EndReturn, rows: Rows) -> list[Wanted]:
    """Ask for the record, its return, its device, and what the sale has taken."""
    key = (Record, (command.record_id,))
    wanted: list[Wanted] = [key, (GoodsReturn, (command.record_id,))]
    record = rows.get(Record, command.record_id) if rows.has(key) else None
    if record is not None:
        wanted += [(Device, (record.device,)), *holds.keys(record, rows)]
        wanted += [*offers.keys(command.record_id, None, None, rows), *open_items.keys(command.record_id)]
    return wanted


def decide(rows: Rows, command: BeginReturn | EndReturn, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Let it happen, or say why it cannot."""
    record = rows.get(Record, command.record_id)
    if record is None:
        return record_unknown()
    known = rows.get(GoodsReturn, command.record_id)
    against = _still_its_hosts(rows, record) or _against(record, known, command)
    if against is not None:
        return against
    if isinstance(command, BeginReturn):
        emit(
            ReturnBegunHere(
                record_id=record.record_id,
                refund_no=ids.refund_no(record.pay_ref),
                refund_fen=record.paid_fen,
                reason=command.reason,
                by=command.by,
                at_ms=at_ms,
            )
        )
    else:
        emit(
            ReturnEndedHere(
                record_id=record.record_id,
                refunded=command.refunded,
                reference=command.reference,
                by=command.by,
                at_ms=at_ms,
            )
        )
    follow(rows, record.record_id, setting, at_ms, emit)
    offers.follow(rows, record.record_id, emit)
    return Done()


def _still_its_hosts(rows: Rows, record: Record) -> Denied | None:
    if rows.want(Device, record.device).replaced:
        return None
    detail = (
        f"device {record.device} has sold it and may still give the money back: return the goods at its till"
        ". If that host is gone for good, `settlement devices replace` comes first"
    )
    return Denied(409, "HOST_MAY_RETURN", detail)


def _against(record: Record, known: GoodsReturn | None, command: BeginReturn | EndReturn) -> Denied | None:
    if not record.pay_ref or not was_paid(record):
        detail = f"the record is {record.state}: nothing of it was paid that could go back"
        return Denied(409, "NOT_PAID", detail)
    state = known.state if known is not None else None
    if state == REFUNDED:
        return Denied(409, "RETURNED_BEFORE", "the money went back before")
    if isinstance(command, BeginReturn) and state == RETURNING:
        detail = "it is being returned already. Look whether the money went back, then end the return"
        return Denied(409, "RETURN_UNDER_WAY", detail)
    if isinstance(command, EndReturn) and state != RETURNING:
        return Denied(409, "NO_RETURN", "no return of it is under way. `settlement returns begin` begins one")
    return None
