"""How does an operator make a centre?"""

from typing import Annotated, Any

import typer

from settlement.cli_people import said
from settlement.config import Settings, read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, run
from settlement.db.connection import engine_on, writing
from settlement.db.place import Place, Postgres
from settlement.db.rights import is_role_name, is_there, let_in
from settlement.people import audit
from settlement.people.credentials import name_of_account
from settlement.people.first import first_token
from settlement.set_up import look_first, set_up
from settlement.system import random_bytes


def init(
    config: Config,
    set_: Set = None,
    json: Json = False,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make another API token.")] = False,
    database: Annotated[
        str | None, typer.Option("--database", help="A file or postgresql:// URL over the configured one.")
    ] = None,
    service_role: Annotated[
        str | None, typer.Option("--service-role", help="PostgreSQL: the role that the service runs as.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make the database, the keys and the first API token, which is shown once. Safe to repeat.

    Example:

        settlement init --config settlement.yaml
    """

    def work() -> Shown:
        overrides = [*(set_ or ()), *([f"database={database}"] if database is not None else [])]
        settings = read_settings(config, overrides).settings
        _check_role(settings.database, service_role)
        if dry_run:
            look_first(settings)
            return Shown(_document(settings, None, None, dry_run), _would_be(settings))
        centre = set_up(settings)
        if service_role is not None:
            let_in(centre.engine, service_role)
        with writing(centre.engine) as connection:
            token = first_token(connection, random_bytes, centre.now_ms(), again=new_token)
            audit.write(connection, centre.now_ms(), name_of_account(), "os", "init", "", "done")
        settings = centre.settings
        document = _document(settings, centre.keys.kid, token, dry_run)
        lines = [
            f"programme  {settings.programme}",
            f"database   {settings.database}",
            f"keys       {settings.keys} (current {centre.keys.kid}); back them up apart from the database",
            f"API token  {token} (shown this once)"
            if token
            else "API token  made before; --new-token makes one",
            "next       settlement import shops FILE, then settlement serve",
        ]
        return Shown(document, lines)

    run(work, json)


def _document(settings: Settings, key_id: str | None, token: str | None, dry_run: bool) -> dict[str, Any]:
    return {
        "programme": settings.programme,
        "database": str(settings.database),
        "keys": str(settings.keys),
        "key_id": key_id,
        "api_token": token,
        "dry_run": dry_run,
    }


def _would_be(settings: Settings) -> list[str]:
    made = f"the books of {settings.programme} in {settings.database}, its keys in {settings.keys}"
    return said(f"{made}, as far as they are not there", dry_run=True)


def _check_role(place: Place, role: str | None) -> None:
    if role is None:
        return
    if not isinstance(place, Postgres):
        raise Refused("only a database on a PostgreSQL server has roles. Leave --service-role out", 2)
    if not is_role_name(role):
        raise Refused("--service-role: write small letters, digits and _, as in settlement", 2)
    engine = engine_on(place)
    try:
        if not is_there(engine, role):
            raise Refused(f"--service-role: the server has no role {role}. Make it with createuser", 2)
    finally:
        engine.dispose()
