"""What is not one JSON object as the API describes it is refused, and changes nothing."""

import json

import pytest

from terminal_agent.till.guard import MOST_BYTES

ADDRESSES = ("quotes", "sales", "pay", "stop")
BODIES = {"quotes": "quote_body", "sales": "sale_body"}


@pytest.fixture(scope="module")
def record_id(till):
    return till.not_paid_sale().record_id


@pytest.fixture
def path_of(record_id):
    return lambda address: f"/v1/{address}" if address in BODIES else f"/v1/sales/{record_id}/{address}"


@pytest.fixture
def body_of(till):
    def body(address):
        if address in BODIES:
            return getattr(till, BODIES[address])()
        by = {"operator": "cashier-1"}
        return by if address == "stop" else {**by, "tender": {"kind": "card", "pay_code": None}}

    return body


def nested(depth):
    return b"[" * depth + b"]" * depth


WHOLE_BODIES = {
    "nothing": b"",
    "spaces": b"  \n",
    "null": b"null",
    "a list": b"[]",
    "a list of one": b'[{"operator": "cashier-1"}]',
    "a text": b'"sale"',
    "a number": b"17",
    "true": b"true",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "an empty object": b"{}",
    "half an object": b'{"operator": ',
    "single quotes": b"{'operator': 'cashier-1'}",
    "a comment": b'{"operator": "cashier-1"} // by hand',
    "a comma too many": b'{"operator": "cashier-1",}',
    "a form": b"operator=cashier-1",
    "NUL": b"\0",
    "bytes": bytes(range(256)),
    "nested 32 times": nested(32),
    "quotes that never close": b'"' * 9_999,
    "backslashes": b'"' + b"\\" * 9_999,
}
TOO_DEEP = {
    "nested 33 times": nested(33),
    "nested 8000 times": nested(8000),
    "objects 2000 deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
}
# Whoever stops a sale needs to say nothing, not even by an object.
TAKEN_BY_STOP = ("nothing", "an empty object")
AROUND_A_GOOD_ONE = {
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "UTF-32": lambda good: good.decode().encode("utf-32-le"),
    "a letter behind": lambda good: good + b"x",
    "NUL behind": lambda good: good + b"\0",
    "another behind": lambda good: good + good,
    "a line of another": lambda good: good + b"\n" + good,
    "cut off": lambda good: good[:-1],
    "bad UTF-8 in a text": lambda good: good.replace(b"cashier", b"cash\xffier").replace(b"QC-", b"\xc0\xaf"),
    "a surrogate in UTF-8": lambda good: good.replace(b"cashier", b"\xed\xa0\x80").replace(
        b"QC-", b"\xed\xa0\x80"
    ),
    "half a pair, escaped": lambda good: good.replace(b"cashier", b"\\ud83d").replace(b"QC-", b"\\udc00"),
    "a raw line end in a text": lambda good: good.replace(b"cashier", b"cash\nier").replace(b"QC-", b"Q\n"),
    "a tab in a text": lambda good: good.replace(b"cashier", b"cash\tier").replace(b"QC-", b"Q\t"),
    "GBK": lambda good: good.replace(b"cashier", "收银".encode("gbk")).replace(b"QC-", "码".encode("gbk")),
}


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (address, body)
        for address in ADDRESSES
        for body in WHOLE_BODIES
        if address != "stop" or body not in TAKEN_BY_STOP
    ],
)
def test_a_body_that_is_no_object_is_refused(till, path_of, address, body):
    till.must_refuse(lambda: till.post(path_of(address), WHOLE_BODIES[body]), 400, "BODY_INVALID", "$")


@pytest.mark.parametrize("body", TOO_DEEP)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_nested_too_deep_is_over_the_limit(till, path_of, address, body):
    till.must_refuse(lambda: till.post(path_of(address), TOO_DEEP[body]), 413, "BODY_INVALID", "deeper")


@pytest.mark.parametrize("spoil", AROUND_A_GOOD_ONE)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_good_body_that_was_spoilt_is_refused(till, path_of, body_of, address, spoil):
    spoilt = AROUND_A_GOOD_ONE[spoil](json.dumps(body_of(address)).encode())
    till.must_refuse(lambda: till.post(path_of(address), spoilt), 400, "BODY_INVALID", "$")


@pytest.mark.parametrize("address", ADDRESSES)
def test_spaces_around_a_body_are_taken(till, path_of, body_of, address):
    answer = till.post(path_of(address), b" \r\n" + json.dumps(body_of(address)).encode() + b"\t\n")
    assert answer.status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(
    "filler", [b" ", b"[", b"9", b'"'], ids=["spaces", "nested 100000", "digits", "text"]
)
def test_a_body_over_the_limit_is_refused(till, path_of, address, chunked, filler):
    size = 100_000
    parts = (filler * 1000 for _ in range(size // 1000))
    content = parts if chunked else filler * size
    till.must_refuse(
        lambda: till.send(
            "POST",
            path_of(address),
            content=content,
            headers={"Content-Type": "application/json", "Idempotency-Key": till.key()},
        ),
        413,
        "TOO_LARGE",
    )


def test_a_body_may_be_as_long_as_the_limit_and_no_longer(till):
    good = json.dumps(till.quote_body()).encode()
    assert till.post("/v1/quotes", good.ljust(MOST_BYTES)).status_code == 200
    till.must_refuse(lambda: till.post("/v1/quotes", good.ljust(MOST_BYTES + 1)), 413, "TOO_LARGE")


def levels(value, path="$"):
    """Yield (path, object) for each object in a body."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from levels(inner, f"{path}.{name}")


def shape(address):
    """Return the path and the names of each object in the bodies of an address."""
    item = ("gtin", "serial_no", "initial_price_fen", "merchant_discount_fen", "trade_in_fen")
    return {
        "quotes": {"$": ("item", "qualification_code"), "$.item": item},
        "sales": {
            "$": ("item", "qualification_code", "till_no", "operator", "tender", "expected_paid_fen"),
            "$.item": item,
            "$.tender": ("kind", "pay_code"),
        },
        "pay": {"$": ("operator", "tender"), "$.tender": ("kind", "pay_code")},
        "stop": {"$": ("operator",)},
    }[address]


EVERY_NAME = [
    (address, path, name) for address in ADDRESSES for path, names in shape(address).items() for name in names
]
MAY_BE_LEFT_OUT = ("serial_no", "trade_in_fen", "pay_code", "expected_paid_fen")


def inside(body, path):
    return next(found for at, found in levels(body) if at == path)


def test_the_names_of_these_tests_are_all_there_are(body_of):
    for address in ADDRESSES:
        found = {path: tuple(value) for path, value in levels(body_of(address))}
        assert found == shape(address)


@pytest.mark.parametrize(("address", "path", "name"), EVERY_NAME)
def test_a_name_that_stands_twice_is_refused_and_named(till, path_of, body_of, address, path, name):
    body = body_of(address)
    place = inside(body, path)
    # The same value again: nothing but the repeat is wrong.
    place[f"{name}!"] = place[name]
    raw = json.dumps(body).encode().replace(f'"{name}!"'.encode(), f'"{name}"'.encode())
    till.must_refuse(lambda: till.post(path_of(address), raw), 400, "BODY_INVALID", f"$.{name}: the key")


@pytest.mark.parametrize(("address", "path", "name"), EVERY_NAME)
def test_a_name_that_is_missing_is_refused_and_named(till, path_of, body_of, address, path, name):
    body = body_of(address)
    del inside(body, path)[name]
    if name in MAY_BE_LEFT_OUT or address == "stop":
        assert till.post(path_of(address), body).status_code == 200
        return
    till.must_refuse(lambda: till.post(path_of(address), body), 400, "BODY_INVALID", f"`{name}`")


@pytest.mark.parametrize(
    ("address", "path"), [(address, path) for address in ADDRESSES for path in shape(address)]
)
@pytest.mark.parametrize("name", ["price", "Operator", "operator ", "ＩＴＥＭ", "", "__proto__"])
def test_a_name_that_is_not_described_is_refused(till, path_of, body_of, address, path, name):
    body = body_of(address)
    inside(body, path)[name] = 1
    till.must_refuse(lambda: till.post(path_of(address), body), 400, "BODY_INVALID", f"{path}: ")


@pytest.mark.parametrize(
    ("address", "path"), [(address, path) for address in ADDRESSES for path in shape(address) if path != "$"]
)
@pytest.mark.parametrize("value", [None, [], [{}], "card", 1, True], ids=json.dumps)
def test_something_else_in_an_objects_place_is_refused(till, path_of, body_of, address, path, value):
    body = body_of(address)
    body[path.removeprefix("$.")] = value
    till.must_refuse(lambda: till.post(path_of(address), body), 400, "BODY_INVALID", path)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_field_nested_too_deep_is_refused(till, path_of, body_of, address):
    body = body_of(address)
    name = next(iter(body))
    raw = json.dumps({**body, name: "!"}).encode().replace(b'"!"', nested(32))
    till.must_refuse(lambda: till.post(path_of(address), raw), 413, "BODY_INVALID", "deeper than 32")
