"""Which commands make the registers that programmes share, and show what is in them?"""

from typing import Any

import typer
from sqlalchemy import func, select

from settlement.app import open_centre
from settlement.config import read_settings
from settlement.console import Config, Json, Refused, Set, Shown, TokenFile, run
from settlement.db import tables as books_tables
from settlement.db.connection import reading
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.registers.config import RegisterPlace
from settlement.registers.database import make_register
from settlement.registers.shared import RegisterDatabase
from settlement.registers.tables import programme, taken
from settlement.system import random_bytes

registers = typer.Typer(help="What must be unique more widely than a programme.", no_args_is_help=True)


@registers.command("init")
def init(config: Config, set_: Set = None, json: Json = False) -> None:
    """Make the registers that the configuration names, and the key of persons. Safe to repeat.

    On a second machine copy that key there first: a register that is there is only looked at.

    Example:

        settlement register init --config settlement.yaml
    """

    def work() -> Shown:
        settings = read_settings(config, set_ or ()).settings
        if not settings.registers.places:
            raise Refused(f"{config} names no registers. Add `registers:`, as in the example file", 2)
        made = [(place, make_register(place, random_bytes)) for place in settings.registers]
        document = {
            "registers": [
                {
                    "kind": place.kind,
                    "scope": one.scope,
                    "register_id": one.register_id,
                    "database": str(place.database),
                    "key": None if place.key is None else str(place.key),
                }
                for place, one in made
            ]
        }
        lines = [f"{place.kind:<8}{one.scope}  {one.register_id}  {place.database}" for place, one in made]
        lines += [_about_key(place) for place, _ in made if place.key is not None]
        return Shown(document, [*lines, "next    settlement init"])

    run(work, json)


@registers.command("show")
def show(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Print each register: its programmes, what is taken, and what it is still to be told.

    Exit 4 when something waits to be told.

    Example:

        settlement register show --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with centre.acting(Task(Permission.READ_BOOKS, "register show"), token_file):
            with reading(centre.engine) as connection:
                waiting = connection.execute(
                    select(func.count()).select_from(books_tables.freed)
                ).scalar_one()
            databases = [] if centre.registers is None else centre.registers.databases
            found = [(database, _counts(database)) for database in databases]
        document = {
            "databases": [
                {
                    "database": str(database.place),
                    "register_id": database.register_id,
                    "kinds": database.kinds,
                    "programmes": counts,
                }
                for database, counts in found
            ],
            "waiting": waiting,
        }
        lines = ["no register is shared: the programme is its own"] if not found else []
        for database, counts in found:
            lines.append(f"{database.register_id}  {', '.join(database.kinds)}  {database.place}")
            lines += [f"  {one['programme']:<16}{one['kind']:<8}{one['taken']:>10} taken" for one in counts]
        if waiting:
            lines.append(f"{waiting} to be told; `settlement serve` does it when the register can be asked")
        return Shown(document, lines, 4 if waiting else 0)

    run(work, json)


def _counts(database: RegisterDatabase) -> list[dict[str, Any]]:
    """Return how much each programme has taken of each kind."""
    with database.asked(), reading(database.engine()) as connection:
        database.check(connection)
        names = connection.execute(select(programme.c.programme).order_by(programme.c.programme)).scalars()
        by_kind = connection.execute(
            select(taken.c.programme, taken.c.kind, func.count()).group_by(taken.c.programme, taken.c.kind)
        )
        counted = {(str(name), str(kind)): int(count) for name, kind, count in by_kind}
        return [
            {"programme": name, "kind": kind, "taken": counted.get((name, kind), 0)}
            for name in names
            for kind in database.kinds
        ]


def _about_key(place: RegisterPlace) -> str:
    return f"key     {place.key}; copy it to each programme of {place.scope}; back it up apart from databases"
