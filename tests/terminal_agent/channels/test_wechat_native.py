"""A code that we show: what WeChat Pay is asked, what its answers mean, and when it is certainly not paid."""

import json
import logging
import secrets

import msgspec
import pytest
from wechat import PROFILE_FILE, EmulatedWechat, RealClock, new_shown_ask

from subsidy import calendar
from subsidy.records.payment import Evidence
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.profile import read_profile
from terminal_agent.channels.signed_client import Reply
from terminal_agent.channels.wallets import WechatChannel
from terminal_agent.channels.wechat_native import WechatNative
from terminal_agent.checkout.ports import Say

PROFILE = read_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name, PROFILE_FILE.parent)
ASK = new_shown_ask(339_915)
CODE = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"
A, D, N, P, U = Say.APPROVED, Say.DECLINED, Say.NOT_FOUND, Say.PENDING, Say.UNCLEAR


class Told:
    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def call(self, method, path, body=b""):
        self.asked.append((method, path, json.loads(body or b"{}")))
        return self._answers.pop(0) if self._answers else Silence.NO_ANSWER


def told(*answers):
    client = Told(*answers)
    return WechatNative(PROFILE, PROFILE.shown, client, lambda: None), client


def reply(status=200, /, **fields):
    return Reply(status, json.dumps(fields).encode())


def order(state):
    paid = {"amount": {"total": 339_915, "currency": "CNY"}} if state in ("SUCCESS", "REFUND") else {}
    return reply(mchid=PROFILE.mchid, out_trade_no=ASK.pay_ref, trade_state=state, **paid)


def test_the_order_is_for_the_amount_and_ends_with_the_hold():
    channel, client = told(reply(code_url=CODE))
    assert channel.take(ASK).show == CODE
    method, path, body = client.asked[0]
    assert (method, path) == ("POST", "/v3/pay/transactions/native")
    assert body["amount"] == {"total": 339_915, "currency": "CNY"}
    assert body["out_trade_no"] == ASK.pay_ref
    until = calendar.from_ms(ASK.show_until_ms).replace(microsecond=0)
    assert body["time_expire"] == until.isoformat()
    assert body["time_expire"].endswith("+08:00")


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        (reply(code_url=CODE), P),
        (reply(code_url="https://example/"), U),
        (reply(code_url=""), U),
        (reply(code_url="weixin://" + "x" * 600), U),
        (reply(code_url="weixin://wx pay"), U),
        (reply(), U),
        (Reply(200, b"\xff"), U),
        (reply(202, code_url=CODE), U),
        (reply(500, code="SYSTEM_ERROR"), U),
        (reply(400, code="PARAM_ERROR"), D),
        (reply(400, code="ORDER_PAID"), U),
        (Silence.NO_ANSWER, U),
        (Silence.WRONG_SIGNATURE, U),
        (Silence.NO_KEYS, D),
    ],
)
def test_what_an_answer_to_an_order_means(answer, say):
    channel, _ = told(answer)
    took = channel.take(ASK)
    assert (took.say, bool(took.show)) == (say, say is P)


@pytest.mark.parametrize(
    ("state", "say"),
    [("NOTPAY", P), ("USERPAYING", P), ("SUCCESS", A), ("CLOSED", D), ("PAYERROR", U), ("MYSTERY", U)],
)
def test_an_order_that_waits_for_a_shopper_is_no_no(state, say):
    channel, _ = told(order(state))
    assert channel.query(ASK).say is say


@pytest.mark.parametrize(
    ("closed", "then", "say"),
    [
        (Reply(204, b""), order("CLOSED"), A),
        (Reply(204, b""), order("NOTPAY"), U),  # confirmed and not done
        (Reply(204, b""), Silence.NO_ANSWER, U),
        (Reply(204, b""), reply(404, code="ORDER_NOT_EXIST"), N),
        (Silence.NO_ANSWER, order("CLOSED"), A),
        (Silence.NO_ANSWER, order("NOTPAY"), U),
        (reply(400, code="ORDER_PAID"), order("SUCCESS"), D),  # paid meanwhile: it stands
        (reply(400, code="ORDER_CLOSED"), order("CLOSED"), A),
        (reply(404, code="ORDER_NOT_EXIST"), reply(404, code="ORDER_NOT_EXIST"), N),
        # It is there, and not found yet.
        (reply(400, code="ORDER_PAID"), reply(404, code="ORDER_NOT_EXIST"), U),
        (Silence.NO_ANSWER, reply(404, code="ORDER_NOT_EXIST"), U),
    ],
)
def test_only_an_order_that_says_it_is_closed_is_not_paid(closed, then, say):
    channel, _ = told(closed, then)
    assert channel.reverse(ASK, Evidence()).say is say


@pytest.fixture
def showing(wechat):
    return wechat.showing()


def test_a_close_that_is_confirmed_and_not_done_is_repeated(wechat, showing):
    ask = new_shown_ask()
    code = showing.take(ask).show
    wechat.fault("close_lost", on="close")
    assert showing.reverse(ask, Evidence()).say is U
    assert showing.reverse(ask, Evidence()).say is A
    assert not wechat.scan(code)


def test_who_pays_before_the_close_is_told_so_and_refunded(wechat, showing):
    ask = new_shown_ask()
    assert wechat.scan(showing.take(ask).show)
    said = showing.reverse(ask, Evidence())
    assert said.say is D
    assert wechat.moved(ask.pay_ref) == [("charge", 85_000)]


def test_a_code_whose_time_is_over_is_not_paid_any_more(wechat, showing):
    ask = new_shown_ask(for_s=-5)
    assert not wechat.scan(showing.take(ask).show)
    # It waits all the same until it is closed.
    assert showing.query(ask).say is P


def test_the_keys_change_while_codes_are_shown(tmp_path):
    with EmulatedWechat.start(tmp_path / "one") as one, EmulatedWechat.start(tmp_path / "two") as two:
        profile = one.profile()
        files = profile.keys.files
        right = [file.read_bytes() for file in files]
        foreign = two.profile().keys.files
        for file, other in zip(files, foreign, strict=True):
            file.write_bytes(other.read_bytes())
        showing = WechatChannel(profile).showing(RealClock(), secrets.token_bytes)
        ask = new_shown_ask()
        assert showing.take(ask).say is U
        for file, content in zip(files, right, strict=True):
            file.write_bytes(content)
        assert showing.query(ask).say is N
        assert showing.take(new_shown_ask()).say is P


def test_a_profile_without_the_part_for_it_shows_no_codes():
    without = msgspec.structs.replace(PROFILE, shown=None)
    assert WechatChannel(without).showing(RealClock(), secrets.token_bytes) is None


def test_nothing_personal_is_logged_or_kept_of_a_shown_code(wechat, showing, caplog):
    caplog.set_level(logging.DEBUG)
    ask = new_shown_ask()
    answers = [took := showing.take(ask)]
    wechat.scan(took.show)
    answers += [showing.query(ask), showing.reverse(ask, Evidence())]
    said = caplog.text + str([msgspec.to_builtins(one) for one in answers])
    for personal in ("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "13800138000", "CMB_CREDIT", "WECHATPAY2"):
        assert personal not in said
