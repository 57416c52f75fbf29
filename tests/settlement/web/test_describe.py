"""Is the centre's description true, kept, and never less than it was?"""

import copy
import json

import describe_centre
import pytest

from settlement.web import app, describe

NOW = app.description()


def operations():
    """Yield every operation with its name."""
    for path, found in NOW["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def test_the_kept_description_is_the_applications():
    kept = describe_centre.FILE.read_text(encoding="utf-8")
    assert kept == describe.text(NOW), "run `python3 scripts/describe_centre.py` and commit what it writes"


def test_the_centre_serves_what_is_kept(centre):
    answer = centre.session.get(f"{centre.url}/openapi.json", timeout=10)
    assert answer.json() == json.loads(describe_centre.FILE.read_text(encoding="utf-8"))


def test_nothing_is_taken_away():
    assert describe_centre.taken_away(json.loads(describe_centre.FILE.read_text(encoding="utf-8")), NOW) == []


def test_every_name_of_an_operation_is_its_own():
    names = [operation["operationId"] for _, operation in operations()]
    assert sorted(set(names)) == sorted(names)


def test_every_answer_that_comes_later_says_when():
    for status in ("429", "503"):
        assert "Retry-After" in NOW["components"]["responses"][status]["headers"]


def test_every_operation_says_how_the_caller_is_known():
    for name, operation in operations():
        schemes = {scheme for one in operation["security"] for scheme in one}
        assert schemes <= NOW["components"]["securitySchemes"].keys(), name
        if "x-permission" in operation:
            assert operation["security"] == [{"token": []}, {"session": []}], name
    holds = NOW["paths"]["/v1/holds"]["post"]["security"]
    assert [sorted(one) for one in holds] == [["device", "digest", "epoch", "signature", "signatureInput"]]


def test_every_reference_leads_somewhere():
    text = describe.text(NOW)
    for found in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        place = NOW
        for step in found.split("/"):
            place = place[step]


def _bodies_of_proposals(document):
    body = document["paths"]["/v1/proposals"]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]["anyOf"]


def _without_an_address(document):
    del document["paths"]["/v1/funds"]


def _without_a_method(document):
    del document["paths"]["/v1/holds"]["get"]


def _without_an_answer(document):
    del document["paths"]["/v1/holds"]["post"]["responses"]["429"]


def _without_a_field(document):
    del document["components"]["schemas"]["RecordShown"]["properties"]["state"]


def _with_another_kind(document):
    document["components"]["schemas"]["RecordShown"]["properties"]["state"] = {"type": "integer"}


def _with_more_asked_for(document):
    document["components"]["schemas"]["HoldRequest"]["required"].append("colour")


def _with_a_header_asked_for(document):
    more = {"in": "header", "name": "X-Now", "required": True, "schema": {"type": "string"}}
    document["paths"]["/v1/funds"]["get"]["parameters"] = [more]


def _without_a_parameter(document):
    document["paths"]["/v1/holds"]["get"]["parameters"].pop()


def _without_a_kind_of_body(document):
    _bodies_of_proposals(document).pop()


def _open_to_all(document):
    document["paths"]["/v1/funds"]["get"]["security"] = []


def _without_a_value(document):
    document["components"]["schemas"]["Refusal"]["enum"].remove("FUND_EXHAUSTED")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_an_address, "GET /v1/funds is gone"),
        (_without_a_method, "GET /v1/holds is gone"),
        (_without_an_answer, "POST /v1/holds: the answer 429 is gone"),
        (_without_a_field, "RecordShown.state is gone"),
        (_with_another_kind, "RecordShown.state is of another kind"),
        (_with_more_asked_for, "HoldRequest.colour is asked for"),
        (_with_a_header_asked_for, "GET /v1/funds: X-Now is asked for"),
        (_without_a_parameter, "GET /v1/holds: the parameter after is gone"),
        (_without_a_kind_of_body, "POST /v1/proposals: another body"),
        (_open_to_all, "GET /v1/funds: another proof of who asks"),
        (_without_a_value, "Refusal: FUND_EXHAUSTED is gone"),
    ],
)
def test_what_would_be_missed_is_noticed(change, said):
    now = copy.deepcopy(NOW)
    change(now)
    assert describe_centre.taken_away(NOW, now) == [said]
    more = copy.deepcopy(NOW)
    more["paths"]["/v1/more"] = more["paths"]["/v1/funds"]
    _bodies_of_proposals(more).append({"$ref": "#/components/schemas/Funds"})
    more["components"]["schemas"]["RecordShown"]["properties"]["more"] = {"type": "string"}
    assert describe_centre.taken_away(NOW, more) == []
