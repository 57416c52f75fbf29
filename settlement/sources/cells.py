"""How are the cells of reference data read? Each reader returns the value or raises without showing it."""

import datetime
import re

from settlement.sources.csv_rows import Cell
from subsidy.calendar import SHANGHAI
from subsidy.money import fen_from_yuan

_CATEGORY = re.compile(r"[A-Z][A-Z_]{1,29}", re.ASCII)
_CODE = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def identifier(cell: str) -> str:
    """Read an id that we gave: of a merchant or a shop."""
    if _ID.fullmatch(cell) is None:
        raise Cell("not an id", "Write 1 to 32 letters, digits, - or _")
    return cell


def category(cell: str) -> str:
    """Read a category's code."""
    if _CATEGORY.fullmatch(cell) is None:
        raise Cell("not a category code", "Write it as in FRIDGE or RICE_COOKER")
    return cell


def energy_level(cell: str) -> int | None:
    """Read an energy or water efficiency level; empty when the category has none."""
    if cell == "":
        return None
    if cell not in ("1", "2", "3", "4", "5"):
        raise Cell("not an efficiency level", "Write 1 to 5, or leave it empty where there is none")
    return int(cell)


def yuan(cell: str) -> int:
    """Read a price in yuan with two decimals, above zero."""
    try:
        fen = fen_from_yuan(cell)
    except ValueError:
        fen = None
    if not fen:
        raise Cell("not a price in yuan", "Write yuan with two decimals, as in 4599.00")
    return fen


def code(cell: str) -> str:
    """Read a qualification code."""
    if _CODE.fullmatch(cell) is None:
        raise Cell("not a qualification code", "Write 1 to 64 letters, digits and marks without spaces")
    return cell


def day(cell: str) -> datetime.date:
    """Read a day."""
    try:
        if _DAY.fullmatch(cell) is None:
            raise ValueError
        found = datetime.date.fromisoformat(cell)
    except ValueError:
        raise Cell("not a day", "Write a day as 2026-01-31") from None
    if not 2000 <= found.year <= 2998:
        raise Cell("a day that cannot be meant", "Write a day from 2000 to 2998")
    return found


def start_ms(of: datetime.date) -> int:
    """Return when a day begins in Shanghai, in Unix milliseconds."""
    return int(datetime.datetime.combine(of, datetime.time(), SHANGHAI).timestamp()) * 1000
