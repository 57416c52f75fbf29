"""The centre's database is lost and its backup restored. The shops report again: each sale is known once."""

import json
import subprocess

import pytest
from audit import bookings
from real_centre import RealCentre
from story.processes import BIN

GONE = ("centre.sqlite3", "centre.sqlite3-wal", "centre.sqlite3-shm")


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    """A centre of this module's own: its database is lost."""
    with RealCentre(tmp_path_factory.mktemp("lost-centre")) as centre:
        yield centre


def done(finished, exit_code=0):
    """Return what a command of the centre has said."""
    assert finished.returncode == exit_code, finished.stderr
    return json.loads(finished.stdout)


def lose_and_restore(centre, backup):
    """Kill the centre, take its database away, and put the backup in its place."""
    centre.kill()
    for name in GONE:
        (centre.folder / name).unlink(missing_ok=True)
    done(centre.command("restore", backup, "--into", "centre.sqlite3"), exit_code=4)
    centre.restart()


def report_again(shop):
    """Let the shop report what was acknowledged once more, as its people are asked to."""
    shop.agent.stop()
    again = subprocess.run(
        [BIN / "terminal-agent", "outbox", "again", "--config", "agent.yaml", "--json"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    shop.start()
    shop.wait_for_empty_outbox()
    return json.loads(again.stdout)["again"]


def test_what_was_sold_and_returned_since_the_backup_is_known_again_and_once(shop, centre):
    before = shop.sell()["record_id"]
    shop.wait_for_record(before, "PAYABLE")
    backup = done(centre.command("backup", "backups.sqlite3"))["file"]
    sold, back = shop.sell()["record_id"], shop.sell()["record_id"]
    shop.give_back(back)
    shop.wait_for_record(sold, "PAYABLE")
    shop.wait_for_record(back, "RETURNED")
    shop.wait_for_empty_outbox()

    lose_and_restore(centre, backup)
    assert shop.centre_record(sold) is None
    assert report_again(shop) >= 5

    shop.wait_for_record(before, "PAYABLE")
    shop.wait_for_record(back, "RETURNED")
    record = shop.wait_for_record(sold, "PAYABLE")
    assert bookings(record) == 1
    assert sum(line["fen"] for line in record["postings"]) == 0
    assert done(centre.command("ledger", "verify"))["true"]
    assert done(centre.command("ledger", "rebuild"))["same"]
    waits = [one["kind"] for one in centre.ask("/v1/differences")["differences"]]
    assert waits == ["restored"]
    # And the shop goes on selling.
    shop.wait_for_record(shop.sell()["record_id"], "PAYABLE")
    assert done(centre.command("ledger", "rebuild"))["same"]
