"""How does a command answer: lines for people or one JSON document, and an exit code?

0 done, 1 a bug of ours or books that are not true, 2 usage, 3 configuration or data file invalid,
4 done with something to look at, 5 something we need is down, 6 refused by a rule.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from sqlalchemy.exc import DBAPIError

from settlement.config import CONFIG_VARIABLE, AddressTaken
from settlement.db.connection import trouble
from settlement.db.place import DatabaseDown
from settlement.people.acting import NotAllowed
from settlement.people.credentials import TOKEN_FILE_VARIABLE, name_of_account
from settlement.people.users import UserRefused
from settlement.sources.csv_rows import FileErrors
from subsidy.strict.yaml_text import FileError

Config = Annotated[
    Path, typer.Option("--config", envvar=CONFIG_VARIABLE, help="The configuration file, YAML.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="key=value over the file and the environment; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and show everything, change nothing.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar=TOKEN_FILE_VARIABLE,
        help="Act under the token in this file; else under SETTLEMENT_TOKEN, else as this account.",
    ),
]

_NOT_UTF8 = "{}: not UTF-8. Set the terminal to UTF-8 (LANG=C.UTF-8), then type it again; nothing was changed"
_RIGHTS = "Run this as the service's account, not as {}, or let that account in there"
_MOST_SHOWN = 80


class Shown(msgspec.Struct, frozen=True):
    """What a command prints: a JSON document, or lines for people."""

    document: Any
    lines: list[str]
    exit_code: int = 0


class Refused(Exception):
    """A rule or a missing thing says no; `exit_code` is 2 for usage, 6 for a rule."""

    def __init__(self, problem: str, exit_code: int) -> None:
        super().__init__(problem)
        self.exit_code = exit_code


def run(work: Callable[[], Shown], json: bool) -> None:
    """Run a command, print what it shows, and leave with its exit code. Bugs stay as they are."""
    try:
        shown = work()
    except (FileError, FileErrors) as wrong:
        _leave(str(wrong), 3, json)
    except (DatabaseDown, AddressTaken) as wrong:
        _leave(str(wrong), 5, json)
    except DBAPIError as wrong:
        if (said := trouble(wrong)) is None:
            raise
        _leave(said, 5, json)
    except NotAllowed as wrong:
        _leave(str(wrong), 6, json)
    except UserRefused as wrong:
        _leave(str(wrong), 2 if wrong.is_usage else 6, json)
    except Refused as wrong:
        _leave(str(wrong), wrong.exit_code, json)
    except PermissionError as wrong:
        _leave(f"{wrong.filename}: {wrong.strerror}. {_RIGHTS.format(name_of_account())}", 5, json)
    except UnicodeEncodeError as wrong:
        # What a terminal of another encoding types comes as lone surrogates, which no database takes.
        if not "\udc80" <= wrong.object[wrong.start] <= "\udcff":
            raise
        _leave(_NOT_UTF8.format(ascii(wrong.object)[:_MOST_SHOWN]), 2, json)
    print_now(shown, json)
    raise typer.Exit(shown.exit_code)


def print_now(shown: Shown, json: bool) -> None:
    if not json:
        for line in shown.lines:
            typer.echo(line)
    elif shown.document is not None:
        typer.echo(msgspec.json.encode(shown.document).decode())


def _leave(problem: str, exit_code: int, json: bool) -> NoReturn:
    typer.echo(problem, err=True)
    if json:
        typer.echo(msgspec.json.encode({"error": problem, "exit_code": exit_code}).decode())
    raise typer.Exit(exit_code)
