"""The same refusals from a running agent, byte for byte over its socket."""

import json
import socket
from collections.abc import Iterator

import pytest
from lone_agent import LoneAgent
from quiet_till import FRIDGE
from shop_journal import JournalSeen

QUOTE = {
    "item": {"gtin": FRIDGE, "serial_no": "SN1", "initial_price_fen": 459_900, "merchant_discount_fen": 0},
    "qualification_code": "QC-1",
}
SALE = {
    **QUOTE,
    "item": {**QUOTE["item"], "serial_no": "SN12345"},
    "till_no": "01",
    "operator": "cashier-1",
    "tender": {"kind": "card"},
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory) -> Iterator[LoneAgent]:
    lone = LoneAgent(tmp_path_factory.mktemp("agent"))
    with lone.running():
        yield lone
    assert json.loads((lone.folder / "agent.out").read_text()) == {"till_api": lone.url}
    seen = JournalSeen(lone.journal_file)
    assert [sale["state"] for sale in seen.sales] == ["REFUSED"]  # the one good request, without a centre
    assert (seen.attempts, seen.outbox) == ([], [])
    said = [json.loads(line) for line in lone.process.log().splitlines()]  # libraries too
    assert "Invalid HTTP request received." in {line.get("message") for line in said}
    assert "till.bug" not in {line["event"] for line in said}


@pytest.fixture
def talk(agent):
    """Send bytes and return (status, media type, body) of the answer."""

    def say(head, body=b"", *, host=None):
        host = host or f"127.0.0.1:{agent.port}"
        with socket.create_connection(("127.0.0.1", agent.port), timeout=20) as line:
            line.sendall(head.replace("{host}", host).replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
            answer = b""
            while more := line.recv(65_536):
                answer += more
        top, _, content = answer.partition(b"\r\n\r\n")
        status = int(top.split(b" ", 2)[1])
        kinds = [line for line in top.lower().split(b"\r\n") if line.startswith(b"content-type:")]
        return status, kinds[0].partition(b":")[2].strip().decode(), content

    return say


def head(path="/v1/sales", length=None, more="", key="0123456789abcdef"):
    said = f"content-length: {length}" if length is not None else "transfer-encoding: chunked"
    return (
        f"POST {path} HTTP/1.1\nhost: {{host}}\nconnection: close\ncontent-type: application/json\n"
        f"idempotency-key: {key}\n{said}{more}"
    )


def chunks(body, size):
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_good_request_without_a_centre_is_an_answer(talk):
    body = json.dumps(SALE).encode()
    status, kind, content = talk(head("/v1/sales?wait_s=0", len(body)), body)
    answer = json.loads(content)
    assert (status, kind) == (200, "application/json")
    assert (answer["state"], answer["reasons"][0]["code"]) == ("refused", "CENTRE_UNREACHABLE")


@pytest.mark.parametrize("size", [1, 700])
def test_a_body_in_chunks_is_read_as_a_whole(talk, size):
    body = json.dumps(QUOTE).encode()
    status, _, content = talk(head("/v1/quotes", key="fedcba9876543210"), chunks(body, size))
    assert status == 200
    assert json.loads(content)["reasons"][0]["code"] == "CENTRE_UNREACHABLE"


BAD = {
    "twice": (b'{"operator": "a", "operator": "a"}', 400, "BODY_INVALID"),
    "NaN": (json.dumps(SALE).replace("459900", "NaN").encode(), 400, "BODY_INVALID"),
    "a float": (json.dumps(SALE).replace("459900", "459900.0").encode(), 400, "BODY_INVALID"),
    "5000 digits": (json.dumps(SALE).replace("459900", "9" * 5000).encode(), 400, "BODY_INVALID"),
    "deep": (b"[" * 10_000, 413, "BODY_INVALID"),
    "bad UTF-8": (b'{"operator": "\xff"}', 400, "BODY_INVALID"),
    "over the limit": (b" " * 20_000, 413, "TOO_LARGE"),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_a_problem(talk, name, chunked):
    body, status, code = BAD[name]
    sent = (head(), chunks(body, 4096)) if chunked else (head(length=len(body)), body)
    answered, kind, content = talk(*sent)
    assert (answered, kind) == (status, "application/problem+json")
    assert json.loads(content)["code"] == code


def test_a_length_that_nobody_would_send_is_refused_before_it_comes(talk):
    status, kind, _ = talk(head(length=10**12), b"{")
    assert (status, kind) == (413, "application/problem+json")


def test_another_host_is_refused(talk):
    body = json.dumps(SALE).encode()
    status, kind, content = talk(head(length=len(body)), body, host="evil.example")
    assert (status, kind, json.loads(content)["code"]) == (403, "application/problem+json", "FOREIGN_HOST")


def test_two_keys_are_refused(talk):
    body = json.dumps(SALE).encode()
    status, _, content = talk(head(length=len(body), more="\nidempotency-key: fedcba9876543210"), body)
    assert (status, json.loads(content)["code"]) == (400, "IDEMPOTENCY_KEY")


def test_what_is_no_http_ends_the_connection(agent):
    for noise in (
        b"\x02\x00\x10hello\x03\x11\r\n\r\n",
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ):
        with socket.create_connection(("127.0.0.1", agent.port), timeout=20) as line:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
            answer = b""
            while more := line.recv(4096):
                answer += more
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert agent.process.is_running()


def test_an_agent_whose_log_finds_no_room_starts_and_serves(tmp_path):
    lone = LoneAgent(tmp_path)
    for stream in ("agent.out", "agent.log"):
        (tmp_path / stream).symlink_to("/dev/full")
    with lone.running() as process:
        assert process.is_running()
