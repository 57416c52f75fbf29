"""One signed request to the centre: signed as the wire says, over in time, believed only when sealed."""

import json
import ssl
import time

import msgspec
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from line_certificates import Authority
from small_server import SmallServer, answering

from subsidy import seal
from subsidy.problem import Problem
from subsidy.wire import http_signature, v1
from terminal_agent import bounded_http
from terminal_agent.bounded_http import BoundedSession
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable
from terminal_agent.sync.line import Line, answers, session_to
from terminal_agent.system import SystemClock

DEVICE_KEY = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
CENTRE_KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
BODY = b'{"v":1}'
MARGIN_S = 3.0


def line_to(url, clock=None):
    numbers = iter(range(1000))
    return Line(
        url=url,
        device="0123456789abcdef",
        epoch=3,
        key=DEVICE_KEY,
        centre_keys={seal.key_id(CENTRE_KEY.public_key()): CENTRE_KEY.public_key()},
        clock=clock or SystemClock(),
        random_bytes=lambda count: next(numbers).to_bytes(count),
    )


def signature_of(request):
    """Return what the centre reads from a request: its signature, and when it was made."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    method, path, _ = first.split()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return http_signature.read(method, path, "", body, headers)


def problem(code, status=403, **more):
    return answering(
        Problem(status, code, "A sentence", **more).content(), status, "application/problem+json"
    )


# Signed.


def test_every_request_is_signed_with_the_devices_key():
    with SmallServer(answering(b"{}")) as server:
        line = line_to(server.url)
        line.ask("/v1/facts", BODY, 5)
        line.ask("/v1/facts", BODY, 5)
    first, second = map(signature_of, server.heard)
    for signature in (first, second):
        signature.verify(DEVICE_KEY.public_key())
        assert (signature.device, signature.epoch) == ("0123456789abcdef", 3)
        assert abs(signature.created_s - time.time()) < 30
    assert first.nonce != second.nonce


@pytest.mark.parametrize("part", [b"/v1/facts", b'{"v":1}', b"tradein-epoch: 3"])
def test_a_request_that_is_changed_on_the_way_is_not_the_devices(part):
    with SmallServer(answering(b"{}")) as server:
        line_to(server.url).ask("/v1/facts", BODY, 5)
    (request,) = server.heard
    assert part in request
    changed = request.replace(part, part[:-1] + bytes((part[-1] ^ 1,)))
    with pytest.raises(http_signature.NotSigned):
        signature_of(changed).verify(DEVICE_KEY.public_key())


def test_a_device_whose_clock_is_off_signs_once_more_with_the_centres_time():
    ahead = "2031-05-05T08:00:00.000+08:00"
    # Retryable, as the centre says: a clock that was put right would else keep its outbox till a restart.
    answer = problem("CLOCK_SKEW", 401, retryable=True, centre_time=ahead)
    replies = iter([answer, answering(b"{}"), answering(b"{}")])
    with SmallServer(lambda near, request: next(replies)(near, request)) as server:
        line = line_to(server.url)
        assert line.ask("/v1/facts", BODY, 5) == b"{}"
        line.ask("/v1/facts", BODY, 5)
    first, second, third = map(signature_of, server.heard)
    assert second.created_s - first.created_s > 100_000
    assert third.created_s >= second.created_s
    assert len({first.nonce, second.nonce, third.nonce}) == 3


# In time.


def drip_head(near, _request):
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + b"x: y\r\n" * 1000:
        near.sendall(bytes((byte,)))
        time.sleep(0.02)


def drip_body(near, _request):
    near.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        near.sendall(b"x")
        time.sleep(0.02)


def drip_chunks(near, _request):
    near.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        near.sendall(b"1\r\nx\r\n")
        time.sleep(0.02)


def say_nothing(near, _request):
    near.recv(1)


@pytest.mark.parametrize("answer", [drip_head, drip_body, drip_chunks, say_nothing])
def test_an_answer_that_does_not_end_in_time_is_none(answer):
    with SmallServer(answer) as server:
        line = line_to(server.url)
        asked_at = time.monotonic()
        with pytest.raises(CentreUnreachable):
            line.ask("/v1/facts", BODY, 0.4)
        assert time.monotonic() - asked_at < 0.4 + MARGIN_S
        assert line.online is False


# Through a forward proxy.


CENTRE = "centre.example"


class Proxies:
    """Gives proxies that the environment names, and whom centres behind them show themselves as."""

    def __init__(self, folder, environment):
        self._environment = environment
        authority = Authority()
        (folder / "authorities.pem").write_text(authority.pem, encoding="ascii")
        environment.setenv("REQUESTS_CA_BUNDLE", str(folder / "authorities.pem"))
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "http_proxy", "https_proxy"):
            environment.delenv(name, raising=False)
        self._contexts = {}
        for name in (CENTRE, "localhost"):
            self._contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._contexts[name].load_cert_chain(authority.issue(folder, name).both)

    def at(self, server, scheme="http"):
        port = server.url.rpartition(":")[2]
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            self._environment.setenv(name, f"{scheme}://localhost:{port}")
        return server

    def through_a_tunnel(self, answer):
        """Take CONNECT, and answer as the centre behind it."""

        def tunnel(near, request):
            assert request.startswith(f"CONNECT {CENTRE}:443 ".encode())
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self._contexts[CENTRE].wrap_socket(near, server_side=True) as inner:
                answer(inner, request_from(inner))

        return tunnel


def request_from(line):
    request = b""
    while BODY not in request:
        request += line.recv(65_536)
    return request


def drip_the_handshake(near, _request):
    near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    # The head of one long record of the handshake.
    for byte in b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb" + bytes(1000):
        near.sendall(bytes((byte,)))
        time.sleep(0.02)


@pytest.fixture
def proxies(tmp_path, monkeypatch):
    return Proxies(tmp_path, monkeypatch)


def asked_through(proxy, url):
    """Ask a centre that drips, and return for how long."""
    with proxy:
        line = line_to(url)
        asked_at = time.monotonic()
        with pytest.raises(CentreUnreachable):
            line.ask("/v1/facts", BODY, 0.4)
        took_s = time.monotonic() - asked_at
        assert len(proxy.heard) == 1
        assert line.online is False
    return took_s


def test_a_centre_behind_a_proxy_is_heard(proxies):
    with proxies.at(SmallServer(answering(b'{"a":1}'))) as proxy:
        assert line_to(f"http://{CENTRE}").ask("/v1/facts", BODY, 5) == b'{"a":1}'
    assert proxy.heard[0].startswith(f"POST http://{CENTRE}/v1/facts ".encode())
    with proxies.at(SmallServer(proxies.through_a_tunnel(answering(b'{"a":2}')))):
        assert line_to(f"https://{CENTRE}").ask("/v1/facts", BODY, 5) == b'{"a":2}'


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_a_proxy_that_could_hold_a_request_past_its_time_is_not_used(proxies, scheme):
    proxy = proxies.at(SmallServer(answering(b"{}")), scheme)
    with proxy, pytest.raises(CentreUnreachable, match="InvalidProxyURL"):
        line_to(f"https://{CENTRE}").ask("/v1/facts", BODY, 5)
    assert proxy.heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_centre_on_this_host_is_asked_through_no_proxy(proxies, host):
    proxy = proxies.at(SmallServer(answering(b"not the centre", 502)))
    with proxy, SmallServer(answering(b"{}")) as server:
        url = server.url.replace("127.0.0.1", host)
        assert line_to(url).ask("/v1/facts", BODY, 5) == b"{}"
        assert answers(session_to(url, SystemClock()), url, 5) == "yes"
    assert proxy.heard == []


@pytest.mark.parametrize("answer", [drip_head, drip_body, drip_chunks, say_nothing])
def test_a_proxy_that_drips_does_not_hold_a_request_past_its_time(proxies, answer):
    assert asked_through(proxies.at(SmallServer(answer)), f"http://{CENTRE}") < 0.4 + MARGIN_S


@pytest.mark.parametrize("answer", [drip_head, drip_the_handshake, say_nothing])
def test_a_tunnel_that_is_not_there_in_time_is_no_answer(proxies, answer):
    assert asked_through(proxies.at(SmallServer(answer)), f"https://{CENTRE}") < 0.4 + MARGIN_S


@pytest.mark.parametrize("answer", [drip_head, drip_body, drip_chunks, say_nothing])
def test_a_centre_that_drips_through_a_tunnel_does_not_hold_a_request_past_its_time(proxies, answer):
    proxy = proxies.at(SmallServer(proxies.through_a_tunnel(answer)))
    assert asked_through(proxy, f"https://{CENTRE}") < 0.4 + MARGIN_S


class HeldClock:
    """Stands still until a test sets it on."""

    def __init__(self):
        self.at_ms = 0

    def steady_ms(self):
        return self.at_ms


def shakes_hands(session, url):
    """Return for how long a session waits for a handshake that never comes, whatever each wait may last."""
    asked_at = time.monotonic()
    with session, pytest.raises(requests.Timeout):
        session.get(url, timeout=30)
    return time.monotonic() - asked_at


def test_a_handshake_has_what_is_left_of_the_time():
    session = BoundedSession(SystemClock())
    with SmallServer(say_nothing) as server:
        session.deadline.start(0.4)
        assert shakes_hands(session, server.url.replace("http:", "https:")) < 0.4 + MARGIN_S


def test_a_handshake_through_a_tunnel_has_what_the_tunnel_has_left_of_the_time(proxies):
    clock = HeldClock()

    def late_and_silent(near, _request):
        clock.at_ms += 19_600
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        near.recv(65_536)
        near.recv(1)

    session = session_to(f"https://{CENTRE}", clock)
    with proxies.at(SmallServer(late_and_silent)):
        session.deadline.start(20)
        assert shakes_hands(session, f"https://{CENTRE}") < 0.4 + MARGIN_S


class TakesLittle:
    """A line over TLS to somebody who reads slowly: each write has a wait of its own."""

    def __init__(self, clock):
        self._clock, self.taken = clock, 0

    def gettimeout(self):
        return 2.0

    def settimeout(self, _seconds):
        pass

    def send(self, _rest):
        self._clock.at_ms += 100
        self.taken += 1
        return 1

    def sendall(self, data):
        for _ in data:
            self.send(data)


def test_a_request_that_is_taken_little_by_little_is_cut_off_when_its_time_is_over():
    clock = HeldClock()
    deadline, line = bounded_http.Deadline(clock), TakesLittle(clock)
    deadline.start(1)
    with pytest.raises(TimeoutError):
        bounded_http._bounded(line, deadline).sendall(bytes(1000))
    assert line.taken == 10


def test_an_answer_of_endless_size_is_none():
    def endless(near, _request):
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            near.sendall(b"x" * (1 << 20))

    with SmallServer(endless) as server, pytest.raises(CentreUnreachable, match="does not end"):
        line_to(server.url).ask("/v1/facts", BODY, 30)


def test_nobody_there_is_no_answer():
    with SmallServer(answering(b"{}")) as server:
        url = server.url
    with pytest.raises(CentreUnreachable):
        line_to(url).ask("/v1/facts", BODY, 5)


# What is an answer.


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (problem("OLD_EPOCH", 401), CentreDenied),
        (problem("DEVICE_FROZEN", 403), CentreDenied),
        (problem("NOT_SEALED", 422), CentreDenied),
        (problem("UNAVAILABLE", 503, retryable=True), CentreUnreachable),
        (problem("INTERNAL", 500), CentreUnreachable),
        (answering(b"<html>Log in</html>", 403, "text/html"), CentreUnreachable),
        (answering(b"<html>Log in</html>", 302, "text/html"), CentreUnreachable),
        (answering(b"", 404), CentreUnreachable),
        (answering(b"\xff\xfe", 403), CentreUnreachable),
    ],
)
def test_a_no_of_the_centre_is_told_from_no_answer_at_all(answer, raised):
    with SmallServer(answer) as server:
        line = line_to(server.url)
        with pytest.raises(raised):
            line.ask("/v1/facts", BODY, 5)
        assert (line.denied is not None) is (raised is CentreDenied)


def test_a_redirect_is_not_followed():
    with SmallServer(answering(b"{}")) as other:

        def elsewhere(near, _request):
            near.sendall(f"HTTP/1.1 307 X\r\nlocation: {other.url}/\r\ncontent-length: 0\r\n\r\n".encode())

        with SmallServer(elsewhere) as server, pytest.raises(CentreUnreachable):
            line_to(server.url).ask("/v1/facts", BODY, 5)
        assert other.heard == []


FACTS = msgspec.json.encode(v1.PackRequest(v=1, pack_hash="0" * 64))


def sealed(payload=FACTS, typ=v1.FACTS, key=CENTRE_KEY):
    return msgspec.json.encode(seal.seal(typ, payload, key))


def changed(**fields):
    return json.dumps(json.loads(sealed()) | fields).encode()


def test_what_the_pinned_key_has_sealed_is_believed():
    opened = line_to("http://127.0.0.1:9").unseal(sealed(), v1.FACTS, v1.PackRequest)
    assert opened.pack_hash == "0" * 64


@pytest.mark.parametrize(
    "content",
    [
        sealed(key=STRANGER),
        sealed(typ=v1.PACK),
        sealed(payload=b'{"v":1}'),
        sealed(payload=b"<html>"),
        changed(payload=changed()[:4].hex()),
        changed(alg="none"),
        changed(sig=""),
        changed(extra=1),
        b"<html>Log in</html>",
        b"",
        b"null",
        b"[" * 100_000,
    ],
)
def test_anything_else_is_the_same_as_silence(content):
    line = line_to("http://127.0.0.1:9")
    line.online = True
    with pytest.raises(CentreUnreachable):
        line.unseal(content, v1.FACTS, v1.PackRequest)
    assert line.online is False


def test_the_doctor_is_told_what_is_there():
    def answered(server, within_s=5):
        return answers(session_to(server.url, SystemClock()), server.url, within_s)

    with SmallServer(answering(b"{}")) as server:
        assert answered(server) == "yes"
    assert answered(server).startswith("no answer")
    with SmallServer(answering(b"", 302)) as server:
        assert answered(server) == "it answers 302"
    with SmallServer(drip_head) as server:
        asked_at = time.monotonic()
        assert answered(server, 0.4).startswith("no answer")
        assert time.monotonic() - asked_at < 0.4 + MARGIN_S
