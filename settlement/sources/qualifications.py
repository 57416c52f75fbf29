"""What is in a file of qualifications?

`qualifications.csv`: who may have one item of a category subsidised, under which code.

    qualification_code,id_no,category,valid_from,valid_until
    TRAINING-0001,321202199003070013,FRIDGE,2026-01-01,2026-12-31

- qualification_code: 1 to 64 letters, digits and marks; what the shopper shows at the till.
- id_no: the person's identity number (GB 11643).
- category: a category of the programme's pack.
- valid_from, valid_until: the first and the last day, both included, in Shanghai.

Neither code nor number is stored: both become blind indexes under the centre's key, and no error
shows them. A row replaces the one with the same code, unless that code holds or has used a grant:
then its person and category stay for good. Delete the file after the import.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from settlement.keys import Keys
from settlement.sources import cells, take_in
from settlement.sources.csv_rows import Errors, read_rows
from settlement.sources.take_in import Look, Plan, Puts
from settlement.writer.batch import Rows
from settlement.writer.rows import Qualification
from subsidy.codes import resident_id

_DAY = datetime.timedelta(days=1)


def read_qualifications(
    raw: bytes,
    file: str,
    keys: Keys,
    categories: Collection[str],
    today: datetime.date,
) -> Look:
    """Return what the file's bytes say, to be taken in. Raises FileErrors, and the look does.

    Args:
        raw: the file's bytes.
        file: the name that errors show.
        keys: the centre's, for the blind indexes.
        categories: those of the programme's pack.
        today: nobody is born after it.
    """
    errors = Errors(file)
    columns = {
        "qualification_code": lambda cell: keys.qualification_index(cells.code(cell)),
        "id_no": lambda cell: keys.person_index(resident_id.read(cell, today)),
        "category": cells.category,
        "valid_from": cells.day,
        "valid_until": cells.day,
    }
    rows = read_rows(raw, errors, columns, key=("qualification_code",))
    for row in rows:
        if row.values["category"] not in categories:
            errors.add(
                row.line,
                "category",
                "not a category of the programme",
                f"One of: {', '.join(sorted(categories))}",
            )
        if row.values["valid_until"] < row.values["valid_from"]:
            errors.add(row.line, "valid_until", "before valid_from", "Write the last day of validity")
    wanted = [_Wanted(row.line, _qualification(row.values)) for row in rows]

    def look(connection: Connection) -> Plan:
        kept, existing = _kept(connection, wanted, errors)
        changed = [
            one
            for one, row in zip(wanted, kept, strict=True)
            if existing.get(Qualification, row.qualification) not in (None, row)
        ]
        plan = take_in.plan_of("qualifications", kept, existing)

        def again(connection: Connection) -> Puts:
            return take_in.puts(_kept(connection, changed, errors)[0], is_new=False)

        return replace(plan, again=again) if changed else plan

    return look


class _Wanted(msgspec.Struct, frozen=True):
    """What a line asks for."""

    line: int
    row: Qualification


def _kept(
    connection: Connection, wanted: Sequence[_Wanted], errors: Errors
) -> tuple[list[Qualification], Rows]:
    """Return the rows as they can be, beside what the books hold. Raises FileErrors."""
    existing = take_in.load_existing(connection, [one.row for one in wanted])
    kept = [_keep_used(one, existing, errors) for one in wanted]
    errors.stop_if_any()
    return kept, existing


def _qualification(values: dict[str, Any]) -> Qualification:
    return Qualification(
        qualification=values["qualification_code"],
        person=values["id_no"],
        category=values["category"],
        valid_from_ms=cells.start_ms(values["valid_from"]),
        valid_until_ms=cells.start_ms(values["valid_until"] + _DAY),
        used_by=None,
    )


def _keep_used(one: _Wanted, existing: Rows, errors: Errors) -> Qualification:
    wanted = one.row
    before = existing.get(Qualification, wanted.qualification)
    if before is None or before.used_by is None:
        return wanted
    for column, then, now in (
        ("id_no", before.person, wanted.person),
        ("category", before.category, wanted.category),
    ):
        if then != now:
            errors.add(one.line, column, "the code is used, and by another", "Give a new code")
    return Qualification(
        wanted.qualification,
        before.person,
        before.category,
        wanted.valid_from_ms,
        wanted.valid_until_ms,
        before.used_by,
    )
