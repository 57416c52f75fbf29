"""When is a code that we show for Alipay certainly not paid, and what is believed of its offer?"""

import msgspec
import pytest
from alipay_answers import ASK, PROFILE, Told, no, said, state

from subsidy.records.payment import Evidence
from terminal_agent.channels.alipay_shown import AlipayShown
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.checkout.ports import Say

UNTIL_MS = 1_795_000_000_000
SHOWN = msgspec.structs.replace(ASK, pay_code=None, show_until_ms=UNTIL_MS, show_for_s=900)
TIME_MS = 900_000
OVER_MS = TIME_MS + 60_000
CODE = "https://qr.alipay.com/bax03431ljhokirwl38f00a7"


class SetAhead:
    """Two clocks of which somebody has set one: only the other says how long ago something was."""

    def __init__(self):
        self.steady = 5_000

    def wall_ms(self):
        return UNTIL_MS + 86_400_000

    def steady_ms(self):
        return self.steady


def told(*answers, after_ms=0):
    """Return a channel that first had to do with SHOWN so long ago, and its line."""
    client, clock = Told(*answers), SetAhead()
    channel = AlipayShown(PROFILE, client, lambda: None, clock)
    channel._codes.see(SHOWN)
    clock.steady += after_ms
    return channel, client


def test_the_offer_ends_with_the_hold():
    channel, client = told(said("10000", qr_code=CODE))
    found = channel.take(SHOWN)
    assert (found.say, found.show) == (Say.PENDING, CODE)
    assert client.asked == [
        (
            "alipay.trade.precreate",
            {
                "out_trade_no": ASK.pay_ref,
                "subject": "以旧换新",
                "total_amount": "3399.15",
                "time_expire": "2026-11-18 19:06:40",
                "store_id": "0001",
            },
        )
    ]


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        (said("10000"), Say.UNCLEAR),
        (said("10000", qr_code=""), Say.UNCLEAR),
        (said("10000", qr_code="https://qr.alipay.com.example/x"), Say.UNCLEAR),
        (said("10000", qr_code="http://qr.alipay.com/x"), Say.UNCLEAR),
        (said("10000", qr_code=CODE + "/../x"), Say.UNCLEAR),
        (said("10000", qr_code=CODE, out_trade_no="SOMEBODYELSES"), Say.UNCLEAR),
        (said("10000", qr_code=CODE, out_trade_no=...), Say.UNCLEAR),
        (said("20000", qr_code=CODE), Say.UNCLEAR),
        (said("10003", qr_code=CODE), Say.UNCLEAR),
        (no("ACQ.TOTAL_FEE_EXCEED"), Say.DECLINED),
        (no("ACQ.TOTAL_FEE_EXCEED", out_trade_no="SOMEBODYELSES"), Say.UNCLEAR),
        (no("ACQ.SYSTEM_ERROR"), Say.UNCLEAR),
        (Silence.NO_KEYS, Say.DECLINED),
        (Silence.NO_ANSWER, Say.UNCLEAR),
    ],
)
def test_what_is_no_offer_of_ours_is_not_shown(answer, say):
    found = told(answer)[0].take(SHOWN)
    assert (found.say, found.show) == (say, "")


NONE = no("ACQ.TRADE_NOT_EXIST")
CANCELLED = said("10000", retry_flag="N")


@pytest.mark.parametrize(
    ("after_ms", "cancel", "query", "say"),
    [
        (TIME_MS - 1000, CANCELLED, NONE, Say.UNCLEAR),
        (TIME_MS + 1000, CANCELLED, NONE, Say.UNCLEAR),
        (OVER_MS, CANCELLED, NONE, Say.UNCLEAR),
        (OVER_MS + 1, CANCELLED, NONE, Say.APPROVED),
        (OVER_MS + 1, NONE, NONE, Say.APPROVED),
        (OVER_MS + 1, Silence.NO_ANSWER, NONE, Say.UNCLEAR),
        (OVER_MS + 1, CANCELLED, Silence.NO_ANSWER, Say.UNCLEAR),
        (OVER_MS + 1, CANCELLED, state("WAIT_BUYER_PAY"), Say.PENDING),
        (OVER_MS + 1, CANCELLED, state("TRADE_SUCCESS"), Say.UNCLEAR),
        (TIME_MS - 1000, CANCELLED, state("TRADE_CLOSED"), Say.APPROVED),
        (TIME_MS - 1000, no("ACQ.TRADE_CANCEL_TIME_OUT"), state("TRADE_SUCCESS"), Say.DECLINED),
    ],
)
def test_an_offer_that_nobody_knows_of_is_not_paid_only_after_its_time(after_ms, cancel, query, say):
    assert told(cancel, query, after_ms=after_ms)[0].reverse(SHOWN, Evidence()).say is say


def test_a_question_about_an_unscanned_code_is_never_a_no():
    for after_ms in (TIME_MS - 1000, OVER_MS + 1):
        assert told(NONE, after_ms=after_ms)[0].query(SHOWN).say is Say.NOT_FOUND


def test_after_a_restart_a_code_is_waited_for_as_if_it_had_just_been_shown():
    client, clock = Told(*(CANCELLED, NONE) * 3), SetAhead()
    channel = AlipayShown(PROFILE, client, lambda: None, clock)
    assert channel.reverse(SHOWN, Evidence()).say is Say.UNCLEAR
    clock.steady += OVER_MS
    assert channel.reverse(SHOWN, Evidence()).say is Say.UNCLEAR
    clock.steady += 1
    assert channel.reverse(SHOWN, Evidence()).say is Say.APPROVED
