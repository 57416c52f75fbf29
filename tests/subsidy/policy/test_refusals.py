"""Why was a purchase refused? What is stored and printed must stay what it is."""

import pytest

from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal, in_order, reason

# The order of precedence that tills, reports and stored records rely on: new ones are added, none is
# renamed, moved or reused.
ORDER = [
    "PROGRAMME_CLOSED", "MERCHANT_NOT_ACTIVE", "TERMINAL_NOT_REGISTERED", "REGION_NOT_COVERED",
    "OUTSIDE_HOURS", "TENDER_NOT_ALLOWED", "SALE_ALREADY_OPEN", "PRODUCT_NOT_LISTED",
    "CATEGORY_NOT_COVERED", "ENERGY_LEVEL_NOT_COVERED", "SERIAL_MISSING", "SERIAL_INVALID",
    "SERIAL_ALREADY_SUBSIDISED", "PRICE_ABOVE_LIMIT", "PRICE_NOT_FILED", "PRICE_ABOVE_FILING",
    "QUALIFICATION_UNKNOWN", "QUALIFICATION_EXPIRED", "QUALIFICATION_WRONG_CATEGORY",
    "QUALIFICATION_IN_USE", "PERSON_QUOTA_USED", "PAYER_MISMATCH", "RISK_BLOCKED", "FUND_EXHAUSTED",
    "SUBSIDY_ZERO", "TRADE_IN_TOO_HIGH", "QUOTE_CHANGED", "HOLD_OVER", "TOO_MANY_OPEN_HOLDS",
    "CENTRE_UNREACHABLE",
]  # fmt: skip


def test_the_codes_stand_in_their_order():
    assert [one.value for one in Refusal if one.value in ORDER] == ORDER


@pytest.mark.parametrize("refusal", Refusal)
def test_each_has_its_sentences_and_what_to_do_next(refusal):
    shown = reason(refusal)
    assert shown.code == refusal.name == refusal.value
    assert shown.zh.endswith("。")
    assert shown.en.endswith(".")
    assert shown.en.isascii()
    assert shown.next_action is not NextAction.NONE


@pytest.mark.parametrize("action", NextAction)
def test_each_next_action_has_its_sentences(action):
    assert action.zh.endswith(("。", "？", "?"))
    assert action.en.isascii()


def test_reasons_are_kept_once_and_most_decisive_first():
    found = in_order({Refusal.FUND_EXHAUSTED, Refusal.PROGRAMME_CLOSED, Refusal.SERIAL_MISSING})
    assert found == (Refusal.PROGRAMME_CLOSED, Refusal.SERIAL_MISSING, Refusal.FUND_EXHAUSTED)


def test_what_the_rules_of_the_day_forbid_does_not_change_today():
    assert not Refusal.PROGRAMME_CLOSED.may_change_today
    assert not Refusal.CATEGORY_NOT_COVERED.may_change_today
    assert Refusal.CENTRE_UNREACHABLE.may_change_today
