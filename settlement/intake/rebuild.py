"""What becomes of a paid record whose hold is not in the books?

The books were restored to before that hold. The fund's word stands, it is signed: the hold is built
again from the promise that the record carries, or, when the pool cannot bear it now, buried, so that
the record is kept as a late grant.
"""

from settlement.funds import holds
from settlement.funds.holds import PER_SHOP, PER_TERMINAL, Buried, HoldPlaced
from settlement.funds.pools import pool_of
from settlement.intake.read_upload import TakenEntry
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import HoldNumber, OpenCount, Product, Record, Serial, Shop
from settlement.writer.step import Setting
from subsidy.wire import v1


def keys(promise: v1.Promise, rows: Rows, setting: Setting) -> list[Wanted]:
    """Ask for what it takes to rebuild a hold from its promise, or to note a late grant."""
    product_key = (Product, (promise.item.gtin,))
    wanted: list[Wanted] = [
        product_key,
        (HoldNumber, (promise.device, promise.epoch, promise.hold_no)),
        (OpenCount, (PER_TERMINAL, promise.terminal_no)),
        (OpenCount, (PER_SHOP, promise.payee.shop)),
        (Shop, (promise.payee.shop,)),
    ]
    if rows.has((Shop, (promise.payee.shop,))):
        pool = pool_of_promise(promise, rows, setting)
        funders = (part.funder for part in promise.split)
        wanted += balances.keys(funders, promise.programme_year, pool)
    if promise.item.serial_no is not None and rows.has(product_key) and _takes_goods(promise, rows):
        product = rows.get(Product, promise.item.gtin)
        wanted.append((Serial, (product.brand if product else "", promise.item.serial_no)))
    return wanted


def _takes_goods(promise: v1.Promise, rows: Rows) -> bool:
    """Whether its serial number has to be looked at: in a shared register only when the hold is gone."""
    if Serial not in rows.shared:
        return True
    key = (Record, (promise.record_id,))
    return rows.has(key) and rows.get(Record, promise.record_id) is None


def tombstone(promise: v1.Promise, at_ms: int) -> Buried:
    """Return the burial of a hold that the pool cannot bear now."""
    return Buried(
        record_id=promise.record_id,
        device=promise.device,
        epoch=promise.epoch,
        hold_no=promise.hold_no,
        why="its hold is not in the books and the pool cannot bear it now",
        at_ms=at_ms,
    )


def pool_of_promise(promise: v1.Promise, rows: Rows, setting: Setting) -> str:
    """Return the pool that the promise was given from."""
    shop = rows.get(Shop, promise.payee.shop)
    return pool_of(setting.pack, promise.category, shop, promise.placed_at_ms)


def rebuilt(rows: Rows, taken: TakenEntry, entry: v1.Paid, setting: Setting, at_ms: int) -> HoldPlaced:
    """Return the hold as its promise gave it."""
    record = of_promise(rows, taken, entry, setting, at_ms)
    booking = Booking(Happening.HOLD_PLACED, record.year, record.parts, record.pool)
    return HoldPlaced(record=record, rebuilt=True, booking=booking)


def of_promise(rows: Rows, taken: TakenEntry, entry: v1.Paid, setting: Setting, at_ms: int) -> Record:
    """Return the record of a hold as its promise gave it, without the person: the promise names none."""
    promise = taken.promise
    assert promise is not None
    product = rows.get(Product, promise.item.gtin)
    return Record(
        record_id=promise.record_id,
        state="HELD",
        device=promise.device,
        epoch=promise.epoch,
        hold_no=promise.hold_no,
        request_mac=holds.REBUILT,
        merchant=promise.payee.merchant,
        shop=promise.payee.shop,
        terminal_no=promise.terminal_no,
        category=promise.category,
        year=promise.programme_year,
        pool=pool_of_promise(promise, rows, setting),
        brand=product.brand if product else "",
        gtin=promise.item.gtin,
        serial_no=promise.item.serial_no,
        subsidy_fen=promise.amounts.subsidy_fen,
        to_pay_fen=promise.amounts.to_pay_fen,
        parts=promise.split,
        money=Account.HELD.value,
        promise=taken.promise_payload,
        promise_kid=entry.promise.kid,
        placed_at_ms=promise.placed_at_ms,
        held_for_s=promise.held_for_s,
        why=f"rebuilt from its promise at {at_ms}",
    )
