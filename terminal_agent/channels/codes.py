"""Whose payment code has the shopper shown?

A scanner types the code, perhaps with a line end after it and an AIM identifier before it. Which wallet
it belongs to stands in its first digits, by the table below. A payment code is money for a minute, and
a UnionPay one has the shape of a card number: it leaves this file as a `Secret`, or not at all.
"""

import re
from collections.abc import Sequence

import msgspec

from subsidy.wallets import Wallet as Wallet  # who asks for a code's wallet finds both here
from terminal_agent.checkout.ports import Secret

_LONGEST_SCAN = 64
_AIM_IDENTIFIER = re.compile(r"\][A-Za-z][0-9A-Za-z]", re.ASCII)
_NOT_PART_OF_IT = re.compile(r"[\s\0\x1c-\x1f]")


def link_name(wallet: Wallet, terminal_no: str) -> str:
    """Return what an attempt by this wallet beside a card terminal calls its link, as in WECHAT@12345678.

    A channel has a worker beside each terminal, so that a shopper who types a password at one till
    keeps nobody waiting at another.
    """
    return f"{wallet.name}@{terminal_no}"


def shown_link_name(wallet: Wallet, terminal_no: str) -> str:
    """Return the same for a code that we show, as in WECHAT@12345678/SHOWN.

    It has a worker of its own, since a shown code waits for its shopper as long as the hold lasts.
    """
    return f"{link_name(wallet, terminal_no)}/SHOWN"


class Rule(msgspec.Struct, frozen=True):
    """Codes that match `pattern` from end to end belong to `wallet`."""

    wallet: Wallet
    pattern: re.Pattern[str]


RULES: tuple[Rule, ...] = (
    Rule(Wallet.WECHAT, re.compile(r"1[0-5][0-9]{16}", re.ASCII)),
    Rule(Wallet.ALIPAY, re.compile(r"(?:2[5-9]|30)[0-9]{14,22}", re.ASCII)),
    Rule(Wallet.UNIONPAY, re.compile(r"62[0-9]{17}", re.ASCII)),
)


class PaymentCode(msgspec.Struct, frozen=True):
    """A code that one of the wallets takes."""

    wallet: Wallet
    code: Secret


def route(scanned: str, rules: Sequence[Rule] = RULES) -> PaymentCode | None:
    """Return whose payment code was scanned; None when it is nobody's, or could be two wallets'."""
    if len(scanned) > _LONGEST_SCAN:
        return None
    bare = _NOT_PART_OF_IT.sub("", scanned)
    if identifier := _AIM_IDENTIFIER.match(bare):
        bare = bare[identifier.end() :]
    wallets = {rule.wallet for rule in rules if rule.pattern.fullmatch(bare)}
    if len(wallets) != 1:
        return None
    return PaymentCode(wallets.pop(), Secret(bare))
