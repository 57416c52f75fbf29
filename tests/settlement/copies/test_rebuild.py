"""Is whatever is done to the books behind the application's back found, and named?"""

import json
import os
import subprocess
import sys

import pytest
from busy_books import keep_busy

from settlement.copies.books import ALL, FOLDED, GIVEN, LOG, POSTINGS
from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.writer.events import kinds


def tampered(books, *statements):
    """Run statements that the database would refuse, had its triggers not been taken away."""
    for (name,) in books.sql_rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        books.sql(f"DROP TRIGGER {name}")
    for one in statements:
        books.sql(one)


def found(shell):
    """Return what the rebuild says of books that are not what their events make."""
    out = shell.json("ledger", "rebuild", "--check", exit_code=1)
    assert out["same"] is False
    return "\n".join(out["faults"])


def number_of(books, kind):
    """Return the number of the first event of a kind."""
    ((number,),) = books.sql_rows(f"SELECT min(event_no) FROM event WHERE kind = '{kind}'")
    return number


def test_busy_books_are_busy(books, device):
    seen = {kind for (kind,) in books.sql_rows("SELECT DISTINCT kind FROM event")}
    rare = {
        "entry_forked",
        "line_blocked",
        "night_difference_found",
        "night_difference_settled",
        "record_recovered",
        "recovery_merged",
    }
    # Others may have been added since: these were there when this was written.
    assert len(seen) >= 24
    assert seen <= kinds().keys()
    assert not seen & rare


def test_books_are_what_their_events_make(any_books, tmp_path):
    keep_busy(any_books)
    scratch = open_scratch(tmp_path / "anew.sqlite3")
    with reading(any_books.engine) as connection:
        done = rebuild(connection, scratch)
        assert list(any_books.sql_rows("SELECT count(*) FROM event")) == [(done.folded.events,)]
    assert done.faults == ()
    assert done.books == done.anew
    assert done.folded.is_whole


def test_an_edited_event_is_named(books, shell):
    number = number_of(books, "upload_taken")
    # A blank: nothing that is folded depends on it, only the chain knows.
    edited = "replace(body, '\"upload_no\"', '\"upload_no\" ')"
    tampered(books, f"UPDATE event SET body = {edited} WHERE event_no = {number}")
    assert f"event {number} (upload_taken) is not what was written there" in found(shell)


def test_an_edited_amount_is_named_where_it_was_posted_too(books, shell):
    number = number_of(books, "topped_up")
    tampered(books, "UPDATE event SET body = replace(body, '85000000', '86000000') WHERE kind = 'topped_up'")
    said = found(shell)
    assert f"event {number} (topped_up) is not what was written there" in said
    assert f"posting {number}: what was posted is not what the event posts" in said
    assert "balance central/available/2026/ differs in fen" in said


def test_an_event_taken_out_is_named(books, shell):
    number = number_of(books, "upload_taken")
    tampered(books, f"DELETE FROM event WHERE event_no = {number}")
    assert f"event {number} is not there" in found(shell)


def test_the_last_event_taken_out_leaves_rows_that_nothing_has_made(books, shell):
    ((number, kind),) = books.sql_rows("SELECT event_no, kind FROM event ORDER BY event_no DESC LIMIT 1")
    assert kind == "device_frozen"
    tampered(books, f"DELETE FROM event WHERE event_no = {number}")
    said = found(shell)
    assert "differs in frozen" in said
    assert "device_frozen is in these books only" in said


def test_two_events_that_changed_places_are_named(books, shell):
    first, second = (
        number
        for (number,) in books.sql_rows("SELECT event_no FROM event WHERE kind = 'hold_placed' LIMIT 2")
    )
    tampered(
        books,
        f"UPDATE event SET event_no = -1 WHERE event_no = {first}",
        f"UPDATE event SET event_no = {first} WHERE event_no = {second}",
        f"UPDATE event SET event_no = {second} WHERE event_no = -1",
    )
    assert f"event {first} (hold_placed) is not what was written there" in found(shell)


def test_an_event_put_in_is_named(books, shell):
    tampered(
        books,
        "INSERT INTO event SELECT event_no + 1, at_ms, kind, body, record_id, hash FROM event "
        "WHERE event_no = (SELECT max(event_no) FROM event)",
    )
    ((last,),) = books.sql_rows("SELECT max(event_no) FROM event")
    assert f"event {last} (device_frozen) is not what was written there" in found(shell)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('\'{"type":"nothing"}\'', "cannot be read"),
        ("'not JSON'", "cannot be read"),
        ("replace(body, '85000000', '-5')", "cannot have happened then"),
    ],
)
def test_an_event_that_cannot_be_stops_it_there(books, shell, body, says):
    tampered(books, f"UPDATE event SET body = {body} WHERE kind = 'topped_up'")
    said = found(shell)
    assert says in said
    # What follows from it would all be wrong: it is not listed.
    assert "differs in" not in said


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ("UPDATE record SET merchant = 'M002' WHERE state = 'PAID_OUT'", "differs in merchant"),
        ("UPDATE qualification SET used_by = NULL", "differs in used_by"),
        ("UPDATE quota SET used = 0", "differs in used"),
        ("DELETE FROM difference", "is not in these books"),
        ("INSERT INTO closed_year VALUES (2025, 1)", "closed_year 2025 is in these books only"),
        ("UPDATE entry_row SET body = x'00'", "differs in body"),
        ("UPDATE claim_line SET fen = fen + 1", "differs in fen"),
    ],
)
def test_an_edited_row_is_named(books, shell, edit, says):
    books.check()
    tampered(books, edit)
    assert says in found(shell)


def test_an_edited_balance_is_named(books, shell):
    tampered(
        books,
        "UPDATE balance SET fen = fen + 1 WHERE funder = 'city' AND account = 'available'",
        "UPDATE balance SET fen = fen - 1 WHERE funder = 'city' AND account = 'payable'",
    )
    said = found(shell)
    assert "balance city/available/2026/ differs in fen" in said
    assert "its postings add up to" in said


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE posting SET fen = fen * 2 WHERE event_no = 5",
        "DELETE FROM posting WHERE line > 1",
        "INSERT INTO posting SELECT event_no + 1000, line, happening, funder, account, year, fen, pool "
        "FROM posting",
    ],
)
def test_edited_postings_are_named(books, shell, edit):
    tampered(books, edit)
    assert "posting " in found(shell)


def test_books_made_anew_take_the_place_of_spoilt_ones(books, shell, tmp_path):
    before = shell.json("ledger", "rebuild")["sha256"]
    tampered(books, "UPDATE record SET subsidy_fen = 1", "UPDATE posting SET fen = fen * 2")
    new = tmp_path / "anew.sqlite3"
    said = shell.json("ledger", "rebuild", "--into", str(new), exit_code=1)
    assert said["sha256_anew"] == before
    anew = ("--set", f"database={new}")
    assert shell.json("ledger", "rebuild", *anew)["sha256"] == before
    assert shell.json("ledger", "verify", *anew)["true"]


def test_nothing_is_written_over_books(books, shell):
    before = books.state_hash()
    out = shell.run("ledger", "rebuild", "--into", str(shell.folder / "centre.sqlite3"), exit_code=6)
    assert "Nothing is ever written over books" in out + shell.stderr
    assert books.state_hash() == before


def test_every_table_is_of_the_log_or_folded_or_given():
    names = [table.name for table in (LOG, POSTINGS, *FOLDED, *GIVEN)]
    assert sorted(names) == sorted(set(names)) == [table.name for table in ALL]
    assert {"merchant", "user_token", "audit_entry", "meta", "channel_line"} <= {
        table.name for table in GIVEN
    }


def test_the_hash_is_the_same_whatever_the_process(books, shell, tmp_path):
    said = set()
    for environment in (
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns"},
        {"PYTHONHASHSEED": "3", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
        {"PYTHONHASHSEED": "3", "LC_ALL": "C", "PYTHONUTF8": "0"},
    ):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from settlement.cli import main; main()",
                *("ledger", "rebuild", "--json", "--config", str(shell.file)),
            ],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        said.add((document["sha256"], document["head"], document["events"]))
    assert len(said) == 1
