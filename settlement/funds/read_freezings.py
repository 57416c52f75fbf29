"""Which freezes stand, and which lines do they hold back?"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, or_

from settlement.db import tables
from settlement.funds.freezings import Kind, Name, concerns, name_shown, told
from settlement.writer import store
from settlement.writer.rows import Freezing
from subsidy.masking import scrub


class FreezingShown(msgspec.Struct, frozen=True):
    """A freeze. `name` of a person is the beginning of the blind index; `of_record` named the person."""

    kind: str
    name: str
    why: str
    frozen_by: str
    frozen_ms: int
    of_record: str
    lifted_by: str
    lifted_why: str
    lifted_ms: int | None


def freezings(connection: Connection, with_lifted: bool = False) -> list[FreezingShown]:
    """Return the freezes that stand, and `with_lifted` also the last ones that were lifted."""
    return [_shown(one) for one in _read(connection, with_lifted)]


def standing(connection: Connection) -> dict[Name, Freezing]:
    """Return the freezes that stand, by kind and name."""
    return {(Kind(one.kind), one.name): one for one in _read(connection, with_lifted=False)}


def person_called(connection: Connection, shown: str) -> str | None:
    """Return the blind index of the one frozen person that `freezings` shows under this name, or None."""
    found = [
        name for kind, name in standing(connection) if kind is Kind.PERSON and name_shown(kind, name) == shown
    ]
    return found[0] if len(found) == 1 else None


def told_of(frozen: Mapping[Name, Freezing], record: Any) -> tuple[str, ...]:
    """Return the standing freezes of `frozen` that concern a record or a row with its columns, in words."""
    # One database has one programme's records.
    programme = next((name for kind, name in frozen if kind is Kind.PROGRAMME), "")
    names = concerns(programme, record.merchant, record.shop, record.brand, record.serial_no, record.person)
    return tuple(scrub(told([frozen[name]])) for name in names if name in frozen)


def holds_back() -> ColumnElement[bool]:
    """Return the condition that a freeze concerns a record, for a query on `record`."""
    freezing, record = tables.freezing.c, tables.record.c
    names = {
        Kind.MERCHANT: record.merchant,
        Kind.SHOP: record.shop,
        Kind.SERIAL: record.brand + "/" + record.serial_no,
        Kind.PERSON: record.person,
    }
    concerned = [and_(freezing.kind == kind.value, freezing.name == name) for kind, name in names.items()]
    concerned.append(freezing.kind == Kind.PROGRAMME.value)
    return exists().where(freezing.lifted_ms.is_(None), or_(*concerned))


def _read(connection: Connection, with_lifted: bool) -> list[Freezing]:
    conditions = () if with_lifted else (tables.freezing.c.lifted_ms.is_(None),)
    found = store.read_where(connection, Freezing, *conditions)
    return [one for one in found if isinstance(one, Freezing)]


def _shown(one: Freezing) -> FreezingShown:
    return FreezingShown(
        kind=one.kind,
        name=name_shown(Kind(one.kind), one.name),
        why=scrub(one.why),
        frozen_by=one.frozen_by,
        frozen_ms=one.frozen_ms,
        of_record=one.of_record,
        lifted_by=one.lifted_by,
        lifted_why=scrub(one.lifted_why),
        lifted_ms=one.lifted_ms,
    )
