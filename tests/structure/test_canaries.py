"""Would the look that follows every test see a card, track or payment code that was left?"""

import canaries
import pysqlite3.dbapi2 as sqlite
import pytest

plants_canaries = "to see them found"

CARD = "6299998473651209384"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"sold to {CARD}".encode(), ["a card number"]),
        (bytes.fromhex(f"19{CARD}0"), ["a card number, packed"]),
        (bytes.fromhex(f"196{CARD}"), ["a card number, packed"]),
        (f";{CARD}=30125201000000000000?".encode(), ["a card number", "a track"]),
        (b"13" + canaries.IN_EVERY_CODE.encode() + b"00000017", ["a payment code"]),
        (b"629999*********9384 in 2026-03-01, trace 000042", []),
    ],
)
def test_what_stands_in_bytes_is_told(content, said):
    assert sorted(set(canaries.in_bytes(content))) == said


@pytest.mark.parametrize("name", ["journal.db", "journal.0001.box", "EMU00001.trace", "agent.log"])
def test_our_own_files_are_looked_at_wherever_they_are(tmp_path, name):
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / name
    file.write_bytes(b"x" * 5000 + CARD.encode())
    assert canaries.left_in([tmp_path]) == [f"{file}: a card number"]


def test_what_is_committed_and_not_yet_in_the_database_is_looked_at_too(tmp_path):
    db = sqlite.connect(tmp_path / "centre.sqlite3")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE note (text)")
    db.execute("INSERT INTO note VALUES (?)", (CARD,))
    db.commit()
    assert canaries.left_in([tmp_path]) == [f"{tmp_path / 'centre.sqlite3-wal'}: a card number"]
    db.close()


def test_the_other_sides_own_files_are_let_be(tmp_path):
    (tmp_path / "acquirer-books.jsonl").write_text(CARD)
    assert canaries.left_in([tmp_path]) == []


@pytest.mark.parametrize(("first", "length"), [("13", 18), ("28", 18), ("62", 19)])
def test_a_payment_code_is_new_each_time_and_of_its_wallets_shape(first, length):
    codes = {canaries.payment_code(first, length) for _ in range(100)}
    assert len(codes) == 100
    assert all(code.startswith(first) and code.isdigit() and len(code) == length for code in codes)
