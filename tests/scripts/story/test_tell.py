"""When does the demo end?"""

import json
import signal
import sys

import pytest
from story import tell
from story.processes import StoryBroken


class QuietStage:
    """A stage on which nothing runs."""

    def __init__(self):
        self.seen = []
        self.centre = self.agent = self

    name = "nothing"

    def log(self):
        return "its last words"

    def set_up(self):
        self.seen.append("set up")

    def take_down(self):
        self.seen.append("taken down")


@pytest.fixture
def stage(monkeypatch):
    """A stage, a story without scenes, and signals that are afterwards what they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stage = QuietStage()
    monkeypatch.setattr(tell, "Stage", lambda folder: stage)
    monkeypatch.setattr(tell.Story, "tell", lambda self: None)
    monkeypatch.setattr(tell.returns, "tell", lambda story: None)
    monkeypatch.setattr(tell.at_night, "tell", lambda story: {})
    monkeypatch.setattr(tell, "figures", lambda story, night, started: {"seconds": 0.1})
    monkeypatch.setattr(tell, "keep_clear_of_midnight", lambda: None)
    monkeypatch.setattr(tell, "_keep_serving", lambda stage: stage.seen.append("served"))
    yield stage
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def told(monkeypatch):
    """Return a function that has it told with these words."""

    def tell_it(*words):
        monkeypatch.setattr(sys, "argv", ["tell", *map(str, words)])
        return tell.main()

    return tell_it


def test_with_once_it_ends_when_it_is_told(stage, told, tmp_path):
    assert told("--once", "--report", tmp_path / "report.json") == 0
    assert stage.seen == ["set up", "taken down"]
    assert json.loads((tmp_path / "report.json").read_text()) == {"seconds": 0.1}


def test_without_once_it_serves_first(stage, told):
    assert told() == 0
    assert stage.seen == ["set up", "served", "taken down"]


def test_a_claim_that_does_not_hold_ends_it_with_1_and_says_which(stage, told, monkeypatch, capsys):
    def broken(_story):
        raise StoryBroken("somebody was charged twice")

    monkeypatch.setattr(tell.returns, "tell", broken)
    assert told("--once") == 1
    assert stage.seen == ["set up", "taken down"]
    said = capsys.readouterr().err
    assert "THE STORY BROKE: somebody was charged twice" in said
    assert "its last words" in said
