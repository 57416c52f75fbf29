"""What passes between us and a wallet can be written down, and shows no payment code, name or number."""

import json
from functools import partial
from urllib.parse import urlencode

import msgspec
import pytest
from scanner import Scanner, Secret, looks_personal
from wechat import EmulatedWechat, RealClock, new_ask, new_code

from terminal_agent.channels.wechat import open_wechat
from terminal_agent.checkout.ports import Say
from terminal_agent.traces.mask_http import http_note, mask_http
from terminal_agent.traces.read_trace import make_case, read_trace, replay
from terminal_agent.traces.write_trace import Note, TraceFile

CODE = "130000000000000017"


def masked(value):
    return json.loads(mask_http(json.dumps(value).encode()))


def test_words_are_kept_by_name_and_shape_and_all_else_by_size():
    assert masked(
        {
            "out_trade_no": "AGNQ7WAAOAAHNAABAAAAAAAAAA01",
            "trade_state": "SUCCESS",
            "payer": {"auth_code": CODE, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            "amount": {"total": 85_000, "currency": "CNY"},
            "message": "张三 13800138000",
            "deep": [{"code": "张三"}, {"code": CODE}, True, None, 1.5],
        }
    ) == {
        "out_trade_no": "AGNQ7WAAOAAHNAABAAAAAAAAAA01",
        "trade_state": "SUCCESS",
        "payer": {"auth_code": "?" * 18, "openid": "?" * 28},
        "amount": {"total": 85_000, "currency": "CNY"},
        "message": "?" * 14,
        "deep": [{"code": "??"}, {"code": "?" * 18}, True, None, "???"],
    }


def test_a_number_that_could_be_a_phones_is_none():
    assert masked({"total": 9_999_999_999, "mobile": 13_800_138_000}) == {"total": 9_999_999_999, "mobile": 0}


def test_a_name_that_is_a_number_is_hidden_too():
    assert masked({CODE: 1}) == {"?" * 18: 1}


def test_a_form_with_json_inside_is_masked_inside():
    inner = json.dumps({"out_trade_no": "A1", "auth_code": CODE})
    form = mask_http(
        urlencode({"method": "alipay.trade.pay", "sign": "abc/def=", "biz_content": inner}).encode()
    )
    assert b"alipay.trade.pay" in form
    assert b"abc" not in form
    assert CODE.encode() not in form
    assert b"%22A1%22" in form


@pytest.mark.parametrize(
    "content", [b"nothing", b"\xff\xfe", b"{", b"[1]", b"{" * 100_000, b"<html>13800138000"]
)
def test_what_is_neither_json_nor_a_form_is_not_kept(content):
    assert mask_http(content) is None


def test_exchanges_with_a_wallet_become_a_trace_and_a_case(tmp_path):
    file, clock = tmp_path / "WECHAT@EMU00001.trace", RealClock()
    note = Note(
        TraceFile(file, clock, lambda *_a, **_k: None),
        clock,
        "WECHAT@EMU00001",
        "wallet",
        "wechat",
        mask_http,
    )
    with EmulatedWechat.start(tmp_path / "wechat") as wechat:
        payment = open_wechat(wechat.profile(), clock, lambda count: bytes(count), http_note(note))
        code = new_code()
        ask = new_ask(85_000, code)
        assert payment.take(ask).say is Say.APPROVED
        late = msgspec.structs.replace(ask, pay_code=None)
        assert payment.query(late).say is Say.APPROVED
        wechat.fault("lost_answer", on="query")
        payment.query(late)
    passed = read_trace(file.read_bytes(), file.name)
    said = [one.said for one in passed if one.said]
    assert said[0] == "POST /v3/pay/transactions/codepay"
    assert said[-1] == "NO_ANSWER"
    assert Scanner([Secret("payment code", code)]).scan_file(file) == []
    bodies = [bytes.fromhex(one.frame).decode() for one in passed if one.frame]
    assert not looks_personal("".join(bodies), own=[ask.pay_ref])
    case = make_case(passed, "paid and asked about", partial(lambda name: name))
    assert [step.way for step in case.steps] == ["request", "answer", "answer"]
    assert case.steps[1].understood["trade"]["trade_state"] == "SUCCESS"
    assert replay(case, lambda name: name) == []
