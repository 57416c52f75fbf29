"""Does a library that others use with WeChat Pay agree with us and with our emulator?"""

import json
import re

import wechatpayv3
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from wechat import new_ask, new_code
from wechatpayv3 import utils

from terminal_agent.channels.signed_client import answer_text, authorization


def their_client(wechat, tmp_path):
    ready = wechat.ready
    with open(ready["merchant_key"]) as private, open(ready["platform_key"]) as public:
        client = wechatpayv3.WeChatPay(
            wechatpay_type=wechatpayv3.WeChatPayType.CODEPAY,
            mchid=ready["mchid"],
            private_key=private.read(),
            cert_serial_no=ready["merchant_serial"],
            apiv3_key="0" * 32,
            appid=ready["appid"],
            notify_url="https://example.invalid",
            public_key=public.read(),
            public_key_id=ready["platform_key_id"],
            timeout=(2, 5),
        )
    client._core._gate_way = wechat.base_url
    return client


def test_it_signs_a_request_as_we_do():
    key = generate_private_key(65_537, 2048)
    body = '{"description":"以旧换新"}'
    theirs = utils.build_authorization("/v3/x?a=1", "POST", "1900000000", "ABCD", key, body, "N0NCE")
    timestamp = int(re.search(r'timestamp="([0-9]+)"', theirs)[1])
    ours = authorization(
        key,
        serial="ABCD",
        mchid="1900000000",
        method="POST",
        path="/v3/x?a=1",
        timestamp=timestamp,
        nonce="N0NCE",
        body=body.encode(),
    )
    assert ours == theirs


def test_it_takes_what_we_take_for_a_signature():
    key = generate_private_key(65_537, 2048)
    text = answer_text("1795000000", "abc", b'{"a":1}')
    signature = utils.rsa_sign(key, text.decode())
    assert utils.rsa_verify("1795000000", "abc", '{"a":1}', signature, key.public_key())
    assert not utils.rsa_verify("1795000001", "abc", '{"a":1}', signature, key.public_key())


def test_its_client_pays_asks_undoes_and_refunds_at_our_emulator(wechat, tmp_path):
    client = their_client(wechat, tmp_path)
    paid, undone = new_ask().pay_ref, new_ask().pay_ref
    for order in (paid, undone):
        status, body = client.pay(
            description="以旧换新",
            out_trade_no=order,
            amount={"total": 100, "currency": "CNY"},
            payer={"auth_code": new_code()},
            scene_info={"device_ip": "192.0.2.10", "store_info": {"out_id": "1"}},
        )
        assert (status, json.loads(body)["trade_state"]) == (200, "SUCCESS")
    status, body = client.query(out_trade_no=paid)
    assert (status, json.loads(body)["amount"]["total"]) == (200, 100)
    status, _ = client.codepay_reverse(out_trade_no=undone)
    assert status == 200
    status, body = client.refund(
        out_refund_no=f"{paid}R",
        out_trade_no=paid,
        amount={"refund": 100, "total": 100, "currency": "CNY"},
    )
    assert (status, json.loads(body)["out_refund_no"]) == (200, f"{paid}R")
    assert wechat.moved(paid) == [("charge", 100), ("refund", 100)]
    assert wechat.moved(undone) == [("charge", 100), ("reversal", 100)]


def test_our_channel_asks_about_what_its_client_paid(wechat, channel, tmp_path):
    ask = new_ask(100)
    their_client(wechat, tmp_path).pay(
        description="x",
        out_trade_no=ask.pay_ref,
        amount={"total": 100, "currency": "CNY"},
        payer={"auth_code": new_code()},
        scene_info={"device_ip": "192.0.2.10"},
    )
    assert channel.query(ask).approved_fen == 100


def test_the_emulators_key_files_are_ordinary_ones(wechat):
    with open(wechat.ready["merchant_key"], "rb") as file:
        assert load_pem_private_key(file.read(), None).key_size == 2048
