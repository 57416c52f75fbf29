"""How does an operator let a shop's host become a device?"""

from typing import Annotated

import typer

from settlement.app import open_centre
from settlement.cli_people import said
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import writing
from settlement.devices.make_code import make_code
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.system import random_bytes
from subsidy import calendar


def enrol_code(
    config: Config,
    shop: Annotated[str, typer.Option(help="The shop's id.")],
    valid_minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long it counts.")] = 15,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make a one-time code that enrols one host of a shop. It is shown once.

    Example:

        settlement enrol-code --config settlement.yaml --shop S0031
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with centre.acting(Task(Permission.RUN, "enrol-code", shop, dry_run), token_file):
            with writing(centre.engine) as connection:
                made = make_code(
                    connection, shop, centre.keys.kid, valid_minutes * 60_000, random_bytes, centre.now_ms()
                )
                if dry_run:
                    connection.rollback()
            if made is None:
                raise Refused(f"there is no shop {shop}. Import it with `settlement import shops FILE`", 2)
        until = calendar.from_ms(made.expires_ms).isoformat(timespec="seconds")
        document = {
            "code": None if dry_run else made.code,
            "shop": made.shop,
            "expires_at": until,
            "dry_run": dry_run,
        }
        if dry_run:
            return Shown(document, said(f"a code for {made.shop} {made.shop_name} until {until}", dry_run))
        next_step = f"next   terminal-agent enrol {made.code}"
        return Shown(
            document,
            [f"code   {made.code}", f"shop   {made.shop} {made.shop_name}", f"until  {until}", next_step],
        )

    run(work, json)
