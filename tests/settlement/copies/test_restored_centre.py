"""What is lost and what comes back when a centre is restored to yesterday and the shops report again?"""

import json
import subprocess
import sys

import pytest
from books import Books
from centre_shell import Shell
from fake_device import promised

from settlement.copies.rebuild import rebuild
from settlement.copies.restored import NoteRestore, SettleRestore
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.devices.read_devices import gaps
from settlement.writer.rows import Difference, Qualification, Quota, Serial
from subsidy.wire import v1

GRANT_FEN = 43_500


class Day:
    """A day on which books are saved, the shop goes on, and the books are lost."""

    def __init__(self, folder):
        self.folder = folder / "lost"
        self.books = Books(self.folder)
        self.shell = Shell(self.folder, self.folder / "settlement.yaml")
        self.device = self.books.enrol()
        self.entries = []
        self.before = self.sell(0)
        self.open_before = self.books.hold(self.device, person=1)
        self.backup = self.shell.json("backup", str(folder / "backups" / "one.sqlite3"))["file"]
        # What the backup does not have.
        self.sold = self.sell(2)
        self.returned = self.sell(3)
        self.report(self.device.returning(promised(self.returned)))
        self.report(self.device.returned(promised(self.returned)))
        self.closed = promised(self.books.hold(self.device, person=4))
        self.report(self.device.closed(self.closed.record_id, self.closed.hold_no))
        self.report(self.device.paid(self.open_before))
        self.still_open = self.books.hold(self.device, person=5)
        self.stranger = self.books.enrol("enrolled after the backup")
        self.money = self.books.money()

    def sell(self, person):
        sealed = self.books.hold(self.device, person=person)
        self.report(self.device.paid(sealed))
        return sealed

    def report(self, entry):
        chained = self.device.chain(entry)
        self.entries.append(chained)
        assert self.books.take(self.device, chained) == ["accepted"]

    def restored(self):
        """Restore the backup in the place of the lost books and return them."""
        self.books.close()
        for lost in self.folder.glob("centre.sqlite3*"):
            lost.unlink()
        self.shell.json("restore", self.backup, "--into", str(self.folder / "centre.sqlite3"), exit_code=4)
        again = Books.reopen(self.folder, self.books)
        # The command goes by the machine's clock: noted once more by that of these books.
        again.done(NoteRestore(1, "0" * 64, again.clock.now_ms()))
        again.clock.ahead_ms += 1_000
        again.check()
        return again


@pytest.fixture
def day(tmp_path):
    """The day."""
    return Day(tmp_path)


def open_now(day):
    """Return what the device states as open."""
    promise = promised(day.still_open)
    return (v1.OpenHold(record_id=promise.record_id, hold_no=promise.hold_no),)


def test_nothing_is_lost_and_nothing_doubled_when_the_shops_report_again(day, tmp_path):
    books = day.restored()
    assert books.money() == {"held": GRANT_FEN, "payable": GRANT_FEN}
    acks = books.take(day.device, *day.entries, still_open=open_now(day))
    assert acks == ["repeat"] + ["accepted"] * (len(day.entries) - 1)
    # Everything but the hold that is open at the shop only.
    assert day.money == {"held": GRANT_FEN, "payable": 3 * GRANT_FEN}
    assert books.money() == {"payable": 3 * GRANT_FEN}
    assert books.record(day.sold).state == "PAYABLE"
    assert books.record(day.open_before).state == "PAYABLE"
    assert books.record(day.returned).state == "RETURNED"
    assert books.record(day.closed.record_id).state == "RELEASED"
    # Once more: nothing happens twice.
    money = books.money()
    assert set(books.take(day.device, *day.entries, still_open=open_now(day))) == {"repeat"}
    assert books.money() == money
    assert books.device(day.device).frozen is None
    # And the open one is paid now: the hold comes back from its promise.
    books.take(day.device, day.device.chain(day.device.paid(day.still_open)), still_open=())
    assert books.record(day.still_open).state == "PAYABLE"
    with reading(books.engine) as connection:
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()
    books.close()


def test_a_plain_upload_before_the_shops_report_again_frees_nothing(day):
    """A running agent uploads at once, and states as closed what was acknowledged after the backup."""
    books = day.restored()
    books.take(day.device, still_open=open_now(day))
    assert books.record(day.open_before).state == "HELD"
    assert books.money() == {"held": GRANT_FEN, "payable": GRANT_FEN}
    item = promised(day.open_before).item
    assert "SERIAL_ALREADY_SUBSIDISED" in books.refusals(day.device, person=6, item=item)
    books.take(day.device, *day.entries, still_open=open_now(day))
    assert books.record(day.open_before).state == "PAYABLE"
    assert books.differences(promised(day.open_before).record_id) == []
    assert books.money() == {"payable": 3 * GRANT_FEN}
    books.close()


def test_statements_are_believed_again_when_the_restore_is_settled(day):
    books = day.restored()
    forgotten = books.hold(day.device, person=6)
    books.take(day.device, *day.entries, still_open=())
    assert books.record(forgotten).state == "HELD"
    books.done(SettleRestore("minutes of the meeting"))
    books.take(day.device, still_open=())
    assert books.record(forgotten).state == "RELEASED"
    books.close()


def why_not(books, command):
    """Return why a command is refused."""
    (answer,) = books.write(command)
    return answer.detail


def test_a_restore_is_not_settled_before_every_shop_has_reported_again(day):
    books = day.restored()
    settle = SettleRestore("too early")
    assert f"{day.device.name} of S0031 has not been heard since" in why_not(books, settle)
    # It is heard, and says how far its chain goes, of which these books have one entry.
    books.take(day.device, still_open=open_now(day))
    missing = len(day.entries) - 1
    assert f"{day.device.name} of S0031 has not sent {missing} of its entries again" in why_not(books, settle)
    books.take(day.device, *day.entries, still_open=open_now(day))
    books.done(settle)
    books.close()


def test_a_restore_is_settled_without_those_who_are_named_as_gone_and_replaced_ones_need_no_name(day):
    books = day.restored()
    named = SettleRestore("minutes", gone=(day.device.name,))
    unknown = SettleRestore("minutes", gone=("nobody", day.device.name))
    assert why_not(books, unknown).startswith("nobody: not a device here")
    books.done(named)
    item = books.row(Difference, "the books", "restored")
    assert item.detail.endswith(f"settled: minutes; never reported again: {day.device.name}")
    assert books.denied(named) == "NOTHING_RESTORED"
    # Restored once more; its place has been taken by another host meanwhile.
    books.done(NoteRestore(1, "0" * 64, books.clock.now_ms()))
    books.sql(f"UPDATE device SET replaced = 1, frozen = 'lost' WHERE device = '{day.device.name}'")
    books.done(SettleRestore("minutes"))
    books.close()


def test_a_device_that_was_named_as_gone_frees_nothing_by_a_plain_statement_until_it_reports(day):
    books = day.restored()
    books.done(SettleRestore("the host was stolen", gone=(day.device.name,)))
    # An older agent does not say how far its chain goes: no later entry would ever show what is missing.
    upto = day.device.hold_no
    books.take(day.device, statement=v1.Statement(upto_hold_no=upto, open=()))
    assert books.record(day.open_before).state == "HELD"
    books.take(day.device, still_open=())
    assert books.record(day.open_before).state == "HELD"
    with reading(books.engine) as connection:
        found = gaps(connection, day.device.name)
    assert (found.whole_to, found.missing) == (1, ((2, len(day.entries)),))
    books.take(day.device, *day.entries, still_open=())
    assert books.record(day.open_before).state == "PAYABLE"
    books.close()


def test_a_return_that_ends_before_its_sale_is_reported_again_is_taken_once_the_sale_is(day, tmp_path):
    """Night seed 529: the refund's answer came while the restored books knew nothing of the sale."""
    sold = day.sell(8)
    day.report(day.device.returning(promised(sold)))
    books = day.restored()
    ended = day.device.chain(day.device.returned(promised(sold)))
    subject = f"{day.device.name}/1/{day.device.seq}"
    assert books.take(day.device, ended, still_open=open_now(day)) == ["quarantined"]
    assert books.differences(subject) == ["entry_quarantined"]
    with reading(books.engine) as connection:
        assert gaps(connection, day.device.name).quarantined == (day.device.seq,)
    # The shop reports again, the entry too; then once more, where it is a repeat.
    acks = books.take(day.device, *day.entries, ended, still_open=open_now(day))
    assert acks[-1] == "accepted"
    assert books.take(day.device, ended, still_open=open_now(day)) == ["repeat"]
    assert books.record(sold).state == "RETURNED"
    assert books.money() == {"payable": 3 * GRANT_FEN}
    assert books.differences(subject) == []
    with reading(books.engine) as connection:
        assert gaps(connection, day.device.name).quarantined == ()
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()
    books.close()


def test_a_hold_that_is_open_at_the_shop_only_does_not_bind_the_pool_until_it_is_paid(day):
    books = day.restored()
    held = books.money()["held"]
    books.take(day.device, still_open=(*books.open_of(day.device), *open_now(day)))
    assert books.money()["held"] == held
    books.close()


def test_serial_numbers_come_back_and_quota_does_not(day):
    """A promise names no person: what the page for operations says of quotas after a restore."""
    books = day.restored()
    books.take(day.device, *day.entries, still_open=open_now(day))
    old, new = books.record(day.before), books.record(day.sold)
    assert books.row(Serial, new.brand, new.serial_no).taken_by == new.record_id
    assert old.person
    assert (new.person, new.qualification) == ("", "")
    assert books.row(Quota, old.person, "FRIDGE", 2026).used == 1
    qualification = books.centre.keys.qualification_index("TRAIN-FRIDGE-0002")
    assert books.row(Qualification, qualification).used_by is None
    # So that person may buy again, and the goods may not be sold again.
    assert books.hold(day.device, person=2)
    assert "SERIAL_ALREADY_SUBSIDISED" in books.refusals(day.device, person=7, item=promised(day.sold).item)
    books.close()


def test_a_host_enrolled_after_the_backup_is_not_known_any_more(day):
    books = day.restored()
    assert books.sql_rows("SELECT count(*) FROM device") == [(1,)]
    assert books.device(day.device).frozen is None
    books.close()


def test_the_centre_says_that_it_was_restored_until_somebody_settles_it(day):
    books = day.restored()
    item = books.row(Difference, "the books", "restored")
    assert item.closed_ms is None
    assert item.owner
    assert "what came after event" in item.detail
    assert "settlement restored --reference" in item.next_step
    (audited,) = books.sql_rows("SELECT via, outcome FROM audit_entry WHERE what = 'restore'")
    assert audited == ("os", "done")
    marks = dict(books.sql_rows("SELECT name, value FROM meta WHERE name LIKE 'restored%'"))
    last = books.sql_rows("SELECT max(event_no) FROM event WHERE kind <> 'restored'")[0][0]
    assert int(marks["restored_from_event_no"]) == last
    assert int(marks["restored_at_ms"]) > 0
    assert item.detail in started(day)
    day.shell.run("restored", "--reference", "minutes", "--dry-run", exit_code=6)
    assert f"{day.device.name} of S0031 has not been heard since" in day.shell.stderr
    settle = ("restored", "--reference", "minutes of the meeting", "--gone", day.device.name)
    day.shell.json(*settle, "--people-checked")
    assert books.differences("the books") == []
    assert item.detail not in started(day)
    books.close()


def started(day):
    """Start the service, return what it prints and logs at first, and stop it."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from settlement.cli import main; main()",
            *("serve", "--json", "--config", str(day.shell.file)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    process.terminate()
    out, log = process.communicate(timeout=30)
    said = json.loads(line)
    warned = [json.loads(one) for one in log.splitlines() if '"books.restored"' in one]
    assert ("restored" in said) == bool(warned)
    return said.get("restored", "") + out


def test_two_services_may_serve_and_a_move_may_not_begin(day, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from settlement.cli import main; main()",
            *("serve", "--json", "--config", str(day.shell.file)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    process.stdout.readline()
    day.shell.run("move", "--to", str(tmp_path / "new.sqlite3"), exit_code=6)
    assert "a service works on them. Stop it first" in day.shell.stderr
    process.terminate()
    process.communicate(timeout=30)
    day.shell.run("move", "--to", str(tmp_path / "new.sqlite3"))
