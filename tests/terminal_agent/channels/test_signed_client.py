"""Is a request signed as WeChat Pay wants it, and is only what it has signed believed?"""

import datetime
import itertools
import re
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64decode, b64encode
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from terminal_agent.bounded_http import BoundedSession
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import MOST_BYTES, Limits, Silence
from terminal_agent.channels.signed_client import (
    SCHEME,
    Reply,
    SignedClient,
    answer_text,
    authorization,
    doubt_of,
    request_text,
)
from terminal_agent.channels.wechat_keys import Keys

NOW_S = 1_795_000_000
OURS, THEIRS, STRANGER = (generate_private_key(65_537, 2048) for _ in range(3))
KEY_ID = "PUB_KEY_ID_1"
KEYS = Keys("ABCDEF01", OURS, {KEY_ID: THEIRS.public_key()})
FAST = Limits(0.5, 0.4, 0.8)


class Clock:
    def wall_ms(self):
        return NOW_S * 1000

    def steady_ms(self):
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds):
        raise AssertionError("nothing here waits")


def client(base_url, *, keys=lambda: KEYS, limits=FAST, session=None):
    numbers = itertools.count(1)
    return SignedClient(
        session=session or BoundedSession(Clock()),
        base_url=base_url,
        mchid="1900000000",
        keys=keys,
        clock=Clock(),
        random_bytes=lambda count: next(numbers).to_bytes(count),
        limits=limits,
    )


def signed(body, *, key=THEIRS, at_s=NOW_S, nonce="N0NCE", **changes):
    signature = key.sign(answer_text(str(at_s), nonce, body), PKCS1v15(), SHA256())
    headers = {
        "Wechatpay-Timestamp": str(at_s),
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": b64encode(signature).decode(),
        "Wechatpay-Serial": KEY_ID,
        **{f"Wechatpay-{name.title()}": value for name, value in changes.items()},
    }
    return CaseInsensitiveDict({name: value for name, value in headers.items() if value is not None})


def doubt(headers, body=b"{}", now_s=NOW_S):
    return doubt_of(headers, body, KEYS.platform, now_s * 1000)


def read_request(line):
    head, _, body = line.recv(65_536).partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: ([0-9]+)", head)
    while length and len(body) < int(length[1]):
        body += line.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def server(*answers, tls=None):
    """Give one answer per connection, each of bytes and pauses; yields its address and what it heard."""
    heard = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        for answer in answers:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            if tls is not None:
                try:
                    line = tls.wrap_socket(line, server_side=True)
                except OSError:
                    continue
            with line:
                heard.append(read_request(line))
                try:
                    for part in answer:
                        if isinstance(part, bytes):
                            line.sendall(part)
                        else:
                            time.sleep(part)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def http(body, status="200 OK", headers=None, **more):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in {**(headers or signed(body)), **more}.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_the_text_that_is_signed_is_the_documented_one():
    path = "/v3/pay/transactions/out-trade-no/A01?mchid=1900000000"
    assert request_text("GET", path, 1554208460, "593BEC0C930BF1AFEB40B4A08C8FB242", b"") == (
        b"GET\n/v3/pay/transactions/out-trade-no/A01?mchid=1900000000\n1554208460\n"
        b"593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
    )
    assert request_text("POST", "/v3/x", 1, "N", b'{"a":1}') == b'POST\n/v3/x\n1\nN\n{"a":1}\n'
    assert answer_text("1554209980", "c5ac7061", b'{"data":[]}') == b'1554209980\nc5ac7061\n{"data":[]}\n'


def openssl_takes(key, text, signature, folder):
    files = {name: folder / name for name in ("key.pem", "text", "signature")}
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for file, content in zip(files.values(), (pem, text, signature), strict=True):
        file.write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", files["key.pem"], "-signature", files["signature"]]
    return subprocess.run([*command, files["text"]], capture_output=True).returncode == 0


def test_openssl_takes_our_signature_and_no_other(tmp_path):
    body = '{"description":"以旧换新"}'.encode()
    header = authorization(
        OURS, serial="AB", mchid="19", method="POST", path="/v3/x", timestamp=7, nonce="N", body=body
    )
    signature = b64decode(re.search(r'signature="([^"]+)"', header)[1])
    text = b"POST\n/v3/x\n7\nN\n" + body + b"\n"
    assert openssl_takes(OURS, text, signature, tmp_path)
    assert not openssl_takes(OURS, text[:-1], signature, tmp_path)
    assert not openssl_takes(THEIRS, text, signature, tmp_path)


def test_we_take_openssls_signature(tmp_path):
    body = '{"trade_state":"SUCCESS","attach":"é"}'.encode()
    (tmp_path / "text").write_bytes(answer_text(str(NOW_S), "abc", body))
    pem = THEIRS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    command = ["openssl", "dgst", "-sha256", "-sign", tmp_path / "key.pem", tmp_path / "text"]
    signature = subprocess.run(command, capture_output=True, check=True).stdout
    headers = signed(body, nonce="abc", signature=b64encode(signature).decode())
    assert doubt(headers, body) is None


def test_a_request_carries_what_wechat_pay_wants():
    body = b'{"amount":{"total":1}}'
    with server([http(b"{}")], [http(b"{}")]) as (address, heard):
        own = client(address)
        assert own.call("POST", "/v3/pay/transactions/codepay", body) == Reply(200, b"{}")
        assert own.call("GET", "/v3/pay/x?mchid=1900000000") == Reply(200, b"{}")
    posted, got = heard
    head, _, sent = posted.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v3/pay/transactions/codepay HTTP/1.1\r\n")
    assert sent == body
    assert got.startswith(b"GET /v3/pay/x?mchid=1900000000 HTTP/1.1\r\n")
    for line in (
        b"Accept: application/json",
        b"Accept-Encoding: identity",
        b"Content-Type: application/json",
        b"User-Agent: terminal-agent",
        b"Wechatpay-Serial: PUB_KEY_ID_1",
    ):
        assert line in head.split(b"\r\n")
    found = re.search(
        rf'Authorization: {SCHEME} mchid="1900000000",nonce_str="([0-9A-F]{{32}})",signature="([^"]+)",'
        rf'timestamp="{NOW_S}",serial_no="ABCDEF01"\r\n',
        head.decode(),
    )
    text = f"POST\n/v3/pay/transactions/codepay\n{NOW_S}\n{found[1]}\n".encode() + body + b"\n"
    OURS.public_key().verify(b64decode(found[2]), text, PKCS1v15(), SHA256())
    assert found[1].encode() not in got  # every request has a nonce of its own


def test_a_right_and_fresh_signature_is_believed():
    assert doubt(signed(b"{}")) is None
    for off_s in (-300, 300):
        assert doubt(signed(b"{}", at_s=NOW_S + off_s)) is None


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (CaseInsensitiveDict(), Silence.NOT_SIGNED),
        (signed(b"{}", signature=None), Silence.WRONG_SIGNATURE),
        (signed(b"{}", timestamp=None), Silence.NOT_SIGNED),
        (signed(b"{}", nonce=None), Silence.NOT_SIGNED),
        (signed(b"{}", serial=None), Silence.NOT_SIGNED),
        (signed(b"{}", serial="PUB_KEY_ID_2"), Silence.UNKNOWN_KEY),
        (signed(b"{}", key=STRANGER), Silence.WRONG_SIGNATURE),
        (signed(b"{}", key=OURS), Silence.WRONG_SIGNATURE),
        (signed(b"{} "), Silence.WRONG_SIGNATURE),
        (signed(b"{}", nonce="other"), Silence.WRONG_SIGNATURE),
        (signed(b"{}", at_s=NOW_S - 301), Silence.STALE),
        (signed(b"{}", at_s=NOW_S + 301), Silence.STALE),
        (signed(b"{}", timestamp=f"{NOW_S - 1}"), Silence.WRONG_SIGNATURE),
        (signed(b"{}", timestamp="soon"), Silence.NOT_SIGNED),
        (signed(b"{}", timestamp="１７９５"), Silence.NOT_SIGNED),
        (signed(b"{}", signature="not base64"), Silence.WRONG_SIGNATURE),
        (signed(b"{}", signature="WECHATPAY/SIGNTEST/AAAA"), Silence.WRONG_SIGNATURE),
    ],
)
def test_anything_else_is_not(headers, why):
    headers = CaseInsensitiveDict(headers)
    if headers.get("Wechatpay-Nonce") == "other":
        headers["Wechatpay-Nonce"] = "N0NCE"
    assert doubt(headers) is why


def test_another_way_of_signing_is_not_believed():
    assert doubt(signed(b"{}", **{"Signature-Type": SCHEME})) is None
    assert doubt(signed(b"{}", **{"Signature-Type": "WECHATPAY2-SM2-WITH-SM3"})) is Silence.NOT_SIGNED


@given(
    st.fixed_dictionaries(
        {},
        optional={
            f"Wechatpay-{name}": st.text(max_size=40)
            for name in ("Timestamp", "Nonce", "Signature", "Signature-Type")
        }
        | {"Wechatpay-Serial": st.sampled_from([KEY_ID, "", "other"])},
    ),
    st.binary(max_size=100),
)
def test_no_made_up_headers_are_believed(headers, body):
    assert doubt(CaseInsensitiveDict(headers), body) is not None


@pytest.mark.parametrize(
    "status", ["200 OK", "202 Accepted", "400 Bad", "401 No", "404 No", "429 Slow", "500 Oh"]
)
def test_every_status_must_be_signed(status):
    right, wrong = http(b"{}", status), http(b"{}", status, headers={"X": "y"})
    with server([right], [wrong]) as (address, _):
        own = client(address)
        assert own.call("GET", "/v3/x") == Reply(int(status[:3]), b"{}")
        assert own.call("GET", "/v3/x") is Silence.NOT_SIGNED


BODY = b'{"a": 1}'
WHOLE = http(BODY)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([], Silence.NO_ANSWER),
        ([b"\x00\xff garbage\r\n\r\n"], Silence.NO_ANSWER),
        ([b"HTTP/1.1 two hundred\r\n\r\n"], Silence.NO_ANSWER),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000], Silence.NO_ANSWER),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000], Silence.NO_ANSWER),
        ([WHOLE[:-3]], Silence.NO_ANSWER),
        ([0.6, WHOLE], Silence.NO_ANSWER),
        ([http(b"x" * (MOST_BYTES + 1))], Silence.TOO_LONG),
        ([http(BODY, "302 Found", Location="http://127.0.0.1:9/")], None),
        ([http(b"x" * (MOST_BYTES + 1), "302 Found", Location="http://127.0.0.1:9/")], Silence.TOO_LONG),
        ([http(BODY, **{"Content-Encoding": "gzip"})], None),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE], None),
        ([WHOLE[:40], 0.2, WHOLE[40:]], None),
    ],
    ids=[
        "closed", "garbage", "no status", "many headers", "long header", "cut off", "late", "long",
        "a redirect is not followed", "a long redirect",
        "what says it is packed is taken as it is", "continue", "in two parts",
    ],
)  # fmt: skip
def test_only_a_whole_answer_in_time_is_one(answer, why):
    with server(answer) as (address, heard):
        found = client(address).call("POST", "/v3/x", b"{}")
    if why is None:
        assert isinstance(found, Reply)
        assert found.body == BODY
    else:
        assert found is why
    assert len(heard) == 1  # sent once, whatever came


@pytest.mark.parametrize("drip", ["head", "body"])
def test_a_server_that_drips_does_not_keep_a_shopper_waiting(drip):
    cut = 12 if drip == "head" else len(WHOLE) - len(BODY)
    pieces = [part for one in WHOLE[cut:] for part in (0.3, bytes((one,)))]
    with server([WHOLE[:cut], *pieces[:20]]) as (address, _):
        began = time.monotonic()
        assert client(address).call("GET", "/v3/x") is Silence.NO_ANSWER
        assert 0.7 < time.monotonic() - began < 3  # all of it takes 6 s


def certificate_for_this_host(folder):
    """Write a key and a certificate of its own for 127.0.0.1, and return their file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(THEIRS.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(THEIRS, SHA256())
    )
    private = THEIRS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "tls.pem"
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


def test_over_tls_all_of_it_holds_too(tmp_path):
    file = certificate_for_this_host(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    drip = [WHOLE[:12], *(part for one in WHOLE[12:22] for part in (0.3, bytes((one,))))]
    with server([WHOLE], drip, [WHOLE], tls=tls) as (address, heard):
        address = address.replace("http:", "https:")
        session = BoundedSession(Clock())
        session.verify = str(file)
        trusting = client(address, session=session)
        assert trusting.call("POST", "/v3/x", b"{}") == Reply(200, BODY)
        began = time.monotonic()
        assert trusting.call("GET", "/v3/x") is Silence.NO_ANSWER
        assert time.monotonic() - began < 2.5  # all of it takes 3 s
        assert client(address).call("POST", "/v3/x", b"{}") is Silence.NO_ANSWER  # a certificate of nobody's
    assert [one.split(b" ")[0] for one in heard] == [b"POST", b"GET"]


def test_nobody_there_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert client(f"http://127.0.0.1:{port}").call("GET", "/v3/x") is Silence.NO_ANSWER


def test_without_keys_nothing_is_sent():
    def none():
        raise KeyTrouble("no key file")

    with server([WHOLE]) as (address, heard):
        assert client(address, keys=none).call("POST", "/v3/x", b"{}") is Silence.NO_KEYS
    assert heard == []


def test_neither_proxy_nor_netrc_of_the_host_is_used(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with server([WHOLE]) as (address, heard):
        assert client(address).call("GET", "/v3/x") == Reply(200, BODY)
    assert f"Authorization: {SCHEME}".encode() in heard[0]


def test_an_answer_does_not_show_itself():
    assert repr(Reply(200, b'{"openid": "o1"}')) == "Reply(200, 16 bytes)"
