"""Does the openssl command agree with us and our emulator on what goes over the line to Alipay?

The libraries that others use with Alipay cannot be pointed at us lightly; openssl shares no code with ours.
"""

import hashlib
import http.client
import json
import re
import subprocess
from base64 import b64decode
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from alipay import EmulatedAlipay, new_ask

from terminal_agent.channels.alipay_client import text_to_sign
from terminal_agent.channels.alipay_keys import serial_of


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    with EmulatedAlipay.start(tmp_path_factory.mktemp("certified"), certificates=True) as running:
        yield running


def openssl(*words, stdin=b""):
    done = subprocess.run(["openssl", *map(str, words)], input=stdin, capture_output=True)
    return done.returncode, done.stdout.decode()


def verifies(public_key, text, signature, folder):
    for name, content in (("text", text), ("signature", signature)):
        (folder / name).write_bytes(content)
    how = ("-verify", public_key, "-signature", folder / "signature", folder / "text")
    return openssl("dgst", "-sha256", *how)[0] == 0


def openssl_signs(private_key, text):
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", private_key], input=text, capture_output=True, check=True
    )
    return done.stdout


def asked(emulator, monkeypatch):
    """Return (address, body, answer) of one question that our side asks."""
    kept = []
    channel = emulator.channel()
    session = channel._client._session
    sent = session.request

    def request(method, url, **options):
        answer = sent(method, url, **options)
        kept.append((url, options["data"]))
        return answer

    monkeypatch.setattr(session, "request", request)
    channel.query(new_ask())
    ((url, body),) = kept
    return url, body


def test_openssl_takes_our_signature_and_the_emulators_of_one_exchange(certified, monkeypatch, tmp_path):
    keys = certified.ready["keys"]
    url, body = asked(certified, monkeypatch)
    parameters = dict(parse_qsl(f"{urlsplit(url).query}&{body.decode()}"))
    own = tmp_path / "own.pem"
    own.write_text(openssl("x509", "-in", keys["app_certificate"], "-noout", "-pubkey")[1])
    text = text_to_sign(parameters)
    assert verifies(own, text, b64decode(parameters["sign"]), tmp_path)
    assert not verifies(own, text + b"x", b64decode(parameters["sign"]), tmp_path)

    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("POST", url, body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse().read()
    connection.close()
    signed = re.fullmatch(rb'\{"alipay_trade_query_response":(\{.*\}),"alipay_cert_sn".*\}', answer)[1]
    theirs = tmp_path / "theirs.pem"
    theirs.write_text(openssl("x509", "-in", keys["alipay_certificate"], "-noout", "-pubkey")[1])
    signature = b64decode(json.loads(answer)["sign"])
    assert verifies(theirs, signed, signature, tmp_path)
    assert not verifies(theirs, signed + b" ", signature, tmp_path)


def test_what_openssl_has_signed_pays_at_our_emulator(certified):
    ready = certified.ready
    ask = new_ask(100)
    named = {
        "app_cert_sn": openssl_serial(ready["keys"]["app_certificate"]),
        "alipay_root_cert_sn": openssl_serial(ready["keys"]["root_certificates"]),
    }
    content = {
        "out_trade_no": ask.pay_ref,
        "scene": "bar_code",
        "auth_code": ask.pay_code.reveal(),
        "product_code": "FACE_TO_FACE_PAYMENT",
        "subject": "以旧换新",
        "total_amount": "1.00",
        "timeout_express": "2m",
    }
    parameters = {
        "app_id": ready["app_id"],
        "biz_content": json.dumps(content, ensure_ascii=False),
        "charset": "utf-8",
        "method": "alipay.trade.pay",
        "sign_type": "RSA2",
        "timestamp": "2026-03-01 12:00:00",
        "version": "1.0",
        **named,
    }
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters)).encode()
    signature = openssl("base64", "-A", stdin=openssl_signs(ready["keys"]["private_key"], text))[1]
    connection = http.client.HTTPConnection(urlsplit(ready["gateway"]).netloc, timeout=5)
    connection.request(
        "POST",
        "/gateway.do",
        urlencode({**parameters, "sign": signature}),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    said = json.loads(connection.getresponse().read())["alipay_trade_pay_response"]
    connection.close()
    assert (said["code"], said["out_trade_no"]) == ("10000", ask.pay_ref)
    assert certified.moved(ask.pay_ref) == [("pay", 100)]
    assert certified.channel().query(ask).approved_fen == 100


def openssl_serial(file):
    """Return Alipay's serial number of a certificate as openssl's own words make it."""
    issuer = openssl("x509", "-in", file, "-noout", "-issuer", "-nameopt", "RFC2253")[1].strip()
    serial = openssl("x509", "-in", file, "-noout", "-serial")[1].strip()
    text = issuer.removeprefix("issuer=") + str(int(serial.removeprefix("serial="), 16))
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize("name", ["app_certificate", "alipay_certificate", "root_certificates"])
def test_a_certificate_is_called_what_openssls_words_make_of_it(name, certified):
    from cryptography import x509

    file = certified.ready["keys"][name]
    with open(file, "rb") as opened:
        assert serial_of(x509.load_pem_x509_certificate(opened.read())) == openssl_serial(file)
