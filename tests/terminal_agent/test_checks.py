"""A running agent looks at its whole journal once a day, and ends when it is damaged."""

import pytest
from lone_agent import LoneAgent
from unit_shop import UnitShop

from terminal_agent import app, system
from terminal_agent.app import Agent
from terminal_agent.config import read_config
from terminal_agent.journal.journal import SqliteJournal

DAY_MS = 86_400_000


class Started:
    """An agent whose triggers are pulled by hand. `looked` counts how often it read its whole journal."""

    def __init__(self, folder, monkeypatch):
        self.looked, self.ended, self.logged = 0, 0, []
        self.monkeypatch = monkeypatch
        jobs = []
        monkeypatch.setattr(app.schedule, "start", lambda *given: jobs.append(given))
        monkeypatch.setattr(system, "spawn", lambda name, run: None)
        monkeypatch.setattr(system, "end_process", self._end)
        look = SqliteJournal.check
        monkeypatch.setattr(SqliteJournal, "check", lambda journal: self._look(look, journal))
        self.agent = Agent(
            read_config(LoneAgent(folder).config), lambda event, **more: self.logged.append(event)
        )
        self.agent.start()
        ((_, _, _, self.pull),) = jobs

    def _look(self, look, journal):
        self.looked += 1
        look(journal)

    def _end(self):
        self.ended += 1


@pytest.fixture
def started(tmp_path, monkeypatch):
    started = Started(tmp_path, monkeypatch)
    yield started
    started.agent.journal.shut()


def test_the_journal_is_looked_at_once_a_day(started):
    now_ms = started.agent._clock.steady_ms()
    for _ in range(3):
        started.pull()
    assert started.looked == 1
    started.monkeypatch.setattr(system.SystemClock, "steady_ms", lambda self: now_ms + 2 * DAY_MS)
    started.pull()
    assert started.looked == 2


def test_nobody_waits_for_it_who_is_being_served(started, tmp_path):
    (tmp_path / "other").mkdir()
    sale = UnitShop(tmp_path / "other").open().sale
    started.monkeypatch.setattr(SqliteJournal, "unfinished", lambda self: [sale])
    started.pull()
    assert started.looked == 0


def test_an_agent_whose_journal_is_damaged_ends(started, tmp_path):
    with started.agent.journal._looking() as db:
        db.execute("INSERT INTO main._kept_sum VALUES ('nobody', 1)")
    started.pull()
    assert started.ended == 1
    assert started.logged[-1] == "worker.failed"
    (doubted,) = started.agent.journal._connection.execute("SELECT doubted FROM black_box").fetchone()
    assert doubted == 1
