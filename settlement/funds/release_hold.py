"""How do people end a hold, or free its person and serial number before its money?

The fifth ending, for a hold whose shop is silent and of whose payment no file will ever tell. A paid record
that comes after it is kept as a late grant, as after every other ending.
"""

from msgspec.structs import replace

from settlement.claims.repaid import record_unknown
from settlement.funds import holds
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Device, GoodsReturn, Record
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event, Setting

DECIDED = "decided by people"


class ReleaseHold(Decision, frozen=True, tag="release_hold"):
    """People have decided that a hold ends unpaid."""

    record_id: str
    reason: str


class FreeGoods(Decision, frozen=True, tag="free_goods"):
    """People have decided that person and serial number of a hold are free, and its money is not yet."""

    record_id: str
    reason: str


class HoldGoodsFreed(Event, frozen=True, kw_only=True, tag="hold_goods_freed"):
    """Person and serial number of a hold may be used again; its money stays held."""

    record_id: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Give them back, once."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        assert not record.goods_freed
        holds.give_back(rows, record)
        rows.put(replace(record, goods_freed=True))


def keys(command: ReleaseHold | FreeGoods, rows: Rows) -> list[Wanted]:
    """Ask for the record, its return, its device, and what it has taken."""
    key = (Record, (command.record_id,))
    record = rows.get(Record, command.record_id) if rows.has(key) else None
    known: list[Wanted] = [key, (GoodsReturn, (command.record_id,))]
    return known if record is None else [*known, (Device, (record.device,)), *holds.keys(record, rows)]


def decide(rows: Rows, command: ReleaseHold | FreeGoods, _setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Let it happen, unless the hold has ended, or a shop that may still bring the proof says it was paid."""
    record = rows.get(Record, command.record_id)
    against = _against(rows, record)
    if against is not None or record is None:
        return against or record_unknown()
    if isinstance(command, ReleaseHold):
        holds.end(record, f"{DECIDED}: {command.reason}", at_ms, emit, command.by)
        return Done()
    if record.goods_freed:
        return Denied(409, "GOODS_FREED", "its person and serial number are free already")
    if not record.person and record.serial_no is None:
        return Denied(409, "NOTHING_TO_FREE", "the record names no person and no serial number")
    emit(HoldGoodsFreed(record_id=record.record_id, why=command.reason, by=command.by, at_ms=at_ms))
    return Done()


def _against(rows: Rows, record: Record | None) -> Denied | None:
    if record is None:
        return record_unknown()
    if record.state != "HELD":
        detail = f"the record is {record.state}: {record.why}. Only a hold that is open can be released"
        return Denied(409, "NOT_HELD", detail)
    # The words of a host that is gone have no record behind them any more, and may never have had one.
    heard = rows.get(GoodsReturn, record.record_id) is not None
    if heard and not rows.want(Device, record.device).replaced:
        detail = (
            "its shop has reported a return of its goods: it was paid. Wait for its record or the night. If "
            "its host is gone for good, or reports what never was, `settlement devices replace` comes first"
        )
        return Denied(409, "RETURN_HEARD", detail)
    return None
