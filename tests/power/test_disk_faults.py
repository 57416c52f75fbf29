"""A disk that is full or broken is told of, changes nothing, and everything goes on once it works again."""

import pytest
from books import Books
from busy_books import keep_busy
from centre_shell import Shell
from power import agent_faults, centre_faults
from power.every_operation import FAULTS
from power.recorded_disk import RecordedDisk
from quiet_till import QuietTill

FULL, FOR_EVER = FAULTS["full"]
BROKEN, _ = FAULTS["broken"]


@pytest.mark.parametrize("kind", FAULTS)
def test_each_act_of_the_journal_fails_at_its_operations_and_is_done_afterwards(kind):
    trial = agent_faults.try_day(kind, stride=10)
    assert trial.wrong == []
    assert trial.faults > 150
    assert all("terminal-agent" in one or "Free space" in one for one in trial.said)


@pytest.mark.parametrize("kind", FAULTS)
def test_each_batch_of_the_centre_fails_at_its_operations_and_is_done_afterwards(kind):
    trial = centre_faults.try_books(kind, stride=25)
    assert trial.wrong == []
    assert trial.faults > 40
    assert trial.said.keys() <= {"database or disk is full", "disk I/O error"}


@pytest.mark.parametrize(("with_", "said"), [(FULL, "no space left"), (BROKEN, "error")])
def test_a_till_is_told_that_the_journal_cannot_be_written_and_sells_once_it_can(with_, said, tmp_path):
    with RecordedDisk(tmp_path) as disk, QuietTill(tmp_path) as till:
        before = till.state_hash()
        disk.fail(0, with_, for_ever=FOR_EVER)
        answer = till.post("/v1/sales", till.sale_body())
        assert (answer.status_code, answer.json()["code"]) == (503, "JOURNAL_DOWN")
        assert said in answer.json()["detail"].lower()
        assert "Nothing was changed" in answer.json()["detail"]
        disk.heal()
        assert till.state_hash() == before
        assert [event for event, _ in till.logged] == ["journal.down"]
        assert till.handed_over == []
        assert till.post("/v1/sales", till.sale_body()).status_code == 200


def test_a_command_of_the_centre_says_that_the_disk_is_full_and_works_once_it_is_not(tmp_path):
    with RecordedDisk(tmp_path) as disk:
        books = Books(tmp_path)
        keep_busy(books)
        shell = Shell(tmp_path, tmp_path / "settlement.yaml")
        before = books.state_hash()
        freeze = ("freeze", "shop", "S0031", "--reason", "a look at it")
        disk.fail(0, FULL, for_ever=True)
        shell.run(*freeze, exit_code=5)
        disk.heal()
        assert "full. Nothing was changed. Free space, then try again" in shell.stderr
        assert books.state_hash() == before
        shell.run(*freeze)
        books.close()


def test_a_frame_that_could_not_be_taken_back_at_once_is_taken_back_before_the_next(tmp_path):
    with RecordedDisk(tmp_path) as disk, QuietTill(tmp_path) as till:
        box = till._connection.box
        at = box.at
        disk.fail(0, {"sync": BROKEN["sync"], "truncate": BROKEN["truncate"]}, for_ever=True)
        assert till.post("/v1/sales", till.sale_body()).status_code == 503
        assert (box.at, box.size > at.size) == (at, True)
        disk.heal()
        assert till.post("/v1/sales", till.sale_body()).status_code == 200
        assert box.at.size == box.size > at.size
