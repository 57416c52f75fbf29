"""Does the fund give its word to this sale?

A hold is asked for under a record id and a number that the device counts. Asked again, the same
request gets the same promise; one number with two contents means a copied or restored device.
"""

from collections.abc import Iterator

import msgspec

from settlement.devices.freeze import denied, freeze
from settlement.funds import gather_facts
from settlement.funds.holds import PER_SHOP, PER_TERMINAL, REBUILT, HoldPlaced
from settlement.funds.pools import pool_of
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import (
    ClosedYear,
    Device,
    HoldNumber,
    Merchant,
    OpenCount,
    Product,
    Qualification,
    Record,
    Shop,
)
from settlement.writer.step import Answer, Denied, Emit, Setting, Signed
from subsidy import calendar
from subsidy.policy.decide import Granted
from subsidy.policy.decide import decide as decide_subsidy
from subsidy.policy.facts import Facts
from subsidy.policy.model import must
from subsidy.policy.refusals import Refusal
from subsidy.seal import sha256_hex
from subsidy.wire import v1


class PlaceHold(msgspec.Struct, frozen=True):
    """A device's request, its personal code already turned into `question.qualification`.

    `request_mac` is over the whole request under the centre's key: it tells a repeat from another
    request without keeping the code.
    """

    request: v1.HoldRequest
    question: gather_facts.Question
    epoch: int
    request_mac: str


def asks(command: PlaceHold, rows: Rows, setting: Setting, at_ms: int) -> Iterator[list[Wanted]]:
    """Ask for the record, its number, and what the facts rest on."""
    request = command.request
    own: list[Wanted] = [
        (Record, (request.record_id,)),
        (HoldNumber, (command.question.device, command.epoch, request.hold_no)),
        (OpenCount, (PER_TERMINAL, request.terminal_no)),
    ]
    facts = gather_facts.asks(command.question, rows, setting.pack, at_ms)
    yield own + next(facts)
    device = rows.get(Device, command.question.device)
    own = [
        (OpenCount, (PER_SHOP, device.shop if device else "")),
        (ClosedYear, (_year(command, rows, setting, at_ms),)),
    ]
    yield own + next(facts)
    yield from facts


def decide(rows: Rows, command: PlaceHold, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Place the hold and return the promise, or return every refusal."""
    request, device = command.request, rows.want(Device, command.question.device)
    if device.frozen is not None:
        return denied(device)
    if device.epoch != command.epoch:
        return Denied(
            401, "OLD_EPOCH", f"epoch {command.epoch} is over; the device is in epoch {device.epoch}"
        )
    contradiction = gather_facts.contradiction(request.prices)
    if contradiction is not None:
        return contradiction
    known = rows.get(Record, request.record_id)
    numbered = rows.get(HoldNumber, device.device, command.epoch, request.hold_no)
    same = known is None or _is_same(known, command)
    if known is not None and same and known.request_mac == command.request_mac and known.state == "HELD":
        return Signed(v1.PROMISE, known.promise, known.promise_kid)
    if not same or (numbered is not None and numbered.record_id != request.record_id):
        return freeze(device, f"hold number {request.hold_no} was asked with two contents", at_ms, emit)
    if known is not None or at_ms > request.created_ms + request.skew_ms + request.give_up_after_ms:
        # Ended already, or too late: the device has given up, and a hold now would be nobody's.
        return _refused(request, setting, Refusal.HOLD_OVER)
    if request.pack_hash != setting.pack.hash:
        return _refused(request, setting, Refusal.QUOTE_CHANGED)

    if rows.get(ClosedYear, _year(command, rows, setting, at_ms)) is not None:
        return _refused(request, setting, Refusal.PROGRAMME_CLOSED)
    facts = gather_facts.gather(command.question, rows, setting.pack, at_ms)
    decision = decide_subsidy(setting.pack, facts)
    if not isinstance(decision, Granted):
        return _refused(request, setting, *decision.reasons)
    if _too_many_open(rows, device, request, setting, at_ms):
        return _refused(request, setting, Refusal.TOO_MANY_OPEN_HOLDS)
    record = _record(rows, command, setting, facts, decision, at_ms)
    if not balances.can_bear(rows, record.parts, record.year, record.pool):
        return _refused(request, setting, Refusal.FUND_EXHAUSTED)
    booking = Booking(Happening.HOLD_PLACED, record.year, record.parts, record.pool)
    emit(HoldPlaced(record=record, rebuilt=False, booking=booking))
    return Signed(v1.PROMISE, record.promise, record.promise_kid)


def _year(command: PlaceHold, rows: Rows, setting: Setting, at_ms: int) -> int:
    product = rows.get(Product, command.request.item.gtin)
    return gather_facts.programme_year(setting.pack, product.category if product else "", at_ms)


def _is_same(known: Record, command: PlaceHold) -> bool:
    """Whether the record that is here may have come of this very request."""
    if (known.device, known.epoch) != (command.question.device, command.epoch):
        return False
    # A tombstone and a rebuilt hold do not know what was asked.
    return known.request_mac in ("", REBUILT, command.request_mac)


def _record(
    rows: Rows, command: PlaceHold, setting: Setting, facts: Facts, decision: Granted, at_ms: int
) -> Record:
    request, device = command.request, rows.want(Device, command.question.device)
    shop = rows.want(Shop, device.shop)
    product = rows.want(Product, request.item.gtin)
    qualification = rows.want(Qualification, command.question.qualification)
    to_pay_fen = decision.final_price_fen - decision.subsidy_fen - request.prices.trade_in_fen
    assert to_pay_fen > 0
    day = calendar.business_day(facts.sold_at)
    held_for_s = must(setting.pack.held_for_s, day).value
    promise = _promise(rows, command, setting, facts, decision, at_ms, to_pay_fen, held_for_s)
    return Record(
        record_id=request.record_id,
        state="HELD",
        device=device.device,
        epoch=command.epoch,
        hold_no=request.hold_no,
        request_mac=command.request_mac,
        merchant=shop.merchant,
        shop=shop.shop,
        terminal_no=request.terminal_no,
        person=qualification.person,
        qualification=qualification.qualification,
        category=decision.category,
        year=decision.programme_year,
        pool=pool_of(setting.pack, decision.category, shop, at_ms),
        brand=product.brand,
        gtin=product.gtin,
        serial_no=request.item.serial_no,
        subsidy_fen=decision.subsidy_fen,
        to_pay_fen=to_pay_fen,
        parts=decision.funders,
        money=Account.HELD.value,
        promise=promise,
        promise_kid=setting.kid,
        placed_at_ms=at_ms,
        held_for_s=held_for_s,
    )


def _promise(
    rows: Rows,
    command: PlaceHold,
    setting: Setting,
    facts: Facts,
    decision: Granted,
    at_ms: int,
    to_pay_fen: int,
    held_for_s: int,
) -> bytes:
    request, device = command.request, rows.want(Device, command.question.device)
    shop = rows.want(Shop, device.shop)
    merchant = rows.want(Merchant, shop.merchant)
    facts_bytes = msgspec.json.encode(facts)
    return msgspec.json.encode(
        v1.Promise(
            v=1,
            record_id=request.record_id,
            device=device.device,
            epoch=command.epoch,
            hold_no=request.hold_no,
            programme=setting.pack.programme,
            programme_year=decision.programme_year,
            category=decision.category,
            item=request.item,
            amounts=v1.Amounts(
                initial_price_fen=request.prices.initial_price_fen,
                merchant_discount_fen=request.prices.merchant_discount_fen,
                final_price_fen=decision.final_price_fen,
                subsidy_fen=decision.subsidy_fen,
                trade_in_fen=request.prices.trade_in_fen,
                to_pay_fen=to_pay_fen,
            ),
            split=decision.funders,
            payee=v1.Payee(merchant=merchant.merchant, uscc=merchant.uscc, shop=shop.shop),
            terminal_no=request.terminal_no,
            tender=request.tender,
            pack_hash=setting.pack.hash,
            facts=msgspec.Raw(facts_bytes),
            facts_hash=sha256_hex(facts_bytes),
            placed_at_ms=at_ms,
            held_for_s=held_for_s,
        )
    )


def _too_many_open(rows: Rows, device: Device, request: v1.HoldRequest, setting: Setting, at_ms: int) -> bool:
    day = calendar.day_of_ms(at_ms)
    for scope, name, most in (
        (PER_TERMINAL, request.terminal_no, setting.pack.open_holds_per_terminal),
        (PER_SHOP, device.shop, setting.pack.open_holds_per_shop),
    ):
        counted = rows.get(OpenCount, scope, name)
        if counted is not None and counted.open >= must(most, day).value:
            return True
    return False


def _refused(request: v1.HoldRequest, setting: Setting, *reasons: Refusal) -> Signed:
    answer = v1.Refused(v=1, record_id=request.record_id, reasons=reasons)
    return Signed(v1.REFUSAL, msgspec.json.encode(answer), setting.kid)
