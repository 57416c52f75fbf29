"""What was seen at a watched terminal is not lost while the journal is down, and ends no process."""

import threading
from contextlib import suppress

import pytest
from watched_line import eventually

from subsidy.records.payment import Evidence
from terminal_agent import app
from terminal_agent.checkout.sighting import Sight, Sighting
from terminal_agent.journal.connection import JournalDown
from terminal_agent.system import Mailbox


class Full:
    """Sightings on a disk that is full for a while."""

    def __init__(self):
        self.tried = []
        self.written = []

    def note(self, sighting):
        self.tried.append(sighting)
        if len(self.tried) == 5:
            raise SystemExit
        if len(self.tried) < 3:
            raise JournalDown("the disk is full")
        self.written.append(sighting)


class NoWaits:
    def sleep(self, seconds):
        assert seconds > 0


@pytest.fixture
def logged():
    return []


def test_it_is_written_once_the_journal_is_up_again_and_in_order(logged):
    box, full = Mailbox(), Full()
    seen = [Sighting(Sight.MONEY_BACK, fen, Evidence(trace="000001")) for fen in (1, 2, 3)]
    for one in seen:
        box.put(one)

    def work():
        with suppress(SystemExit):
            app._note_all(full, box, NoWaits(), lambda event, **_: logged.append(event))

    threading.Thread(target=work, daemon=True).start()
    eventually(lambda: len(full.tried) == 5)
    assert full.written == seen[:2]
    assert logged == ["relay.not_written_yet"] * 2
