"""How do a centre's parts become what a night works with?"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import Engine

from settlement.config import Settings
from settlement.reconcile.config import NightConfig, read_night_config
from settlement.reconcile.run import NightParts
from settlement.writer.apply import Direct
from settlement.writer.step import Answer
from subsidy.policy.model import Dated, Pack
from subsidy.strict.yaml_text import FileError

T = TypeVar("T")


def night_parts(
    settings: Settings,
    pack: Pack,
    engine: Engine,
    submit: Callable[[Direct], Answer],
    now_ms: Callable[[], int],
    sources: Path | None = None,
) -> NightParts:
    """Return the parts. Raises FileError when no sources are named, or they cannot be read.

    Args:
        settings: the centre's.
        pack: the programme's.
        engine: its books.
        submit: how a command reaches the writer.
        now_ms: the centre's clock.
        sources: a file of sources in place of the configured one.
    """
    file = sources or settings.night
    if file is None:
        remedy = "Write `night: night.yaml` into it, as in the example file, or give --sources"
        raise FileError("the configuration", 1, "night", "no sources are named", remedy)
    return NightParts(
        programme=pack.programme,
        engine=engine,
        database=settings.database,
        config=_read(file, pack),
        owner=lambda day: _on(pack.differences_owner, day),
        lag_target_s=lambda day: _on(pack.lag_target_s, day),
        submit=submit,
        now_ms=now_ms,
    )


def sources_of(settings: Settings, pack: Pack) -> NightConfig | None:
    """Return the configured sources, or None when none are named or they cannot be read."""
    try:
        return None if settings.night is None else _read(settings.night, pack)
    except FileError:
        return None


def _on(rows: Dated[T], day: str) -> T:
    # A night may be asked for a day on which the programme had not begun.
    return (rows.on(datetime.date.fromisoformat(day)) or rows.rows[0]).value


def _read(file: Path, pack: Pack) -> NightConfig:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as wrong:
        raise FileError(str(file), 1, "", f"cannot be read ({wrong.strerror})", "Check `night:`") from None
    except UnicodeDecodeError as wrong:
        raise FileError(str(file), 1, "", f"byte {wrong.start} is not UTF-8", "Save it as UTF-8") from None
    return replace(read_night_config(text, file, pack.training), tenders=pack.tenders)
