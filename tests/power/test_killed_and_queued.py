"""An agent that is killed at any moment, and one in whose outbox very much waits.

Small sizes; `scripts/simulate.py --campaign` has the large ones: 1,000 kills, 100,000 entries, 30 days.
"""

import time

from power import agent_kills, long_queue

from terminal_agent.journal.mend import look
from terminal_agent.journal.open import open_journal


def test_nothing_is_lost_or_doubled_when_the_agent_is_killed_at_any_moment():
    found = agent_kills.run(times=4, seed=5)
    assert found["wrong"] == []
    assert found["told"] > 0
    assert found["cut_off"] > 0


def test_a_queue_is_sent_while_a_till_sells():
    found = long_queue.drain(sales=25)
    assert found["wrong"] == []
    assert found["piled_up"] >= 25
    assert found["sent"] >= found["piled_up"] + found["sold_meanwhile"]


def seconds_to_open(folder, entries):
    """Return the processor's seconds for opening a journal in which so many entries wait."""
    folder.mkdir()
    long_queue.fill(folder / "journal.db", entries)
    began = time.process_time()
    opened = open_journal(folder / "journal.db")
    took = time.process_time() - began
    assert opened.execute("SELECT count(*) FROM outbox WHERE answer IS NULL").fetchone() == (entries,)
    opened.close()
    assert look(folder / "journal.db").is_well
    return took


def test_opening_a_journal_takes_no_more_than_its_share_for_each_entry(tmp_path):
    seconds_to_open(tmp_path / "warm", 10)
    few, many = seconds_to_open(tmp_path / "few", 2_000), seconds_to_open(tmp_path / "many", 8_000)
    # 100,000 at this rate, and three seconds, have room to spare; a square would be sixteen times as long.
    assert many < 10 * few
