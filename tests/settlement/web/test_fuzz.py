"""What does the centre say to anything that its description allows, and to anything that it does not?

A few of each in every run; `scripts/fuzz_centre.py --examples N` asks more.
"""

import os

import pytest
from books import ENGINES, copy_template
from centre import RunningCentre
from fuzzing import MODES, Fuzzed, fuzz, operations

from settlement.web import app, login

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
