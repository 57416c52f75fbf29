import re
from pathlib import Path

import pytest
from wechat import PROFILE_FILE, profile_text

from subsidy.strict.yaml_text import FileError
from terminal_agent.channels.profile import read_profile
from terminal_agent.checkout.ports import Clocks

SHIPPED = PROFILE_FILE.read_text(encoding="utf-8")
FOLDER = Path("/etc/tradein")


def changed(old, new):
    assert old in SHIPPED
    return SHIPPED.replace(old, new, 1)


def read(text, **options):
    return read_profile(text, PROFILE_FILE.name, FOLDER, **options)


def test_the_shipped_profile_has_the_waits_of_wechat_pay():
    profile = read(SHIPPED)
    assert profile.clocks == Clocks(10, 15, 30, 5, 45, 15, 60)
    assert (profile.limits.connect_s, profile.limits.read_s, profile.limits.whole_s) == (3, 10, 15)
    assert [file.relative_to(FOLDER / "keys").name for file in profile.keys.files] == [
        "apiclient_key.pem",
        "apiclient_cert.pem",
        "wechatpay_public_key.pem",
    ]


def test_nothing_that_may_still_be_paid_is_a_no():
    profile = read(SHIPPED)
    for code in ("SYSTEM_ERROR", "BANK_ERROR", "BANKERROR", "TRADE_ERROR", "ORDER_PAID", "ORDERPAID"):
        assert code not in profile.refused
    for code in (
        "USERPAYING",
        "OUT_TRADE_NO_USED",
        "INVALID_REQUEST",
        "FREQUENCY_LIMITED",
        "ORDER_NOT_EXIST",
    ):
        assert code not in profile.refused
    assert profile.shown is not None
    for states in (profile.states, profile.shown):
        assert not {"SUCCESS", "REFUND", "USERPAYING", "ACCEPT", "NOTPAY"} & states.not_paid


@pytest.mark.parametrize(
    "text",
    [
        profile_text(mchid="EMU00000001"),
        changed("PUB_KEY_ID_0000000000000000000000000000000", "PUB_KEY_ID_EMU0123456789ABCDEF"),
    ],
)
def test_an_emulator_is_refused_unless_it_is_training(text):
    with pytest.raises(FileError, match="is an emulator's"):
        read(text)
    assert read(text, training=True)


def test_plain_http_is_for_an_emulator_on_this_host_only():
    local = profile_text(base_url="http://127.0.0.1:8080")
    assert read(local, training=True).base_url == "http://127.0.0.1:8080"
    with pytest.raises(FileError, match="over plain http"):
        read(local)
    with pytest.raises(FileError, match="over plain http"):
        read(profile_text(base_url="http://api.mch.weixin.qq.com"), training=True)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"https://api.mch.weixin.qq.com"', '"ftp://example"', "no address"),
        ('"https://api.mch.weixin.qq.com"', '"https://user@example"', "no address"),
        ('"https://api.mch.weixin.qq.com"', '"https://example/v3"', "with a path"),
        ("family: wechat_v3", "family: wechat_v2", "not known here"),
        ('appid: "wx0000000000000000"', 'appid: "wx 0"', "not an appid"),
        ('mchid: "1900000000"', "mchid: 1900000000", "not quoted"),
        ('mchid: "1900000000"', 'mchid: "19\\u0660000000"', "not a merchant number"),
        ("description: 以旧换新", f"description: {'以' * 43}", "longer than 127 bytes"),
        ('device_ip: "192.0.2.10"', 'device_ip: "shop"', "no IP address"),
        ('id: "0001"', 'id: "00/01"', "not a store's number"),
        ("  PUB_KEY_ID_0000", "  KEY_0000", "no key id"),
        ("  certificate: keys/apiclient_cert.pem\n", "", "certificate"),
        ("certificate: keys/apiclient_cert.pem", 'serial: "12-34"', "certificate"),
        ("answer_cap_ms: 15000", "answer_cap_ms: 9000", "shorter than answer_wait_ms"),
        ("resolver_ms: 60000", "resolver_ms: 0", "below 1"),
        ("not_paid: [CLOSED, REVOKED, P", "not_paid: [SUCCESS, REVOKED, P", "two meanings"),
        ("pending: [NOTPAY, USERPAYING, ACCEPT]", "pending: [NOTPAY, CLOSED]", "two meanings"),
        ("not_paid: [CLOSED, REVOKED, P", "not_paid: [NOTPAY, CLOSED, REVOKED, P", "NOTPAY is no no"),
        ("not_paid: [CLOSED, REVOKED, P", "not_paid: [ACCEPT, USERPAYING, P", "ACCEPT, USERPAYING is no no"),
        ("not_paid: [CLOSED, REVOKED]", "not_paid: [NOTPAY, CLOSED]", "NOTPAY is no no"),
        ("[USERPAYING, USER_PAYING]", "[USERPAYING, NOT_ENOUGH]", "stands under pending too"),
        ("[USERPAYING, USER_PAYING]", "[USERPAYING, USERPAYING]", "stands twice"),
        ("  NOT_ENOUGH: 余额不足", "  not_enough: 余额不足", "no error code"),
        ("connect_ms: 3000", "connect_s: 3", "unknown key"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_with_its_line(old, new, problem):
    with pytest.raises(FileError, match=problem) as refused:
        read(changed(old, new))
    assert refused.value.line > 1
    assert refused.value.remedy


def test_every_value_of_the_shipped_profile_is_explained():
    blocks = re.split(r"\n\n+", SHIPPED)
    assert [block for block in blocks if not block.startswith("#")] == []
