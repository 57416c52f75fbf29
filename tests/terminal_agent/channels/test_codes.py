import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.channels.codes import Rule, Wallet, route
from terminal_agent.checkout.ports import Ask, Secret

WECHAT = "134567890123456789"


@pytest.mark.parametrize(
    ("scanned", "wallet"),
    [
        ("100000000000000000", Wallet.WECHAT),
        ("159999999999999999", Wallet.WECHAT),
        ("160000000000000000", None),
        ("13456789012345678", None),  # 17 digits
        ("1345678901234567890", None),  # 19 digits
        ("2512345678901234", Wallet.ALIPAY),
        ("301234567890123456789012", Wallet.ALIPAY),
        ("241234567890123456", None),
        ("311234567890123456", None),
        ("6212345678901234567", Wallet.UNIONPAY),
        ("62123456789012345678", None),
        ("0112345678901234567", None),  # e-CNY is not built
        ("6901234567892", None),  # the product's barcode instead
        ("", None),
        ("１３４５６７８９０１２３４５６７８９", None),
        ("13456789012345678a", None),
        ("1" * 10_000, None),
    ],
)
def test_the_first_digits_say_whose_code_it_is(scanned, wallet):
    found = route(scanned)
    assert (found.wallet if found else None) == wallet
    assert found is None or found.code.reveal() == scanned


@pytest.mark.parametrize(
    "scanned",
    [
        f"{WECHAT}\r",
        f"{WECHAT}\r\n",
        f" {WECHAT} ",
        f"]C1{WECHAT}",
        f"]Q3{WECHAT}\r",
        "1345 6789 0123 4567 89\t",
    ],
)
def test_what_a_scanner_adds_is_taken_off(scanned):
    assert route(scanned).code.reveal() == WECHAT


def test_an_identifier_is_taken_off_once_and_only_in_front():
    assert route(f"]C1]C1{WECHAT}") is None


def test_a_code_that_could_be_two_wallets_is_nobodys():
    both = (Rule(Wallet.WECHAT, re.compile("1+")), Rule(Wallet.ALIPAY, re.compile("11+")))
    assert route("111", both) is None
    assert route("1", both).wallet is Wallet.WECHAT


def test_a_code_is_shown_nowhere():
    found = route(WECHAT)
    ask = Ask("REF01", 1, "07", "1", pay_code=found.code)
    for shown in (repr(found), str(found), repr(ask), f"{found.code}", f"{found.code!r}", repr([found])):
        assert WECHAT not in shown
        assert WECHAT[-6:] not in shown
    with pytest.raises(TypeError) as refused:
        pickle.dumps(found.code)
    assert WECHAT not in str(refused.value)
    with pytest.raises(TypeError):
        copy.copy(Secret(WECHAT))


@given(st.text(max_size=80))
def test_any_scan_is_routed_or_not_and_never_raises(scanned):
    found = route(scanned)
    assert found is None or found.code.reveal().isascii()
