"""How does a command of the agent answer: lines for people or one JSON document, and an exit code?

0 done, 1 a bug of ours, 2 usage, 3 configuration or data file invalid, 4 done with something to look at,
5 something needed is down, 6 refused by a rule or a lock.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable
from terminal_agent.config import Config, read_config
from terminal_agent.journal.connection import JournalDown, NotEnrolled

CONFIG_INVALID, LOOK_AT_IT, DOWN, REFUSED = 3, 4, 5, 6

ConfigOption = Annotated[Path, typer.Option("--config", help="The agent's YAML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DEFAULT = Path("agent.yaml")


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Turn faults that a person can mend into a sentence, an exit code, and a document if one is wanted."""
    try:
        yield
    except FileError as wrong:
        _leave(str(wrong), CONFIG_INVALID, as_json)
    except (JournalDown, CentreUnreachable) as wrong:
        _leave(str(wrong), DOWN, as_json)
    except (CentreDenied, NotEnrolled) as wrong:
        _leave(str(wrong), REFUSED, as_json)
    except _Failed as wrong:
        _leave(wrong.sentence, wrong.code, as_json)


def show(document: object, as_json: bool, text: str) -> None:
    """Print what a command has to say."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2) if as_json else text)


def fail(sentence: str, code: int) -> NoReturn:
    """End a command that is `explained`."""
    raise _Failed(sentence, code)


def refuse_training(settings: Config, *, training: bool) -> None:
    """Fail where the centre's programme is for training and the configuration is not."""
    if training and not settings.training:
        fail("The centre's programme is for training. Set `training: true` where no money moves", REFUSED)


def address_of(config: Path) -> tuple[str, int]:
    """Return where the agent of a configuration listens."""
    settings = read_config(config)
    return settings.host, settings.port


class _Failed(Exception):
    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def _leave(sentence: str, code: int, as_json: bool) -> NoReturn:
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    raise typer.Exit(code)
