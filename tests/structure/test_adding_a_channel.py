"""Does the page on adding a channel name every place that knows the channels by name?

`tests/journeys/test_a_new_channel.py` follows it; this finds a place that grew since.
"""

import re

import pytest
from centre import REPO

from subsidy.wallets import Wallet

PAGE = (REPO / "terminal_agent/channels/README.md").read_text(encoding="utf-8")
TABLE = PAGE[PAGE.index("## To add a channel") :]


def names_in(text):
    """Return the wallets that a text of code names, whatever the case; comments and docstrings are let be."""
    code = re.sub(r'(?s)""".*?"""|#[^\n]*', "", text)
    return {one for one in Wallet if re.search(rf"(?<![a-z]){one.value}", code, re.IGNORECASE)}


def places():
    for folder in ("subsidy", "catalog_sync", "settlement", "terminal_agent"):
        for file in sorted((REPO / folder).rglob("*.py")):
            if names_in(file.read_text(encoding="utf-8")) == {*Wallet}:
                yield file.relative_to(REPO).as_posix()


def test_every_place_that_names_all_wallets_is_on_the_page():
    found = set(places())
    assert "subsidy/wallets.py" in found
    assert "terminal_agent/certify/links.py" in found
    assert [one for one in found if f"`{one}`" not in TABLE] == []


@pytest.mark.parametrize("file", re.findall(r"`([a-z_]+/[A-Za-z0-9_/.]+)`", TABLE))
def test_every_place_that_the_page_names_is_there(file):
    assert (REPO / file).exists()


def test_a_place_that_only_tells_of_wallets_in_words_is_none():
    assert names_in('"""wechat, alipay, unionpay"""  # wechat alipay unionpay') == set()
    assert names_in('_CHANNELS = ("wechat", "ALIPAY")') == {Wallet.WECHAT, Wallet.ALIPAY}
