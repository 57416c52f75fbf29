"""How does an operator see the settings that count?"""

from typing import Annotated

import typer

from settlement.config import read_settings
from settlement.console import Config, Json, Set, Shown, run

config_group = typer.Typer(help="The configuration.", no_args_is_help=True)


@config_group.command("show")
def show(
    config: Config,
    set_: Set = None,
    json: Json = False,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
) -> None:
    """Print the settings that count.

    Example:

        settlement config show --config settlement.yaml --origin
    """

    def work() -> Shown:
        values = read_settings(config, set_ or ()).values()
        document = {
            one.name: {"value": one.value, "origin": one.origin} if origin else one.value for one in values
        }
        lines = [f"{one.name:<12}{one.value}" + (f"  ({one.origin})" if origin else "") for one in values]
        return Shown(document, lines)

    run(work, json)
