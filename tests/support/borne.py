"""A payment of which Alipay or the shop bore a part, as shop, bill, night and people each tell it."""

import datetime

import reference_data as reference
from alipay_day import AlipayDay
from msgspec.structs import replace
from night import DAY, changed, pay_ref, triples

from settlement.claims.build import BuildClaim
from settlement.ledger.accounts import Account
from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.reconcile.kinds import Kind
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed

PHONE = Tender.QR_SCAN
THIRD_DAY = "2026-03-03"
DISCOUNT = Kind.CHANNEL_DISCOUNT


def told(day: AlipayDay, theirs: int = 0, ours: int = 0) -> Sealed:
    """Sell; the shop reports that Alipay bore `theirs` fen of it and the shop `ours`."""
    sealed = day.hold(PHONE)
    day.charge(sealed)
    report(day, sealed, theirs, ours)
    return sealed


def report(day: AlipayDay, sealed: Sealed, theirs: int = 0, ours: int = 0) -> None:
    """Let the shop report a sale as paid, and who bore how much of it."""
    evidence = Evidence(code="10000", offer_fen=theirs, shop_offer_fen=ours)
    day.report_paid(sealed, replace(day.attempt(sealed), evidence=evidence, terminal_no="ALIPAY@EMU00001"))


def in_bill(day: AlipayDay, sealed: Sealed, theirs: int, ours: int = 0) -> None:
    """Let the bill say who bore how much of a sale."""
    day.alipay = [
        changed(one, platform_fen=theirs, merchant_fen=ours) if one.out_trade_no == pay_ref(sealed) else one
        for one in day.alipay
    ]


def found(day: AlipayDay, of: str = DAY) -> list[tuple[str, str, int]]:
    """Run a night, again, and return its differences: the same bytes both times."""
    if not day.alipay_file(of).exists():
        day.write_files(of)
    night = day.run(of)
    again = day.run(of)
    assert (again.content, again.applied) == (night.content, 0)
    return triples(night.report)


def explained(sealed: Sealed, borne_by: BorneBy, fen: int = 500, by: str = "wang, li") -> ExplainOffer:
    """Return what two people say of what was borne of a sale."""
    return ExplainOffer(pay_ref(sealed), borne_by, fen, "Alipay's answer 12", by=by)


def owed(day: AlipayDay) -> dict[str, int]:
    """Return what each bearer owes; its other side is as much."""
    query = "SELECT funder, sum(fen) FROM posting WHERE account = 'bank_offer_receivable' GROUP BY funder"
    found = {payer: int(fen) for payer, fen in day.books.sql_rows(query) if fen}
    assert sum(found.values()) == -day.books.total(Account.BANK_OFFER_DUE)
    return found


def claimable(day: AlipayDay) -> int:
    """Return how many lines of the day a claim takes now."""
    day.books.take(day.device)
    built = day.books.done(BuildClaim(reference.MERCHANT, datetime.date.fromisoformat(DAY)))
    return int(built.lines)
