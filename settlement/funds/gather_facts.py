"""What does the centre know of a purchase that a shop asks about?

The till's quote and the hold use the same facts, read from the same rows at the centre's time.
"""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from settlement.funds import freezings
from settlement.funds.freezings import Kind
from settlement.funds.pools import pool_of
from settlement.ledger import balances
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import (
    Device,
    FiledPrice,
    Merchant,
    Product,
    Qualification,
    Quota,
    Serial,
    Shop,
    Terminal,
)
from settlement.writer.step import Denied
from subsidy import calendar
from subsidy.money import MOST_FEN
from subsidy.policy.facts import Facts, of_sale
from subsidy.policy.model import Pack, Tender, is_open
from subsidy.policy.split import Share, largest_grant
from subsidy.wire.v1 import Item, Prices


class Question(msgspec.Struct, frozen=True):
    """A purchase as a device asks about it. `qualification` is the code's MAC."""

    device: str
    item: Item
    prices: Prices
    qualification: str
    terminal_no: str
    tender: Tender


def asks(question: Question, rows: Rows, pack: Pack, at_ms: int) -> Iterator[list[Wanted]]:
    """Ask for what the facts rest on: what the question names, and what stands behind it."""
    gtin = question.item.gtin
    yield [
        (Device, (question.device,)),
        (Terminal, (question.terminal_no,)),
        (Product, (gtin,)),
        (Qualification, (question.qualification,)),
    ]
    device = rows.get(Device, question.device)
    product = rows.get(Product, gtin)
    qualification = rows.get(Qualification, question.qualification)
    shop_name = device.shop if device else ""
    category = product.category if product else ""
    year = programme_year(pack, category, at_ms)
    behind: list[Wanted] = [(Shop, (shop_name,))]
    if product is not None and question.item.serial_no is not None:
        behind.append((Serial, (product.brand, question.item.serial_no)))
    if qualification is not None:
        behind.append((Quota, (qualification.person, category, year)))
    if not rows.has(behind[0]):
        # Nearly always it is: then all the rest is asked for at once.
        yield behind
        behind = []
    shop = rows.get(Shop, shop_name)
    merchant = shop.merchant if shop else ""
    pool = pool_of(pack, category, shop, at_ms)
    yield [
        *behind,
        (Merchant, (merchant,)),
        (FiledPrice, (merchant, gtin)),
        *balances.keys([one.funder for one in shares(pack, at_ms)], year, pool),
        *freezings.keys_of(_concerns(question, rows, pack)),
    ]


def contradiction(prices: Prices) -> Denied | None:
    """Return what a device is told whose prices cannot be true, or None."""
    if prices.merchant_discount_fen <= prices.initial_price_fen:
        return None
    detail = "$.prices.merchant_discount_fen: above initial_price_fen. Correct the prices"
    return Denied(422, "CONTRADICTION", detail)


def gather(question: Question, rows: Rows, pack: Pack, at_ms: int) -> Facts:
    """Return every fact of the purchase as of `at_ms`; None is "known to be none"."""
    device = rows.want(Device, question.device)
    shop = rows.want(Shop, device.shop)
    merchant = rows.want(Merchant, shop.merchant)
    terminal = rows.get(Terminal, question.terminal_no)
    product = rows.get(Product, question.item.gtin)
    filed = rows.get(FiledPrice, shop.merchant, question.item.gtin)
    qualification = rows.get(Qualification, question.qualification)
    year = programme_year(pack, product.category if product else "", at_ms)
    serial = None
    if product is not None and question.item.serial_no is not None:
        serial = rows.get(Serial, product.brand, question.item.serial_no)
    quota = None
    if qualification is not None and product is not None:
        quota = rows.get(Quota, qualification.person, product.category, year)
    frozen = {Kind(one.kind) for one in freezings.standing(rows, _concerns(question, rows, pack))}
    of_day = shares(pack, at_ms)
    left = 0
    if of_day:
        pool = pool_of(pack, product.category if product else "", shop, at_ms)
        has = balances.available(rows, (one.funder for one in of_day), year, pool)
        # Beyond what facts can say there is enough for any sale.
        left = min(largest_grant(has, of_day), MOST_FEN)
    return of_sale(
        Facts(
            sold_at=calendar.from_ms(at_ms),
            programme=pack.programme,
            initial_price_fen=question.prices.initial_price_fen,
            merchant_discount_fen=question.prices.merchant_discount_fen,
            trade_in_fen=question.prices.trade_in_fen,
            merchant_active=merchant.active and shop.active and not frozen & {Kind.MERCHANT, Kind.SHOP},
            terminal_registered=terminal is not None and terminal.shop == shop.shop,
            region=shop.region,
            tender=question.tender,
            product_listed=product is not None,
            category=product.category if product else None,
            energy_level=product.energy_level if product else None,
            serial_no=question.item.serial_no,
            serial_taken=serial is not None and serial.taken_by is not None,
            filed_price_fen=filed.price_fen if filed else None,
            qualification_known=qualification is not None,
            qualification_valid=qualification is not None
            and qualification.valid_from_ms <= at_ms < qualification.valid_until_ms,
            qualification_category=qualification.category if qualification else None,
            qualification_in_use=qualification is not None and qualification.used_by is not None,
            used_in_category=quota.used if quota else None,
            # The channel's word on the payer does not exist before payment yet.
            payer_matches=None,
            risk_blocked=True if frozen & {Kind.SERIAL, Kind.PERSON} else None,
            fund_left_fen=left,
            programme_stopped=True if Kind.PROGRAMME in frozen else UNSET,
        )
    )


def _concerns(question: Question, rows: Rows, pack: Pack) -> list[freezings.Name]:
    device = rows.get(Device, question.device)
    shop = rows.get(Shop, device.shop if device else "")
    product = rows.get(Product, question.item.gtin)
    qualification = rows.get(Qualification, question.qualification)
    return freezings.concerns(
        programme=pack.programme,
        merchant=shop.merchant if shop else "",
        shop=shop.shop if shop else "",
        brand=product.brand if product else "",
        serial_no=question.item.serial_no,
        person=qualification.person if qualification else "",
    )


def programme_year(pack: Pack, category: str, at_ms: int) -> int:
    """Return the programme year that a sale of `category` at `at_ms` would belong to."""
    day = calendar.day_of_ms(at_ms)
    found = pack.rule_set_on(day, category)
    return found[0].programme_year if found else day.year


def shares(pack: Pack, at_ms: int) -> tuple[Share, ...]:
    """Return the funders' shares of the day, none when the programme is closed."""
    day = calendar.day_of_ms(at_ms)
    row = pack.shares.on(day)
    return row.value if row is not None and is_open(pack.open, day) else ()
