"""The description that integrators build their POS software from."""

import pytest

ADDRESSES = {
    ("post", "/v1/quotes"),
    ("post", "/v1/sales"),
    ("get", "/v1/sales"),
    ("get", "/v1/sales/{record_id}"),
    ("get", "/v1/sales/{record_id}/events"),
    ("post", "/v1/sales/{record_id}/pay"),
    ("post", "/v1/sales/{record_id}/stop"),
    ("get", "/v1/sales/{record_id}/return"),
    ("post", "/v1/sales/{record_id}/return"),
    ("post", "/v1/sales/{record_id}/answer"),
    ("post", "/v1/sales/{record_id}/reprint"),
    ("post", "/v1/sales/{record_id}/slip"),
    ("post", "/v1/sales/{record_id}/cash"),
    ("post", "/v1/look-at/{no}/done"),
    ("get", "/v1/status"),
    ("get", "/v1/outbox"),
}


@pytest.fixture(scope="module")
def described(till):
    answer = till.send("GET", "/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def calls(described):
    methods = ("get", "post", "put", "patch", "delete")
    return {
        (method, path): call
        for path, of_path in described["paths"].items()
        for method, call in of_path.items()
        if method in methods
    }


def test_it_is_openapi_3_1(described):
    assert described["openapi"].startswith("3.1.")


def test_it_names_each_address_and_no_other(described):
    assert set(calls(described)) == ADDRESSES


def test_each_address_says_what_it_is_for(described):
    assert all(call["summary"] for call in calls(described).values())


def test_each_body_is_described_field_by_field(till, described):
    schemas = described["components"]["schemas"]
    bodies = {"QuoteBody": till.quote_body(), "SaleBody": till.sale_body()}
    for name, example in bodies.items():
        assert set(schemas[name]["properties"]) == set(example)
    assert set(schemas["ItemBody"]["properties"]) == set(till.quote_body()["item"])
    for (method, path), call in calls(described).items():
        assert ("requestBody" in call) == (method == "post"), path


def test_no_page_of_the_agent_loads_anything_from_elsewhere(till, described):
    """A description comes with pages that load scripts from the internet, unless somebody takes care."""
    for path in ("/", "/schema", "/schema/redoc", "/docs", "/internal/schema", "/schema/openapi.json"):
        assert till.send("GET", path).headers["content-type"] == "application/problem+json"
