"""An agent that is killed at any moment, and one in whose outbox very much waits.

Small sizes; `scripts/simulate.py --campaign` has the large ones: 1,000 kills, 100,000 entries, 30 days.
"""

from pathlib import Path

from power import agent_kills, long_queue

from terminal_agent.journal.mend import look
from terminal_agent.journal.open import open_journal


def test_nothing_is_lost_or_doubled_when_the_agent_is_killed_at_any_moment():
    found = agent_kills.run(times=4, seed=5)
    assert found["wrong"] == []
    assert found["told"] > 0
    # Both tills at most, each time: nobody tries to sell at an agent that is dead.
    assert 0 < found["cut_off"] <= 2 * 4


def test_a_queue_is_sent_while_a_till_sells():
    found = long_queue.drain(sales=25)
    assert found["wrong"] == []
    assert found["piled_up"] >= 25
    assert found["sent"] >= found["piled_up"] + found["sold_meanwhile"]


def bytes_to_open(folder, entries):
    """Return how many bytes are read to open a journal in which so many entries wait."""
    folder.mkdir()
    long_queue.fill(folder / "journal.db", entries)
    before = bytes_read()
    opened = open_journal(folder / "journal.db")
    came = bytes_read() - before
    assert opened.execute("SELECT count(*) FROM outbox WHERE answer IS NULL").fetchone() == (entries,)
    opened.close()
    assert look(folder / "journal.db").is_well
    return came


def bytes_read():
    """Return how many bytes this process has read from files until now."""
    (line,) = [one for one in Path("/proc/self/io").read_text().splitlines() if one.startswith("rchar")]
    return int(line.split()[1])


def test_opening_a_journal_reads_no_sale_that_is_not_open(tmp_path):
    few, many = bytes_to_open(tmp_path / "few", 500), bytes_to_open(tmp_path / "many", 4_500)
    # Of each sale its sum, and nothing else: its rows are some 9,000 bytes.
    assert many - few < 4_000 * 150
