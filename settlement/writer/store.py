"""How do rows come from the database and go back, a batch at a time?"""

import json
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, and_, func, insert, select, tuple_
from sqlalchemy.dialects.sqlite import insert as upsert

from settlement.db import tables
from settlement.writer.batch import (
    BalancesOf,
    BalancesOfYear,
    ClaimsOf,
    Every,
    HeldBy,
    LinesOf,
    Rows,
    UnclaimedOf,
    Wanted,
)
from settlement.writer.rows import KINDS, Row, key_of
from settlement.writer.step import Happened, MoneyEvent

_TABLES: dict[type[Row], Table] = {
    kind: getattr(tables, "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)[1:])
    for kind in KINDS
}
_MOST_KEYS = 500


def load(connection: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
    """Load what `wanted` asks for and `rows` does not have yet."""
    by_kind: dict[type[Row], dict[tuple[Any, ...], None]] = {}
    for one in wanted:
        if isinstance(one, Every):
            if not rows.has(one):
                _load_every(connection, one, rows)
        elif not rows.has(one):
            by_kind.setdefault(one[0], {})[one[1]] = None
    for kind, keys in by_kind.items():
        listed = list(keys)
        for start in range(0, len(listed), _MOST_KEYS):
            _load_kind(connection, kind, listed[start : start + _MOST_KEYS], rows)


def read_where(connection: Connection, kind: type[Row], *conditions: Any) -> list[Row]:
    """Return the rows of a kind that meet `conditions`, in order of their key."""
    table = _TABLES[kind]
    query = select(table).where(and_(True, *conditions)).order_by(*(table.c[name] for name in kind.key))
    return [_from_db(kind, dict(found)) for found in connection.execute(query).mappings()]


def write(connection: Connection, rows: Rows, happened: Sequence[Happened]) -> None:
    """Write the changed rows, the events and their postings, each with one statement per table."""
    for changed in rows.changed():
        by_kind: dict[type[Row], list[dict[str, Any]]] = {}
        for row in changed:
            by_kind.setdefault(type(row), []).append(_to_db(row))
        for kind, values in by_kind.items():
            _upsert(connection, kind, values)
    if not happened:
        return
    number = connection.execute(select(func.coalesce(func.max(tables.event.c.event_no), 0))).scalar_one()
    events, posted = [], []
    for offset, one in enumerate(happened, 1):
        tag = str(one.event.__struct_config__.tag)
        body = msgspec.json.encode(one.event).decode()
        events.append(
            {
                "event_no": number + offset,
                "at_ms": one.at_ms,
                "kind": tag,
                "body": body,
                "record_id": one.event.about(),
            }
        )
        for line, posting in enumerate(one.postings):
            assert isinstance(one.event, MoneyEvent)
            posted.append(
                {
                    "event_no": number + offset,
                    "line": line,
                    "happening": one.event.booking.happening.value,
                    **msgspec.to_builtins(posting),
                }
            )
    connection.execute(insert(tables.event), events)
    if posted:
        connection.execute(insert(tables.posting), posted)


def _load_kind(connection: Connection, kind: type[Row], keys: list[tuple[Any, ...]], rows: Rows) -> None:
    table = _TABLES[kind]
    columns = [table.c[name] for name in kind.key]
    condition = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)
    for found in connection.execute(select(table).where(condition)).mappings():
        row = _from_db(kind, dict(found))
        rows.loaded(key_of(row), row)
    for key in keys:
        rows.loaded((kind, key), None)


def _load_every(connection: Connection, wanted: Every, rows: Rows) -> None:
    for row in read_where(connection, wanted.kind, *_conditions(wanted)):
        rows.loaded(key_of(row), row)
    rows.loaded_every(wanted)


def _conditions(wanted: Every) -> Sequence[Any]:
    """Return what `wanted.meets` says as the database is asked it."""
    record, claim, balance = tables.record.c, tables.claim.c, tables.balance.c
    match wanted:
        case HeldBy():
            return record.device == wanted.device, record.epoch == wanted.epoch, record.state == "HELD"
        case UnclaimedOf():
            return (
                record.merchant == wanted.merchant,
                record.state.in_(("PAYABLE", "BLOCKED")),
                record.placed_at_ms < wanted.before_ms,
            )
        case ClaimsOf():
            return claim.merchant == wanted.merchant, claim.day == wanted.day
        case BalancesOf():
            return (
                balance.funder == wanted.funder,
                balance.year == wanted.year,
                balance.pool == wanted.pool,
            )
        case BalancesOfYear():
            return (balance.year == wanted.year,)
        case LinesOf():
            return (tables.claim_line.c.claim == wanted.claim,)
    raise AssertionError(f"the database is not asked {wanted}")


def _upsert(connection: Connection, kind: type[Row], values: list[dict[str, Any]]) -> None:
    statement = upsert(_TABLES[kind])
    rest = {name: statement.excluded[name] for name in kind.__struct_fields__ if name not in kind.key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(kind.key), set_=rest)
        if rest
        else statement.on_conflict_do_nothing(),
        values,
    )


def _plain(value: Any) -> Any:
    return value


def _to_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _codec(hint: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return how a field goes to its column and comes back."""
    if hint is bool:
        return int, bool
    if typing.get_origin(hint) is tuple:
        return _to_text, lambda text: msgspec.convert(json.loads(text), hint)
    if hint in (str, int, bytes) or isinstance(hint, types.UnionType):
        return _plain, _plain
    raise AssertionError(f"no column holds {hint}")


_CODECS = {
    kind: {name: _codec(hint) for name, hint in typing.get_type_hints(kind).items() if name != "key"}
    for kind in KINDS
}


def _to_db(row: Row) -> dict[str, Any]:
    return {name: codec[0](getattr(row, name)) for name, codec in _CODECS[type(row)].items()}


def _from_db(kind: type[Row], found: dict[str, Any]) -> Row:
    return kind(**{name: codec[1](found[name]) for name, codec in _CODECS[kind].items()})
