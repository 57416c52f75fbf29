"""What does the centre say to anything that its description allows, and to anything that it does not?

A few of each in every run; `scripts/fuzz_centre.py --examples N` asks more.
"""

import os

import pytest
from books import ENGINES, copy_template
from centre import RunningCentre
from fuzzing import MODES, Fuzzed, fuzz, operations
from schemathesis.core.failures import FailureGroup

from settlement.web import app, login
from settlement.writer.step import Denied

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
OPERATIONS = {one.label: one for one in operations(app.description())}


@pytest.fixture(scope="module")
def centres(tmp_path_factory):
    """A centre on each database."""
    # A wrong login is made to wait; here nobody guesses.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(login, "_WRONG_TAKES_MS", 0)
    running, fuzzed = [], []
    for on in ENGINES:
        folder = tmp_path_factory.mktemp(on)
        config = copy_template(folder, on)
        config.write_text(config.read_text() + "holds_per_device_s: 100000\n")
        running.append(RunningCentre.start_again(folder))
        fuzzed.append(Fuzzed(on, running[-1].__enter__()))
    yield fuzzed
    for one in fuzzed:
        print(one.name, dict(one.statuses))
    for one in running:
        one.__exit__(None, None, None)
    monkeypatch.undo()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_made_up_requests_get_answers_that_are_described_and_a_no_changes_nothing(centres, label, mode):
    fuzz(OPERATIONS[label], mode, centres, EXAMPLES)


# What it is there to find, it finds.


def test_a_fault_of_ours_is_found(centres, monkeypatch):
    def fail(*_all):
        raise RuntimeError

    monkeypatch.setattr("settlement.web.read_models.funds", fail)
    with pytest.raises(AssertionError, match="as operator: GET"):
        fuzz(OPERATIONS["GET /v1/funds"], MODES[0], centres, 20)


def test_a_no_that_changes_something_is_found(centres, monkeypatch):
    def change_and_refuse(_prices):
        centres[0].centre.sql("INSERT INTO closed_year SELECT count(*) + 3000, 0 FROM closed_year")
        return Denied(422, "CONTRADICTION", "$: no")

    monkeypatch.setattr("settlement.funds.gather_facts.contradiction", change_and_refuse)
    with pytest.raises(AssertionError, match="sqlite, as device: POST"):
        fuzz(OPERATIONS["POST /v1/facts"], MODES[0], centres, 20)
    centres[0].begin_again()


def test_an_answer_that_is_not_described_is_found(centres):
    description = app.description()
    description["components"]["schemas"]["FundsShown"]["properties"]["programme"] = {"type": "integer"}
    (operation,) = [one for one in operations(description) if one.label == "GET /v1/funds"]
    with pytest.raises(FailureGroup, match="programme"):
        fuzz(operation, MODES[0], centres, 20)


def test_a_wrong_request_that_is_taken_is_found(centres):
    description = app.description()
    (after,) = description["paths"]["/v1/devices"]["get"]["parameters"]
    after["schema"] |= {"minLength": 5, "maxLength": 5}
    (operation,) = [one for one in operations(description) if one.label == "GET /v1/devices"]
    with pytest.raises(FailureGroup, match="rejected"):
        fuzz(operation, MODES[1], centres, 200)


def test_right_requests_are_taken_and_wrong_ones_refused(centres):
    for label in ("GET /v1/records/{record_id}", "POST /v1/facts", "GET /v1/funds"):
        for mode in MODES:
            fuzz(OPERATIONS[label], mode, centres, 20)
    assert {one.name for one in centres} == {*ENGINES}
    for one in centres:
        assert {200, 400, 401, 403, 404} <= one.statuses.keys(), one.statuses
