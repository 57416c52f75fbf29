"""What does the centre say to requests that no library would send, on each database?"""

import datetime
import socket
import time
from contextlib import suppress
from urllib.parse import quote

import msgspec
import pytest
from books import ENGINES, copy_template
from centre import RunningCentre
from fuzzing import Fuzzed

from subsidy.problem import MEDIA_TYPE

JSON = "Content-Type: application/json"


@pytest.fixture(scope="module", params=ENGINES)
def fuzzed(tmp_path_factory, request):
    """A centre on one of the databases."""
    folder = tmp_path_factory.mktemp(request.param)
    copy_template(folder, request.param)
    with RunningCentre.start_again(folder) as running:
        yield Fuzzed(request.param, running)


def say(fuzzed, head, body=b"", pieces=1):
    """Send exactly these bytes and return status, headers and body of the one answer."""
    with fuzzed.centre.connect() as connection:
        whole = head.encode("utf-8", "surrogateescape") + body
        step = max(1, len(whole) // pieces + 1)
        for start in range(0, len(whole), step):
            connection.sendall(whole[start : start + step])
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    status, headers = _head(answer)
    return status, headers, answer.partition(b"\r\n\r\n")[2]


def _head(answer):
    first, *lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines)


def ask(fuzzed, method, target, *lines, body=b"", token=True):
    """Ask an address as an operator."""
    proof = [f"Authorization: Bearer {fuzzed.centre.token}"] if token else []
    head = [f"{method} {target} HTTP/1.1", "Host: centre", "Connection: close", *proof, *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return say(fuzzed, "\r\n".join([*head, "", ""]), body)


def is_a_no(fuzzed, before, answer, *statuses):
    """Check that an answer is a problem document, and that nothing has changed."""
    status, headers, content = answer
    assert status in (statuses or range(400, 500)), (status, content)
    assert headers["content-type"] == MEDIA_TYPE
    assert msgspec.json.decode(content)["status"] == status
    assert fuzzed.counts() == before


ODD = {
    "NUL": "%00",
    "NUL inside": "a%00b",
    "an overlong NUL": "%c0%80",
    "bytes that are no text": "%ff%fe",
    "half a character": "%ed%a0%80",
    "a percent sign alone": "%",
    "half a percent": "%4",
    "a percent of no number": "%zz",
    "a percent twice": "%2500",
    "a text that turns its direction": quote("\u202eabc\u2066"),
    "a text that is not seen": quote("\u200b\ufeff"),
    "one dot": ".",
    "two dots": "..",
    "two dots hidden": "%2e%2e",
    "a slash hidden": "a%2fb",
    "4000 characters": "x" * 4_000,
    "a line end hidden": "%0d%0aX:%20y",
    "emoji": quote("\U0001f600"),
    "a quote": quote("' OR 1=1 --"),
    "2^63": str(2**63),
    "400 digits": "9" * 400,
    "below zero": "-1",
    "a plus": "+",
    "a surrogate as JSON": quote('"\\ud800"'),
}
NAMED = (
    "/v1/records/{}",
    "/v1/claims/{}",
    "/v1/proposals/{}",
    "/v1/{}",
    "/{}",
)
ASKED = (
    "/v1/holds?open=1&after={}",
    "/v1/holds?open={}",
    "/v1/returns?open=1&after={}",
    "/v1/differences?after={}",
    "/v1/devices?after={}",
    "/v1/claims?after={}",
    "/v1/proposals?after={}",
    "/v1/proposals?open={}",
    "/v1/audit?after={}",
    "/v1/night?date={}",
    "/v1/funds?{}={}",
    "/v1/funds?after={}&after={}",
)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_name_or_parameter_is_no_fault_of_ours(fuzzed, odd):
    before = fuzzed.counts()
    for target in NAMED:
        is_a_no(fuzzed, before, ask(fuzzed, "GET", target.format(odd)))
    for target in ASKED:
        status, headers, content = ask(fuzzed, "GET", target.format(odd, odd))
        assert status == 200 or status in range(400, 500), (target, status, content)
        assert headers["content-type"] == (MEDIA_TYPE if status >= 400 else "application/json")
    assert fuzzed.counts() == before


POSTS = (
    ("/v1/claims/{}/pay", b'{"reference":"r"}'),
    ("/v1/claims/{}/lines/x/reject", b'{"reason":"r"}'),
    ("/v1/claims/x/lines/{}/correct", b'{"reason":"r"}'),
    ("/v1/records/{}/repaid", b'{"reference":"r"}'),
    ("/v1/proposals/{}/withdraw", b'{"reason":"r"}'),
)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_name_of_what_is_to_be_changed_changes_nothing(fuzzed, odd):
    before = fuzzed.counts()
    for target, body in POSTS:
        is_a_no(fuzzed, before, ask(fuzzed, "POST", target.format(odd), JSON, body=body))


@pytest.mark.parametrize(
    "day",
    [
        "0001-01-01",
        "0000-00-00",
        "1969-12-31",
        "9999-12-31",
        "10000-01-01",
        "2026-02-30",
        "2026-02-29",
        "-001-01-01",
        "2026-1-1",
        "20260101",
        "2026-W01",
        "٢٠٢٦-٠١-٠١",
        "",
    ],
)
def test_a_day_at_the_edge_of_the_calendar_is_no_fault_of_ours(fuzzed, day):
    before = fuzzed.counts()
    is_a_no(fuzzed, before, ask(fuzzed, "GET", f"/v1/night?date={quote(day)}"), 400, 404)
    body = msgspec.json.encode({"date": day})
    status, _, content = ask(fuzzed, "POST", "/v1/claims", JSON, body=body)
    assert status == 200 or status in range(400, 500), (status, content)
    # Nothing was sold, so nothing is claimed, whatever day it is.
    assert fuzzed.counts() == before


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"]
)
@pytest.mark.parametrize("path", ["/livez", "/v1/holds", "/v1/records", "/v1/funds", "/nothing"])
def test_another_method_is_no_fault_of_ours_and_does_nothing(fuzzed, method, path):
    before = fuzzed.counts()
    status, headers, content = ask(fuzzed, method, path)
    assert status in (204, 400, 404, 405), (status, content)
    if status == 405:
        assert headers["allow"]
    assert fuzzed.counts() == before


@pytest.mark.parametrize("method", ["BREW", "get", "G\u00c9T", "GET\x00", ""])
def test_a_method_that_is_none_is_a_problem(fuzzed, method):
    is_a_no(fuzzed, fuzzed.counts(), ask(fuzzed, method, "/v1/funds"), 400, 405)


@pytest.mark.parametrize(
    "twice", ["Authorization: Bearer x", "Host: other", "Content-Length: 3", "Content-Type: text/plain"]
)
def test_a_header_that_stands_twice_is_no_fault_of_ours(fuzzed, twice):
    before = fuzzed.counts()
    status, _, content = ask(fuzzed, "POST", "/v1/proposals", twice, JSON, body=b'{"type":1}')
    assert status in range(400, 500), (status, content)
    assert fuzzed.counts() == before


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer \u202e",
        "Authorization: Bearer " + "x" * 30_000,
        "Authorization: Basic eDp4",
        "Authorization: Bearer a\x00b",
        "Authorization:",
        "Authorization: Bearer",
        "Cookie: session=\xff\xfe",
        "Cookie: session=" + "x" * 30_000,
        "Cookie: =;;;==",
        "Origin: http://[",
        "Origin: null",
        "X: " + "y" * 60_000,
    ],
)
def test_a_proof_that_is_none_is_a_no(fuzzed, line):
    before = fuzzed.counts()
    is_a_no(fuzzed, before, ask(fuzzed, "GET", "/v1/funds", line, token=False), 400, 401)


@pytest.mark.parametrize(
    "name", ["Tradein-Device", "Tradein-Epoch", "Signature", "Signature-Input", "Content-Digest"]
)
@pytest.mark.parametrize("value", ["", "\u202e", "x" * 9_000, "a\x00b", "9" * 400, '"', "sig1=::"])
def test_a_signature_with_an_odd_header_is_a_no(fuzzed, name, value):
    device, path = fuzzed.device, "/v1/holds"
    body = msgspec.json.encode(device.hold_request(device.pack_hash))
    headers = device.signature(path, body, device.nonce())
    headers = {key: said for key, said in headers.items() if key.lower() != name.lower()}
    before = fuzzed.counts()
    lines = [f"{key}: {said}" for key, said in headers.items()]
    answer = ask(fuzzed, "POST", path, *lines, f"{name}: {value}", JSON, body=body, token=False)
    is_a_no(fuzzed, before, answer, 400, 401)


def signed(fuzzed, path, body, more=()):
    """Return the head and body of a signed request on a connection that stays open."""
    device = fuzzed.device
    headers = device.signature(path, body, device.nonce())
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: centre",
        JSON,
        *(f"{key}: {one}" for key, one in headers.items()),
    ]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def hold(fuzzed):
    """Return the body of a hold request."""
    device = fuzzed.device
    return msgspec.json.encode(device.hold_request(device.pack_hash, person=fuzzed.next_person()))


def test_a_body_in_chunks_is_the_same_request(fuzzed):
    body = hold(fuzzed)
    head = signed(fuzzed, "/v1/holds", body, ["Transfer-Encoding: chunked", "Connection: close"])
    chunks = b"".join(b"1\r\n" + body[place : place + 1] + b"\r\n" for place in range(len(body)))
    status, _, content = say(fuzzed, head.decode(), chunks + b"0\r\n\r\n", pieces=7)
    assert status == 200, content
    assert msgspec.json.decode(content)["typ"] == "promise.v1"


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"-1\r\nx\r\n", b"ffffffffffffffff\r\n", b"1\r\nxy\r\n0\r\n\r\n", b"\r\n\r\n"]
)
def test_chunks_that_are_none_are_a_no(fuzzed, chunks):
    before = fuzzed.counts()
    head = signed(fuzzed, "/v1/holds", b"x", ["Transfer-Encoding: chunked", "Connection: close"])
    with fuzzed.centre.connect() as connection:
        connection.sendall(head + chunks)
        answer = b""
        # It may have hung up before we do.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            answer = connection.recv(65_536)
    assert answer == b"" or _head(answer)[0] in range(400, 500), answer
    assert fuzzed.counts() == before


def test_a_length_and_chunks_together_are_a_no(fuzzed):
    before = fuzzed.counts()
    body = hold(fuzzed)
    more = [f"Content-Length: {len(body)}", "Transfer-Encoding: chunked", "Connection: close"]
    head = signed(fuzzed, "/v1/holds", body, more)
    answer = say(fuzzed, head.decode(), b"0\r\n\r\n")
    is_a_no(fuzzed, before, answer, 400)


def test_holds_sent_one_behind_the_other_are_each_answered_in_order(fuzzed):
    bodies = [hold(fuzzed) for _ in range(5)]
    bodies.insert(2, b'{"v":1}')
    sent = b""
    for body in bodies:
        sent += signed(fuzzed, "/v1/holds", body, [f"Content-Length: {len(body)}"]) + body
    sent += b"GET /livez HTTP/1.1\r\nHost: centre\r\nConnection: close\r\n\r\n"
    with fuzzed.centre.connect() as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 200, 400, 200, 200, 200, 200]
    assert answer.endswith(b'{"alive":true}')


def test_what_a_caller_begins_and_does_not_end_changes_nothing(fuzzed):
    before = fuzzed.counts()
    body = hold(fuzzed)
    head = signed(fuzzed, "/v1/holds", body, [f"Content-Length: {len(body)}"])
    with fuzzed.centre.connect() as connection:
        connection.sendall(head + body[:-1])
    time.sleep(0.2)
    assert fuzzed.counts() == before
    assert fuzzed.centre.session.get(f"{fuzzed.centre.url}/livez", timeout=5).status_code == 200


def test_a_hold_of_a_device_whose_clock_is_at_the_calendars_edge_is_no_fault_of_ours(fuzzed):
    device = fuzzed.device
    for at_ms in (0, 1, 2**48, int(datetime.datetime(9999, 12, 31).timestamp() * 1000)):
        for skew_ms in (-(2**48), 0, 2**48):
            request = device.hold_request(device.pack_hash, created_ms=min(at_ms, 2**48), skew_ms=skew_ms)
            answer = device.post("/v1/holds", request)
            assert answer.status_code in (200, 409, 422), answer.text
