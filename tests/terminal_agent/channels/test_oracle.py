"""Do a library that others use with WeChat Pay, and the openssl command, agree with us and our emulator?

What openssl says of our own texts and keys stands in `test_signed_client.py`; here it is asked about what
goes over the line.
"""

import http.client
import json
import re
import subprocess
from base64 import b64decode
from urllib.parse import urlsplit

import wechatpayv3
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from wechat import RealClock, new_ask, new_code
from wechatpayv3 import utils

from subsidy.records.payment import Evidence
from terminal_agent.channels.signed_client import answer_text, authorization
from terminal_agent.checkout.ports import Back, Say


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


def openssl_verifies(key_file, text, signature, folder):
    """Return whether openssl takes a signature under a key file, private or public."""
    for name, content in (("text", text), ("signature", b64decode(signature))):
        (folder / name).write_bytes(content)
    how = ["-verify"] if "PUBLIC" in open_text(key_file) else ["-prverify"]
    command = ["openssl", "dgst", "-sha256", *how, key_file, "-signature", folder / "signature"]
    return subprocess.run([*command, folder / "text"], capture_output=True).returncode == 0


def open_text(file):
    with open(file, encoding="ascii") as opened:
        return opened.read()


def test_openssl_and_the_library_take_both_signatures_of_one_exchange(wechat, tmp_path):
    ready = wechat.ready
    path = f"/v3/pay/transactions/out-trade-no/{new_ask().pay_ref}?mchid={ready['mchid']}"
    key = load_pem_private_key(open_text(ready["merchant_key"]).encode(), None)
    now_s = RealClock().wall_ms() // 1000
    header = authorization(
        key,
        serial=ready["merchant_serial"],
        mchid=ready["mchid"],
        method="GET",
        path=path,
        timestamp=now_s,
        nonce="N0NCE",
        body=b"",
    )
    connection = http.client.HTTPConnection(urlsplit(wechat.base_url).netloc, timeout=5)
    connection.request("GET", path, headers={"Authorization": header})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 404  # the emulator has taken our signature: it would be 401

    asked = re.search(r'signature="([^"]+)"', header)[1]
    text = f"GET\n{path}\n{now_s}\nN0NCE\n\n".encode()
    assert openssl_verifies(ready["merchant_key"], text, asked, tmp_path)
    assert not openssl_verifies(ready["merchant_key"], text + b"x", asked, tmp_path)

    timestamp, nonce, signature = (
        answer.headers[f"Wechatpay-{name}"] for name in ("Timestamp", "Nonce", "Signature")
    )
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    assert openssl_verifies(ready["platform_key"], text, signature, tmp_path)
    assert not openssl_verifies(ready["platform_key"], text + b"x", signature, tmp_path)
    platform = load_pem_public_key(open_text(ready["platform_key"]).encode())
    assert utils.rsa_verify(timestamp, nonce, body.decode(), signature, platform)


def test_its_client_and_our_channel_refund_one_number_once(wechat, channel, tmp_path):
    ask = new_ask(100)
    assert channel.take(ask).say is Say.APPROVED
    number = f"{ask.pay_ref}R"
    status, _ = their_client(wechat, tmp_path).refund(
        out_refund_no=number,
        out_trade_no=ask.pay_ref,
        amount={"refund": 100, "total": 100, "currency": "CNY"},
    )
    assert status == 200
    assert channel.refund(ask, Back(number, 100, Evidence())).approved_fen == 100
    assert wechat.moved(ask.pay_ref) == [("charge", 100), ("refund", 100)]


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
