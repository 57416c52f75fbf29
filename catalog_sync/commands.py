"""How does a program import only what the typed command needs?

A table says where each command is; its module is imported when somebody asks for that command. The help of
a group asks for all of them.
"""

from collections import UserDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup


def commands_at(places: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class of groups that have these commands too, in this order, each at its "module:attribute".

    There is the function of a command, or the `Typer` of a group of commands.
    """

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = _WhenAskedFor({**self.commands, **places})

        def list_commands(self, ctx: Any) -> list[str]:
            # Typer asks for each command to say its name.
            return list(self.commands)

    return Group


class _WhenAskedFor(UserDict[str, Any]):
    """Commands by name: first where they are, and once they were asked for, they themselves."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, str):
            self[name] = found = _load(name, found)
        return found


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    # By Typer's own way of adding one, so that nothing about a command depends on when it is loaded.
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]
