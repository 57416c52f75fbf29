"""Does a monitor see what the writer does, without standing in its way?"""

import re
import threading
import time

from settlement.db.connection import writing
from settlement.web import edge as of_edge


def figures(centre):
    """Return the metrics by name and labels."""
    answer = centre.session.get(f"{centre.url}/metrics", timeout=10)
    assert answer.status_code == 200, answer.text
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def until(seen):
    """Wait until something is seen."""
    end = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_monitor_sees_batches_commands_and_commit_times(centre):
    client = centre.enrol()
    before = figures(centre)
    for _ in range(3):
        client.hold()
    now = figures(centre)
    assert now["settlement_writer_commands_total"] - before["settlement_writer_commands_total"] == 3
    for name in ("batch_commands", "commit_seconds"):
        whole = f"settlement_writer_{name}_count"
        assert now[whole] - before[whole] == 3
        assert now[f'settlement_writer_{name}_bucket{{le="+Inf"}}'] == now[whole]
    assert now["settlement_writer_commit_seconds_sum"] > before["settlement_writer_commit_seconds_sum"]
    assert now["settlement_writer_last_batch_commands"] == 1
    assert now["settlement_writer_waiting"] == now["settlement_writer_oldest_waiting_seconds"] == 0
    assert now["settlement_writer_failed_total"] == 0


def test_a_monitor_sees_who_waits_while_another_has_the_books_and_takes_no_turn(centre):
    client = centre.enrol()
    asked = threading.Thread(target=client.hold)
    with writing(centre.centre.engine):
        asked.start()
        until(lambda: figures(centre)["settlement_writer_oldest_waiting_seconds"] > 0.2)
    asked.join()
    assert figures(centre)["settlement_writer_oldest_waiting_seconds"] == 0


def test_a_monitor_sees_who_is_told_to_come_later(centre, monkeypatch):
    client = centre.enrol()
    before = figures(centre)
    monkeypatch.setattr(of_edge, "MOST_WAITING", 0)
    answer = client.post("/v1/holds", client.hold_request(client.pack_hash))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    entry = client.chain(client.closed(client.record_id(), 99))
    answer = client.post("/v1/records", client.sealed(client.upload([entry])))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    monkeypatch.undo()
    monkeypatch.setattr("settlement.web.buckets.Buckets.take", lambda *_all: False)
    answer = client.post("/v1/holds", client.hold_request(client.pack_hash))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    now = figures(centre)
    assert now["settlement_busy_total"] - before["settlement_busy_total"] == 2
    assert now["settlement_device_too_fast_total"] - before["settlement_device_too_fast_total"] == 1


def test_a_monitor_sees_a_command_that_failed(centre, monkeypatch):
    client = centre.enrol()
    before = figures(centre)

    def fail(*_all):
        raise RuntimeError

    monkeypatch.setattr("settlement.writer.apply.run", fail)
    assert client.post("/v1/holds", client.hold_request(client.pack_hash)).status_code == 500
    now = figures(centre)
    assert now["settlement_writer_failed_total"] - before["settlement_writer_failed_total"] == 1
    assert now["settlement_writer_oldest_waiting_seconds"] == 0
