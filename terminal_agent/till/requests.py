"""What may a till send, and what does it become inside?"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from subsidy.codes import BadCode, gtin, serial_no
from subsidy.masking import scrub
from subsidy.money import MOST_FEN
from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.problem import Problem
from subsidy.strict.digits import is_digits
from subsidy.wire import v1
from terminal_agent.channels import codes
from terminal_agent.channels.codes import PaymentCode, Rule, Wallet
from terminal_agent.checkout.gather_facts import Question
from terminal_agent.checkout.sale import Request

Amount = Annotated[int, Meta(ge=0, le=MOST_FEN, description="Whole fen")]
Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\Z")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The common base: fields that are not described are refused."""


class ItemBody(Body, frozen=True):
    """The one item of the sale, with its prices before subsidy."""

    gtin: Annotated[str, Meta(min_length=1, max_length=20)]
    initial_price_fen: Amount
    merchant_discount_fen: Amount
    serial_no: Annotated[str, Meta(max_length=80)] | None = None
    trade_in_fen: Amount = 0


class TenderBody(Body, frozen=True):
    """How the shopper pays. `pay_code` is the code on the shopper's phone, never stored.

    With `qr_show`, `wallet` says whose code is to be shown; it may be left out where there is one only.
    """

    kind: Tender
    pay_code: Code | None = None
    wallet: Wallet | None = None


class QuoteBody(Body, frozen=True):
    """Asks what a sale would come to."""

    item: ItemBody
    qualification_code: Code


class MayNameOperator(Body, frozen=True, kw_only=True):
    """What anybody at the till may ask for: the cashier's name may be said, and be nothing personal."""

    operator: Name | None = None

    def __post_init__(self) -> None:
        if self.operator is not None:
            must_be_plain("operator", self.operator)


class ByOperator(MayNameOperator, frozen=True, kw_only=True):
    """What a cashier asks for. The name is stored and printed."""

    operator: Name


class SaleBody(ByOperator, frozen=True, kw_only=True):
    """Asks for a sale. Another amount than `expected_paid_fen` is not charged."""

    item: ItemBody
    qualification_code: Code
    till_no: Name
    tender: TenderBody
    expected_paid_fen: Amount | None = None


class PayBody(ByOperator, frozen=True, kw_only=True):
    """Asks for another attempt under the same hold."""

    tender: TenderBody


class StopBody(MayNameOperator, frozen=True, kw_only=True):
    """The cashier gives up. Nothing needs to be said."""


def must_be_plain(name: str, text: str) -> None:
    """Raise ValueError where a text that is stored and printed has a person's number, or breaks its line."""
    # A card drawn through a reader that types lands in whatever field is open.
    if scrub(text) != text:
        raise ValueError(f"`{name}` looks like a card, identity or phone number")
    # The receipt has lines of its own. A space of full width, as Chinese input methods write it, breaks none.
    if not text.replace("\u3000", " ").isprintable():
        raise ValueError(f"`{name}` holds characters that cannot be printed")


class Asked(msgspec.Struct, frozen=True):
    """An item as it goes on: what is wrong with its serial number stays a refusal, not a problem."""

    item: v1.Item
    prices: v1.Prices
    also: frozenset[Refusal]


def item_of(body: ItemBody) -> Asked:
    """Return the item and its prices. Raises Problem when they contradict themselves."""
    base_fen = body.initial_price_fen - body.merchant_discount_fen
    if base_fen < 0:
        raise Problem(
            422,
            "DISCOUNT_TOO_HIGH",
            "$.item.merchant_discount_fen is above initial_price_fen. Send the price before the discount",
        )
    if body.trade_in_fen and body.trade_in_fen >= base_fen:
        raise trade_in_too_high()
    prices = v1.Prices(
        initial_price_fen=body.initial_price_fen,
        merchant_discount_fen=body.merchant_discount_fen,
        trade_in_fen=body.trade_in_fen,
    )
    also: frozenset[Refusal] = frozenset()
    serial = None
    if body.serial_no is not None and body.serial_no.strip():
        try:
            serial = serial_no.read(body.serial_no)
        except BadCode:
            also = frozenset({Refusal.SERIAL_INVALID})
    return Asked(v1.Item(gtin=_gtin(body.gtin), serial_no=serial), prices, also)


def question_of(asked: Asked, code: str, terminal_no: str, tender: Tender) -> Question:
    """Return what the checkout asks about."""
    return Question(asked.item, asked.prices, code, terminal_no, tender, asked.also)


def request_of(body: SaleBody, asked: Asked, terminal_no: str) -> Request:
    """Return the sale as the journal keeps it, without the shopper's code."""
    return Request(
        till_no=body.till_no,
        terminal_no=terminal_no,
        operator=body.operator,
        item=asked.item,
        prices=asked.prices,
        tender=body.tender.kind,
        expected_paid_fen=body.expected_paid_fen,
    )


def payment_code_of(tender: TenderBody, rules: Sequence[Rule]) -> PaymentCode | None:
    """Return the code that the shopper showed, None when no wallet's. Raises Problem when it is missing."""
    if tender.kind is not Tender.QR_SCAN:
        return None
    if tender.pay_code is None:
        raise Problem(
            422,
            "PAY_CODE_MISSING",
            "$.tender.pay_code: scan the payment code that the shopper shows, send it",
        )
    return codes.route(tender.pay_code, rules)


def wallet_of(tender: TenderBody, showing: Sequence[Wallet]) -> Wallet | None:
    """Return whose code is to be shown, None when not one of `showing`. Raises Problem when none is named."""
    if tender.wallet is None and len(showing) > 1:
        raise Problem(
            422,
            "WALLET_MISSING",
            f"$.tender.wallet: say whose code is to be shown, one of {', '.join(showing)}",
        )
    wallet = tender.wallet or next(iter(showing), None)
    return wallet if wallet in showing else None


def trade_in_too_high(record_id: str | None = None) -> Problem:
    """Return the problem of an old item that is worth all there is to pay."""
    return Problem(
        422,
        Refusal.TRADE_IN_TOO_HIGH.value,
        "$.item.trade_in_fen leaves nothing to pay. It must be below the final price minus the subsidy",
        record_id=record_id,
    )


def _gtin(text: str) -> str:
    try:
        return gtin.read(text)
    except BadCode as wrong:
        if is_digits(text, 8, 13) and len(text) in (8, 13):
            return text  # no library lists a number with a wrong check digit: the answer says scan again
        raise Problem(422, "GTIN_INVALID", f"$.item.gtin: {wrong}") from None
