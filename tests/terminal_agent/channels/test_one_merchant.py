"""A payment made for another merchant is not asked about: "no such order" would be taken for a no."""

import secrets

import pytest
from msgspec.structs import replace
from wechat import EmulatedWechat, RealClock, new_ask

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.channels.wallets import AlipayChannel, UnionPayChannel, WechatChannel
from terminal_agent.checkout.ports import Back, Say

FEN = 5_000


def opened(channel):
    return channel.payment(RealClock(), secrets.token_bytes)


@pytest.fixture
def link(wechat):
    return opened(WechatChannel(wechat.profile()))


@pytest.fixture
def sold(link):
    ask = new_ask(FEN)
    ask = replace(ask, mark=link.prepare(ask))
    assert link.take(ask).say is Say.APPROVED
    return ask


def test_what_was_begun_for_another_merchant_is_unclear_and_nothing_of_it_moves(link, sold, tmp_path):
    with EmulatedWechat.start(tmp_path, mchid="EMU00000002") as other:
        later = opened(WechatChannel(other.profile()))
        back = Back(ids.refund_no(sold.pay_ref), FEN, Evidence(), sold.mark)

        said = [later.query(sold), later.reverse(sold, Evidence()), later.refund(sold, back)]

        assert [one.say for one in said] == [Say.UNCLEAR] * 3
        assert {one.evidence.code for one in said} == {"OTHER_MERCHANT"}
        assert later.prepare(sold) is None
        assert other.books() == []
    assert link.query(sold).say is Say.APPROVED


def test_what_was_stored_before_merchants_were_is_this_ones(link, sold):
    assert link.query(replace(sold, mark="-")).say is Say.APPROVED


def test_money_goes_back_under_the_mark_of_its_own_merchant(link, sold):
    back = Back(ids.refund_no(sold.pay_ref), FEN, Evidence(), link.prepare(sold))
    assert link.refund(sold, back).say is Say.APPROVED


def test_every_wallet_stores_at_which_merchant_it_takes_money(wechat, alipay, unionpay):
    for channel, merchant in (
        (WechatChannel(wechat.profile()), wechat.ready["mchid"]),
        (AlipayChannel(alipay.profile()), alipay.ready["app_id"]),
        (UnionPayChannel(unionpay.profile()), unionpay.ready["mer_id"]),
    ):
        showing = channel.showing(RealClock(), secrets.token_bytes)
        assert showing is not None
        for link in (opened(channel), showing):
            assert link.prepare(new_ask(FEN)).endswith(f"@{merchant}")
