"""Is what is saved, while the service works, what the books were, and does it come back?"""

import json
import re
import shutil
import threading
from pathlib import Path

import pytest
import reference_data as reference
from centre import APPROVER, PROPOSER

from settlement.copies.dump import content
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Sqlite
from settlement.people import sessions, tokens, users
from settlement.system import random_bytes, wall_ms


@pytest.fixture
def saved(shell, tmp_path):
    """Return the file of a backup."""
    return Path(shell.json("backup", str(tmp_path / "saved.sqlite3"))["file"])


def paper(saved):
    """Return a backup's manifest."""
    return saved.with_name(f"{saved.name}.manifest.json")


def restore(shell, saved, into, exit_code=4):
    """Restore a backup and return what was said."""
    return shell.run("restore", str(saved), "--into", str(into), exit_code=exit_code) + shell.stderr


def content_of(engine):
    """Return what books hold."""
    with reading(engine) as connection:
        return content(connection)


def test_a_backup_is_one_file_with_a_manifest_readable_by_its_user_only(books, shell, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    before = content_of(books.engine)
    said = shell.json("backup", str(folder))
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2
    assert names[0].startswith("TRAINING-20")
    assert names[1] == f"{names[0]}.manifest.json"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    manifest = json.loads((folder / names[1]).read_text())
    assert manifest == said["manifest"]
    assert manifest["books"]["content"]["sha256"] == before.sha256
    assert manifest["books"]["events"] == books.sql_rows("SELECT count(*) FROM event")[0][0]
    assert sum(manifest["books"]["balances_fen"].values()) == 0
    assert "keys are not in it" in shell.run("backup", str(folder / "again.sqlite3"))


def test_no_key_and_nothing_personal_is_in_a_backup(books, shell, saved, tmp_path):
    raw = saved.read_bytes() + paper(saved).read_bytes()
    for key in (tmp_path / "keys").iterdir():
        text = key.read_text().strip()
        assert text.encode() not in raw
        assert bytes.fromhex(text) not in raw
    for person in range(12):
        assert reference.code(person).encode() not in raw
        assert reference.identity_no(person).encode() not in raw


def test_a_backup_is_never_written_over(shell, saved):
    before = saved.read_bytes()
    assert "never written over" in shell.run("backup", str(saved), exit_code=6) + shell.stderr
    assert saved.read_bytes() == before


def test_a_backup_beside_a_busy_writer_is_one_state_of_the_books(books, shell, tmp_path):
    device, stop = books.enrol("third"), threading.Event()

    def report():
        while not stop.is_set():
            books.take(device)

    reporting = threading.Thread(target=report)
    reporting.start()
    try:
        files = [shell.json("backup", str(tmp_path / f"{number}.sqlite3"))["file"] for number in range(3)]
    finally:
        stop.set()
        reporting.join()
    events = []
    for file in files:
        into = f"{file}.restored"
        found = shell.json("restore", file, "--into", into, exit_code=4)["manifest"]["books"]
        events.append(found["events"])
        assert shell.json("ledger", "rebuild", "--set", f"database={into}")["same"]
    assert events == sorted(set(events))


def test_a_full_disk_leaves_nothing(books, shell, tmp_path, monkeypatch):
    def full(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("settlement.copies.files._to_disk", full)
    folder = tmp_path / "full"
    out = shell.run("backup", str(folder / "one.sqlite3"), exit_code=5) + shell.stderr
    assert "No space left on device" in out
    assert list(folder.iterdir()) == []


def test_a_restore_gives_back_what_was_saved_and_knows_that_it_is_one(books, shell, saved, tmp_path):
    before = content_of(books.engine)
    into = tmp_path / "restored.sqlite3"
    shell.json("restore", str(saved), "--into", str(into), exit_code=4)
    assert sorted(tmp_path.glob("restored.sqlite3*")) == [into]
    after = content_of(engine_on(Sqlite(into)))
    # That a backup was made stands in the audit behind it.
    assert before.differs_from(after) == ["audit_entry", "difference", "event", "meta"]
    there = ("--set", f"database={into}")
    assert shell.json("ledger", "rebuild", *there)["same"]
    assert shell.json("ledger", "verify", *there)["true"]
    shell.run("restored", "--reference", "", "--people-checked", *there, exit_code=2)
    shell.run("restored", "--reference", "minutes 1", *there, exit_code=6)
    silent = re.findall(r"(\w+) of S0031 has not been heard since", shell.stderr)
    settle = ("restored", "--reference", "minutes 1", *(f"--gone={one}" for one in silent), *there)
    settle = (*settle, "--people-checked")
    for is_dry in (True, False):
        said = shell.json(*settle, *(("--dry-run",) if is_dry else ()))
        assert (said["settled"], said["dry_run"]) == ("minutes 1", is_dry)
    shell.run("restored", "--reference", "minutes 2", *there, exit_code=6)
    assert "Nothing is to be done" in shell.stderr
    assert shell.json("ledger", "rebuild", *there)["same"]


def whoever_may_act(said):
    """Return the names of people with their roles, and of tokens, of a document."""
    people = {one["name"]: one["roles"] for one in said["people"]}
    return people, [(one["name"], one["label"]) for one in said["tokens"]]


def test_a_restore_ends_sessions_and_names_whoever_may_act_again_until_somebody_has_looked(
    books, shell, tmp_path
):
    now_ms = wall_ms()
    with writing(books.engine) as connection:
        tokens.make(connection, APPROVER, "revoked before", random_bytes, "li", now_ms)
        tokens.revoke(connection, APPROVER, "revoked before", now_ms)
        tokens.make(connection, APPROVER, "ended before", random_bytes, "li", now_ms, now_ms)
        session = sessions.begin(connection, APPROVER, random_bytes, now_ms)
    assert sessions.who_is(books.engine, session, now_ms)
    file = shell.json("backup", str(tmp_path / "saved.sqlite3"))["file"]
    with writing(books.engine) as connection:
        tokens.revoke(connection, PROPOSER, "tests", now_ms)
        users.disable(connection, APPROVER, "tests", now_ms)
    into = tmp_path / "restored.sqlite3"
    restored = shell.json("restore", file, "--into", str(into), exit_code=4)
    people, standing = whoever_may_act(restored["may_act_again"])
    assert people == {APPROVER: ["approver"], PROPOSER: ["operations"]}
    assert standing == [(APPROVER, "tests"), (PROPOSER, "tests")]
    assert sessions.who_is(engine_on(Sqlite(into)), session, now_ms) is None
    told = shell.run("restore", file, "--into", str(tmp_path / "once more.sqlite3"), exit_code=4)
    assert f"{APPROVER} (human): approver" in told
    assert f"token tests of {PROPOSER}" in told

    there = ("--set", f"database={into}")
    settle = ["restored", "--reference", "minutes", *there]
    shell.run(*settle, exit_code=6)
    settle += [
        f"--gone={one}" for one in re.findall(r"(\w+) of S0031 has not been heard since", shell.stderr)
    ]
    shell.run(*settle, exit_code=6)
    for one in (f"{APPROVER} (human): approver", f"token tests of {PROPOSER}", "--people-checked"):
        assert one in shell.stderr
    # Somebody looks, and takes away again what had been taken.
    with writing(engine_on(Sqlite(into))) as connection:
        users.disable(connection, APPROVER, "tests", now_ms)
    people, standing = whoever_may_act(shell.json(*settle, "--people-checked")["may_act"])
    assert APPROVER not in people
    assert (APPROVER, "tests") not in standing


def test_a_dry_run_restores_nothing(shell, saved, tmp_path):
    shell.json("restore", str(saved), "--into", str(tmp_path / "new.sqlite3"), "--dry-run")
    assert not (tmp_path / "new.sqlite3").exists()


def damaged(saved):
    raw = bytearray(saved.read_bytes())
    raw[5_000] ^= 1
    saved.write_bytes(raw)


def cut_off(saved):
    saved.write_bytes(saved.read_bytes()[:-1])


def without_manifest(saved):
    paper(saved).unlink()


def with_no_manifest_at_all(saved):
    paper(saved).write_text("{}")


def of_another_programme(saved):
    paper(saved).write_text(paper(saved).read_text().replace('"TRAINING"', '"JS-321200"'))


def of_another_version(saved):
    document = json.loads(paper(saved).read_text())
    document["books"]["revision"] = "0001"
    paper(saved).write_text(json.dumps(document))


def with_a_table_that_differs(saved):
    document = json.loads(paper(saved).read_text())
    document["books"]["content"]["tables"][3]["sha256"] = "0" * 64
    paper(saved).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damaged, "it was damaged"),
        (cut_off, "it was damaged"),
        (with_no_manifest_at_all, "is no manifest"),
        (without_manifest, "was never finished"),
        (of_another_programme, "is of programme JS-321200"),
        (of_another_version, "tables of version 0001"),
        (with_a_table_that_differs, "is not what was saved"),
    ],
)
def test_a_backup_that_is_not_what_it_was_is_not_restored(shell, saved, tmp_path, spoil, says):
    spoil(saved)
    into = tmp_path / "restored.sqlite3"
    assert says in restore(shell, saved, into, exit_code=6)
    assert list(tmp_path.glob("restored.sqlite3*")) == []


def test_other_keys_are_noticed_before_anything_is_restored(shell, saved, tmp_path):
    (tmp_path / "keys/index.key").write_text("ab" * 32 + "\n")
    into = tmp_path / "restored.sqlite3"
    assert "Put the saved keys into the folder" in restore(shell, saved, into, exit_code=6)
    assert not into.exists()


def test_nothing_is_restored_over_books_or_beside_an_old_log(books, shell, saved, tmp_path):
    live = tmp_path / "centre.sqlite3"
    before = books.state_hash()
    assert "written over books" in restore(shell, saved, live, exit_code=6)
    assert books.state_hash() == before
    into = tmp_path / "restored.sqlite3"
    shutil.copy(saved, f"{into}-wal")
    assert "move it away" in restore(shell, saved, into, exit_code=6)
    assert not into.exists()


def test_a_small_restored_database_may_be_empty_before(shell, saved, tmp_path):
    into = tmp_path / "empty.sqlite3"
    into.touch()
    restore(shell, saved, into)
    assert shell.json("ledger", "verify", "--set", f"database={into}")["true"]
