"""What does the centre know of one hold, told for people who must decide about it?

Texts that devices have written are shown through `scrub`; blind indexes are left out.
"""

import msgspec
from sqlalchemy import Connection

from settlement.devices import read_devices
from settlement.devices.read_devices import DeviceShown
from settlement.funds import explain_hold
from settlement.funds.explain_hold import NextStep, Proof, Seen
from settlement.reconcile import hold_ends, register
from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import day_of, tender_of
from settlement.web import read_models
from settlement.web.read_models import DifferenceShown, EntryShown
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Device, GoodsReturn, Record
from subsidy.masking import scrub
from subsidy.policy.split import Part


class HoldExplained(msgspec.Struct, frozen=True):
    """A hold, what it takes, and what is missing of each of the five proofs that end one.

    `over` says that its time (`held_until_ms`) is past: the shop may not begin to take money any more.
    `proofs` is empty when it is no open hold; then `why` says how it ended. `device` is None for one that is
    not here.
    """

    record_id: str
    state: str
    why: str
    merchant: str
    shop: str
    terminal_no: str
    hold_no: int
    placed_at_ms: int
    held_until_ms: int
    over: bool
    ended_ms: int | None
    subsidy_fen: int
    split: tuple[Part, ...]
    category: str
    gtin: str
    serial_no: str | None
    takes_person: bool
    goods_freed: bool
    proofs: tuple[Proof, ...]
    next_step: NextStep
    frozen: tuple[str, ...]
    device: DeviceShown | None
    entries: tuple[EntryShown, ...]
    differences: tuple[DifferenceShown, ...]


def explained(
    connection: Connection,
    record_id: str,
    sources: NightConfig | None,
    lag_target_s: int,
    now_ms: int,
) -> HoldExplained | None:
    """Return a hold explained, or None when there is no such record.

    Args:
        connection: a reading transaction.
        record_id: the sale's id.
        sources: the night's sources, None when none are named.
        lag_target_s: within how many seconds a shop should have reported.
        now_ms: the centre's time.
    """
    rows = Rows()
    store.load(connection, [(Record, (record_id,)), (GoodsReturn, (record_id,))], rows)
    record, shown = rows.get(Record, record_id), read_models.record(connection, record_id)
    if record is None or shown is None:
        return None
    store.load(connection, [(Device, (record.device,))], rows)
    waits = None
    if sources is not None and record.state == "HELD":
        day, tender = day_of(record.placed_at_ms), tender_of(record.promise)
        if not sources.may_be_cash(day):
            waits = hold_ends.awaited(record, day, tender, sources)
    files = register.counting(connection) if waits is not None else {}
    seen = Seen(
        record=record,
        device=rows.want(Device, record.device),
        awaited=waits,
        whole=frozenset(place for place, one in files.items() if one.whole),
        return_heard=rows.get(GoodsReturn, record_id) is not None,
        lag_target_s=lag_target_s,
        now_ms=now_ms,
    )
    is_held = record.state == "HELD"
    return HoldExplained(
        record_id=record_id,
        state=record.state,
        why=scrub(record.why),
        merchant=record.merchant,
        shop=record.shop,
        terminal_no=record.terminal_no,
        hold_no=record.hold_no,
        placed_at_ms=record.placed_at_ms,
        held_until_ms=explain_hold.over_ms(record),
        over=now_ms > explain_hold.over_ms(record),
        ended_ms=record.ended_ms,
        subsidy_fen=record.subsidy_fen,
        split=record.parts,
        category=record.category,
        gtin=record.gtin,
        serial_no=record.serial_no,
        takes_person=bool(record.person) and is_held and not record.goods_freed,
        goods_freed=record.goods_freed,
        proofs=explain_hold.proofs(seen),
        next_step=explain_hold.next_step(seen),
        frozen=shown.frozen,
        device=read_devices.device(connection, record.device),
        entries=shown.entries,
        differences=shown.differences,
    )
