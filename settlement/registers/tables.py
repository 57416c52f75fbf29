"""What does a register's database hold?

`taken` has a line for each record that has taken something: a quota of a person in a category and year, or a
serial number of a brand. How often something is taken is how many lines name it. A line that still asks has
the turn in which it was written; the programme's own books say whether that turn counts.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

metadata = MetaData()
VERSION = "1"

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
# PostgreSQL compares texts byte by byte, as SQLite and Python do.
_WORDS = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, *, primary_key: bool = False) -> Column[object]:
    return Column(name, _WORDS, nullable=False, primary_key=primary_key)


def _number(name: str) -> Column[object]:
    return Column(name, _NUMBER, nullable=False)


# `register_id`, by which a register is known wherever it lies, and `version` of these tables.
register_meta = Table(
    "register_meta", metadata, _text("name", primary_key=True), _text("value"), sqlite_strict=True
)
# Which registers lie here. `key_check` tells the key of a person register from another one.
register = Table(
    "register",
    metadata,
    _text("kind", primary_key=True),
    _text("scope"),
    _text("key_check"),
    sqlite_strict=True,
)
# Who uses them: `books` is the one database of a programme, `settled_turn` the newest turn that it knew of.
programme = Table(
    "programme",
    metadata,
    _text("programme", primary_key=True),
    _text("books"),
    _number("settled_turn"),
    _number("entered_ms"),
    sqlite_strict=True,
)
# Every register that those programmes use, here or elsewhere: by it overlapping scopes are found.
used_register = Table(
    "used_register",
    metadata,
    _text("programme", primary_key=True),
    _text("kind", primary_key=True),
    _text("scope"),
    _text("register_id"),
    sqlite_strict=True,
)
taken = Table(
    "taken",
    metadata,
    _text("kind", primary_key=True),
    _text("programme", primary_key=True),
    _text("record_id", primary_key=True),
    _text("what"),
    _number("asking"),
    Index("taken_what", "kind", "what"),
    sqlite_strict=True,
)
Index(
    "taken_asking",
    taken.c.programme,
    sqlite_where=taken.c.asking != 0,
    postgresql_where=taken.c.asking != 0,
)
# One row: whoever writes takes it first, as in a programme's own database. `batch_no` is the turn.
writer = Table(
    "writer",
    metadata,
    Column("one", _NUMBER, primary_key=True, autoincrement=False),
    _number("epoch"),
    _number("batch_no"),
    sqlite_strict=True,
)
