"""What is wrong around the body: who is called, by whom, under which key, with which parameters."""

import json

import pytest
from litestar.testing import TestClient
from lone_agent import LoneAgent
from quiet_till import HOST, QuietTill, problem_of

from subsidy import ids
from terminal_agent.app import Agent
from terminal_agent.config import read_config

POSTS = ("/v1/quotes", "/v1/sales", "/v1/sales/{id}/pay", "/v1/sales/{id}/stop")
GETS = (
    "/v1/sales/{id}",
    "/v1/sales/{id}/events",
    "/v1/sales?till_no=01&open=1",
    "/v1/status",
    "/openapi.json",
)
NOBODYS = ids.record_id(1_772_337_600_000, b"0123456789")


@pytest.fixture(scope="module")
def record_id(till):
    return till.not_paid_sale().record_id


@pytest.fixture
def ask(till, record_id):
    """Send what an address takes, with other headers or another method."""

    def send(path, method=None, more="", **how):
        body = None
        if path in POSTS:
            body = {
                "/v1/quotes": till.quote_body,
                "/v1/sales": till.sale_body,
                "/v1/sales/{id}/pay": lambda: {"operator": "cashier-1", "tender": {"kind": "card"}},
                "/v1/sales/{id}/stop": lambda: {"operator": "cashier-1"},
            }[path]()
        headers = {"Content-Type": "application/json", "Idempotency-Key": till.key(), **how}
        return till.send(
            method or ("POST" if path in POSTS else "GET"),
            path.format(id=record_id) + more,
            content=None if body is None else json.dumps(body).encode(),
            headers=[(name, value) for name, value in headers.items() if value is not None],
        )

    return send


# By whom?


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"{HOST}.evil.example",
        "127.0.0.1",
        "127.0.0.1:8611",
        "127.0.0.2:8610",
        "",
        "[::1]:8610",
    ],
)
@pytest.mark.parametrize("path", [*POSTS, *GETS])
def test_a_call_under_another_name_is_refused(till, ask, path, host):
    till.must_refuse(lambda: ask(path, Host=host), 403, "FOREIGN_HOST")


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://evil.example",
            "null",
            "",
            "file://",
            f"http://{HOST}.evil.example",
            "http://127.0.0.1",
            "x",
        ),
        *(f"https://{HOST}", f"evil://{HOST}", HOST),
    ],
)
@pytest.mark.parametrize("path", [*POSTS, *GETS])
def test_a_page_from_elsewhere_is_refused(till, ask, path, origin):
    till.must_refuse(lambda: ask(path, Origin=origin), 403, "FOREIGN_HOST")


@pytest.mark.parametrize("host", [HOST, "localhost:8610"])
def test_our_own_names_and_pages_are_taken(ask, host):
    assert ask("/v1/status", Host=host, Origin=f"http://{host}").status_code == 200


LISTENS = {
    "127.0.0.1:80": ("127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"),
    "localhost:80": ("127.0.0.1", "localhost", "[::1]", "127.0.0.1:80", "localhost:80", "[::1]:80"),
    "127.0.0.1:21620": ("127.0.0.1:21620", "localhost:21620"),
    "localhost:21620": ("127.0.0.1:21620", "localhost:21620", "[::1]:21620"),
}
FOREIGN = (
    *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", "10.0.0.7", "[::2]", "::1"),
    *("127.0.0.1:8611", "localhost:21621", "127.0.0.1:080", "localhost:", ""),
)


@pytest.mark.parametrize("listen", LISTENS)
def test_every_name_of_this_host_is_ours_wherever_we_listen_and_no_other(tmp_path, listen):
    names = {name for one in LISTENS.values() for name in one}
    with QuietTill(tmp_path, listen=listen) as till:
        for host in (*names, *FOREIGN):
            is_ours = host in LISTENS[listen]
            wanted = 200 if is_ours else 403
            assert till.send("GET", "/v1/status", headers={"Host": host}).status_code == wanted, host
            for scheme, is_page in (("http", is_ours), ("https", False), ("null", False)):
                headers = {"Host": LISTENS[listen][0], "Origin": f"{scheme}://{host}"}
                answer = till.send("GET", "/v1/status", headers=headers)
                assert answer.status_code == (200 if is_page else 403), headers


@pytest.mark.parametrize("listen", LISTENS)
def test_an_agent_takes_the_names_of_where_its_configuration_has_it_listen(tmp_path, listen):
    lone = LoneAgent(tmp_path)
    said = lone.config.read_text()
    lone.config.write_text(said.replace(f"127.0.0.1:{lone.port}", listen))
    agent = Agent(read_config(lone.config), lambda *_, **__: None)
    try:
        with TestClient(agent.app()) as client:
            for host in (*LISTENS[listen], "evil.example"):
                told = client.get("/v1/status", headers={"Host": host}).status_code
                assert told == (403 if host == "evil.example" else 200), host
    finally:
        agent.journal.shut()


@pytest.mark.parametrize(
    "kind",
    [
        *(None, "", "text/plain", "text/json", "application/jsonx", "application/problem+json", "json"),
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/msgpack"),
        *("application/json; charset=gbk", "application/json;charset=utf-16", "text/plain; application/json"),
    ],
)
@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_not_said_to_be_json_is_refused(till, ask, path, kind):
    """A page may send a form or plain text to anybody without asking; not this."""
    till.must_refuse(lambda: ask(path, **{"Content-Type": kind}), 415, "NOT_JSON")


@pytest.mark.parametrize(
    "kind", ["application/json", "APPLICATION/JSON", 'application/json; charset="UTF-8"']
)
def test_json_may_be_said_in_any_letters(ask, kind):
    assert ask("/v1/quotes", **{"Content-Type": kind}).status_code == 200


# Under which key?

WRONG_KEYS = {
    "missing": None,
    "empty": b"",
    "15 characters": b"k" * 15,
    "65 characters": b"k" * 65,
    "a space inside": b"key of somebody else",
    "a tab inside": b"key-of-somebody\telse",
    "spaces only": b" " * 20,
    "Chinese in UTF-8": "收银台的钥匙第一号".encode(),
    "Chinese in GBK": "收银台的钥匙第一号".encode("gbk"),
    "full-width": "ｋｅｙ－０１２３４５６７８９".encode(),
    "DEL": b"k" * 16 + b"\x7f",
    "C1 control": b"k" * 16 + b"\x9b",
}


@pytest.mark.parametrize("key", WRONG_KEYS)
@pytest.mark.parametrize("path", POSTS)
def test_a_key_that_is_none_is_refused(till, ask, path, key):
    wrong = {"Idempotency-Key": WRONG_KEYS[key]}
    till.must_refuse(lambda: ask(path, **wrong), 400, "IDEMPOTENCY_KEY", "Idempotency-Key")


@pytest.mark.parametrize("path", POSTS)
def test_two_keys_are_refused(till, ask, path):
    two = {"idempotency-key": "the-other-of-two-keys"}  # beside the one that is always sent
    till.must_refuse(lambda: ask(path, **two), 400, "IDEMPOTENCY_KEY")


@pytest.mark.parametrize("key", ["k" * 16, "k" * 64, "!#$%&'*+-.^_`|~0:;<=>?@[]{}"])
def test_any_16_to_64_characters_are_a_key(ask, key):
    assert ask("/v1/quotes", **{"Idempotency-Key": key}).status_code == 200


def test_a_key_with_another_body_is_refused(till):
    body, key = till.sale_body(), till.key()
    sold = till.post("/v1/sales", body, Idempotency_Key=key).json()
    for changed in ({**body, "operator": "cashier-2"}, {**body, "till_no": "02"}, till.sale_body()):
        till.must_refuse(
            lambda other=changed: till.post("/v1/sales", other, Idempotency_Key=key), 422, "KEY_REUSED"
        )
    again = till.post("/v1/sales", dict(reversed(body.items())), Idempotency_Key=key)
    assert (again.status_code, again.json()["record_id"]) == (200, sold["record_id"])


def test_a_quotes_key_with_another_body_is_refused_too(till):
    body, key, of_a_sale = till.quote_body(), till.key(), till.key()
    first = till.post("/v1/quotes", body, Idempotency_Key=key)
    till.post("/v1/sales", till.sale_body(), Idempotency_Key=of_a_sale)
    other = {**body, "item": {**body["item"], "trade_in_fen": 100}}
    till.must_refuse(lambda: till.post("/v1/quotes", other, Idempotency_Key=key), 422, "KEY_REUSED")
    till.must_refuse(lambda: till.post("/v1/quotes", body, Idempotency_Key=of_a_sale), 422, "KEY_REUSED")
    again = till.post("/v1/quotes", body, Idempotency_Key=key)
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize("path", ["/v1/sales/{id}/pay", "/v1/sales/{id}/stop"])
def test_the_key_of_a_sale_is_no_key_of_something_else(till, record_id, path):
    key, by = till.key(), {"operator": "cashier-1"}
    body = by if path.endswith("stop") else {**by, "tender": {"kind": "card"}}
    assert till.post("/v1/sales", till.sale_body(), Idempotency_Key=key).status_code == 200
    address = path.format(id=record_id)
    till.must_refuse(lambda: till.post(address, body, Idempotency_Key=key), 422, "KEY_REUSED")


def test_while_the_first_is_being_written_a_repeat_is_told_to_wait(tmp_path):
    with QuietTill(tmp_path) as till:
        body, key = till.sale_body(), till.key()
        till.centre.facts = lambda *_: 1 / 0  # a bug of ours, at the worst moment
        broken = till.post("/v1/sales", body, Idempotency_Key=key)
        assert (broken.status_code, broken.json()["code"]) == (500, "INTERNAL")
        assert [event for event, _ in till.logged] == ["till.bug"]
        answer = till.must_refuse(
            lambda: till.post("/v1/sales", body, Idempotency_Key=key), 409, "IN_PROGRESS"
        )
        problem = problem_of(answer)
        assert problem["retryable"]
        assert problem["next_action"] == "WAIT"
        assert till.journal.sale(problem["record_id"]) is not None


# With which parameters?


@pytest.mark.parametrize(
    "wait",
    [
        *(
            "-1",
            "61",
            "99",
            "999",
            "1e1",
            "1.0",
            "0x1",
            "１",
            "%2B5",
            "%205",
            "5%20",
            "5_0",
            "abc",
            "",
            "true",
        ),
        *("null", "9" * 5000, "-0", "NaN", "5,6", "5;6", "[5]", "5%00"),
    ],
    ids=lambda text: text if len(text) < 20 else "5000 digits",
)
@pytest.mark.parametrize("path", [path for path in POSTS if path != "/v1/quotes"])
def test_a_wait_that_cannot_be_meant_is_refused(till, ask, path, wait):
    more = f"?wait_s={wait}"
    till.must_refuse(lambda: ask(path, more=more), 400, "PARAMETER_INVALID", "?wait_s")


def test_two_waits_are_refused(till, ask):
    more = "?wait_s=0&wait_s=0"
    till.must_refuse(lambda: ask("/v1/sales", more=more), 400, "PARAMETER_INVALID", "?wait_s stands twice")


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("", "?"),
        ("?till_no=01", "?open"),
        ("?open=1", "?till_no"),
        ("?till_no=&open=1", "?till_no"),
        (f"?till_no={'0' * 33}&open=1", "?till_no"),
        ("?till_no=01&till_no=02&open=1", "?till_no"),
        *(
            (f"?till_no=01&open={value}", "?open")
            for value in ("", "0", "2", "01x", "1.0", "1e0", "true", "-1")
        ),
        ("?till_no=01&open=1&open=1", "?open"),
        ("?till_no=01&open=1&x=1&x=2", "a parameter"),
    ],
)
def test_a_list_that_nobody_can_want_is_refused(till, more, place):
    till.must_refuse(lambda: till.send("GET", f"/v1/sales{more}"), 400, "PARAMETER_INVALID", place)


@pytest.mark.parametrize("till_no", ["99", "6299998473651209384", "01%00", "%F0%9F%92%B3"])
def test_a_till_without_open_sales_has_none(till, till_no):
    answer = till.send("GET", f"/v1/sales?till_no={till_no}&open=1")
    assert (answer.status_code, answer.json()) == (200, {"sales": []})


def test_a_sale_at_a_till_that_is_not_here_is_refused(till):
    body = {**till.sale_body(), "till_no": "6299998473651209384"}
    refused = till.must_refuse(lambda: till.post("/v1/sales", body), 422, "TILL_UNKNOWN", "$.till_no")
    assert refused.json()["next_action"] == "CALL_SUPPORT"
    assert "6299998473651209384" not in refused.text


@pytest.mark.parametrize(
    "name",
    [
        NOBODYS,
        NOBODYS.upper(),
        NOBODYS.replace("-", ""),
        f"{NOBODYS}0",
        "1",
        "%00",
        "6299998473651209384",
        "a" * 9000,
    ],
    ids=lambda name: name[:40],
)
@pytest.mark.parametrize("kind", ["", "/events", "/pay", "/stop"])
def test_a_sale_that_is_not_here_is_not_found(till, ask, kind, name):
    body = {"operator": "cashier-1"} | ({"tender": {"kind": "card"}} if kind == "/pay" else {})

    def send():
        path = f"/v1/sales/{name}{kind}"
        return till.send("GET", path) if kind in ("", "/events") else till.post(path, body)

    refused = till.must_refuse(send, 404, "SALE_UNKNOWN")
    assert name not in refused.text or name == "1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, path) for path in POSTS for method in ("PUT", "PATCH", "DELETE", "TRACE")),
        *(("GET", path) for path in POSTS if path != "/v1/sales"),
        *(("POST", path) for path in ("/v1/status", "/openapi.json", "/v1/sales/{id}")),
    ],
)
def test_another_method_is_refused(till, ask, method, path):
    till.must_refuse(lambda: ask(path, method), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/sales",
        "/v1/sale",
        "/v1/sales/{id}/refund",
        "/v1/../admin",
        "/internal/schema",
        "/%2e",
    ],
)
def test_what_is_not_there_is_not_found(till, record_id, path):
    for method in ("GET", "POST"):
        till.must_refuse(lambda how=method: till.send(how, path.format(id=record_id)), 404, "NOT_FOUND")
