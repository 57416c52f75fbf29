"""Is everything but the exact JSON turned away, at every address, with nothing changed?"""

import json

import msgspec
import pytest
from fake_device import promised

from subsidy import seal
from subsidy.wire import v1

POSTS = ("enrolments", "facts", "packs", "holds", "release", "returns", "records", "payload")
# For each address a field that holds a number, and one that holds text.
NUMBER = {
    "enrolments": "v",
    "facts": "v",
    "packs": "v",
    "holds": "hold_no",
    "release": "seq",
    "returns": "seq",
    "payload": "upload_no",
}
TEXT = {
    "enrolments": "host",
    "facts": "terminal_no",
    "packs": "pack_hash",
    "holds": "terminal_no",
    "release": "prev",
    "returns": "prev",
    "records": "typ",
    "payload": "device",
}


class Address:
    """One POST address with a message that it would take."""

    def __init__(self, name, centre, client):
        self.name = name
        self._client = client
        request = client.hold_request(client.pack_hash)
        entry = client.at(1, "0" * 64, client.closed(request.record_id, 1))
        self.path = f"/v1/{name}"
        if name == "enrolments":
            public = centre.client("never enrolled").public_text
            self.message = v1.EnrolmentRequest(
                v=1, code=centre.make_code(), public_key=public, host="till", agent_version="1"
            )
        elif name == "facts":
            self.message = v1.FactsRequest(
                v=1,
                item=request.item,
                prices=request.prices,
                qualification_code=request.qualification_code,
                terminal_no=request.terminal_no,
                tender=request.tender,
            )
        elif name == "packs":
            self.message = v1.PackRequest(v=1, pack_hash=client.pack_hash)
        elif name == "holds":
            self.message = request
        elif name == "release":
            self.path = f"/v1/holds/{request.record_id}/release"
            self.message = entry.wire
        elif name == "returns":
            self.message = entry.wire
        elif name == "records":
            self.message = client.sealed(client.upload([entry]))
        else:
            self.path, self.message = "/v1/records", client.upload([entry])

    def text(self):
        """Return the message's JSON text."""
        return msgspec.json.encode(self.message).decode()

    def send(self, body, headers=None, content_type="application/json"):
        """POST these bytes as well signed as they can be."""
        body = body if isinstance(body, bytes) else body.encode()
        if self.name == "payload":
            body = msgspec.json.encode(seal.seal(v1.UPLOAD, body, self._client.key))
        signed = {}
        if self.name != "enrolments":
            signed = self._client.signature(self.path, body, self._client.nonce())
        sent = {
            **({} if content_type is None else {"Content-Type": content_type}),
            **signed,
            **(headers or {}),
        }
        return self._client.send(self.path, body, sent)


@pytest.fixture(scope="module", params=POSTS)
def address(request, centre):
    """Each POST address; `payload` is what is sealed inside an upload."""
    return Address(request.param, centre, centre.enrol())


def is_turned_away(answer, *statuses):
    """Check that an answer is a problem that says code, place and remedy."""
    assert answer.status_code in (statuses or (400,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["next_action"] == "CORRECT_THE_REQUEST"
    assert problem["title"]
    where, _, rest = problem["detail"].partition(": ")
    if answer.status_code == 400:
        assert where.startswith(("$", "payload"))
        assert ". " in rest
    return problem


NUMBERS = ("1.0", "1e0", '"1"', "true", "null", "NaN", "Infinity", "-1", "[1]", "1" + "0" * 400, "9" * 20)


@pytest.mark.parametrize("address", sorted(NUMBER), indirect=True)
@pytest.mark.parametrize("value", NUMBERS)
def test_a_number_that_is_not_a_plain_whole_one(centre, address, value):
    before = centre.state_hash()
    document = json.loads(address.text())
    document[NUMBER[address.name]] = "HERE"
    is_turned_away(address.send(json.dumps(document).replace('"HERE"', value)))
    assert centre.state_hash() == before


@pytest.mark.parametrize("value", ["１２３", 1, None, [], {}, "", "\ud800", "a\n", "\u0000"])
def test_a_text_that_is_not_of_its_form(centre, address, value):
    before = centre.state_hash()
    document = json.loads(address.text())
    if value == "１２３" and TEXT[address.name] in ("host", "device"):
        value = "１" * 65
    document[TEXT[address.name]] = value
    is_turned_away(address.send(json.dumps(document)))
    assert centre.state_hash() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ',"more":1}',
        lambda text: text[:-1] + "," + text[1:],
        lambda text: text + " 1",
        lambda text: text + text,
        lambda text: text[:-1],
        lambda text: "\ufeff" + text,
        lambda text: "null",
        lambda text: f"[{text}]",
        lambda text: '"text"',
        lambda text: "{}",
        lambda text: " ",
        lambda text: "'" + text + "'",
        lambda text: text.replace('"', '"\\ud800', 1),
        lambda text: '"' * 60_000,
    ],
)
def test_a_body_of_another_form(centre, address, change):
    before = centre.state_hash()
    is_turned_away(address.send(change(address.text())))
    assert centre.state_hash() == before


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_a_body_in_another_encoding(centre, address, encoding):
    before = centre.state_hash()
    text = address.text().replace("{", '{"é":1,', 1)
    is_turned_away(address.send(text.encode(encoding)))
    assert centre.state_hash() == before


def test_bytes_that_are_no_text(centre, address):
    before = centre.state_hash()
    is_turned_away(address.send(address.text().encode().replace(b'":"', b'":"\xff', 1)))
    assert centre.state_hash() == before


@pytest.mark.parametrize("address", sorted({*POSTS} - {"payload"}), indirect=True)
def test_an_empty_body(centre, address):
    before = centre.state_hash()
    is_turned_away(address.send(b""))
    assert centre.state_hash() == before


def test_a_body_over_the_limit(centre, address):
    before = centre.state_hash()
    is_turned_away(address.send(address.text() + " " * (1 << 20)), 413)
    assert centre.state_hash() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ',"more":' + "[" * 32 + "]" * 32 + "}",
        lambda text: "[" * 33 + "]" * 33,
        lambda text: "[" * 200_000,
        lambda text: '{"a":' * 100_000,
    ],
)
def test_a_body_nested_deeper_than_the_limit_is_over_it(centre, address, change):
    before = centre.state_hash()
    problem = is_turned_away(address.send(change(address.text())), 413)
    assert problem["detail"].endswith("nested deeper than 32. Send a flatter value")
    assert centre.state_hash() == before


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/xml",
        "application/msgpack",
        "application/jsonp",
    ],
)
def test_a_body_that_is_not_declared_as_json(centre, address, content_type):
    before = centre.state_hash()
    problem = is_turned_away(address.send(address.text(), content_type=content_type), 415)
    assert problem["code"] == "NOT_JSON"
    assert centre.state_hash() == before


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8"])
def test_json_is_declared_in_either_spelling(address, content_type):
    # Right in form; whether it is granted is another question.
    assert address.send(address.text(), content_type=content_type).status_code in (200, 403, 404, 409, 422)


def test_a_compressed_body_is_not_unpacked(centre, address):
    import gzip

    before = centre.state_hash()
    is_turned_away(address.send(gzip.compress(address.text().encode()), {"Content-Encoding": "gzip"}))
    assert centre.state_hash() == before


def test_prices_that_contradict_each_other(centre):
    client = centre.enrol()
    before = centre.state_hash()
    prices = v1.Prices(initial_price_fen=1, merchant_discount_fen=2, trade_in_fen=0)
    hold = client.hold_request(client.pack_hash, prices=prices)
    answer = client.post("/v1/holds", hold)
    assert (answer.status_code, answer.json()["code"]) == (422, "CONTRADICTION")
    facts = Address("facts", centre, client).message
    answer = client.post("/v1/facts", msgspec.structs.replace(facts, prices=prices))
    assert (answer.status_code, answer.json()["code"]) == (422, "CONTRADICTION")
    assert centre.state_hash() == before


def test_after_all_that_a_hold_is_still_placed(centre):
    assert promised(centre.enrol().hold(person=30).sealed).category == "FRIDGE"
