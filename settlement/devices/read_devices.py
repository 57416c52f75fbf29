"""Which devices are there, how far have they come, and what of their chains is missing?

Texts that devices have written are shown through `scrub`; host names are left out.
"""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from settlement.db import tables
from subsidy.masking import scrub


class DeviceShown(msgspec.Struct, frozen=True):
    """An enrolled device, and how far its chain and its statements have come.

    `frozen_by` is empty when it contradicted itself; `open_holds` counts those that stand.
    """

    device: str
    epoch: int
    shop: str
    enrolled_ms: int
    frozen: str | None
    upload_no: int
    stated_hold_no: int
    stated_ms: int
    last_seq: int
    entries: int
    missing_entries: int
    frozen_by: str
    replaced: bool
    open_holds: int


class Gaps(msgspec.Struct, frozen=True):
    """What of a device's chain is missing, as (first, last) places, and what is kept beside it.

    `whole_to` is the entry up to which none is missing: the shop can report again what comes after it.
    `forked` are places that have a second content, `quarantined` those whose content could not be taken.
    """

    device: str
    epoch: int
    last_seq: int
    whole_to: int
    missing: tuple[tuple[int, int], ...]
    forked: tuple[int, ...]
    quarantined: tuple[int, ...]


def devices(connection: Connection, after: str, most: int | None) -> list[DeviceShown]:
    """Return up to `most` devices behind the name `after`; all when it is None."""
    c = tables.device.c
    return _shown(connection, select(tables.device).where(c.device > after).order_by(c.device).limit(most))


def device(connection: Connection, name: str) -> DeviceShown | None:
    """Return a device, or None."""
    found = _shown(connection, select(tables.device).where(tables.device.c.device == name))
    return found[0] if found else None


def gaps(connection: Connection, name: str) -> Gaps | None:
    """Return what is missing of a device's chain and what is kept beside it, or None when it is not here."""
    found = device(connection, name)
    if found is None:
        return None
    at, entry = tables.entry_at.c, tables.entry_row.c
    query = select(at.seq).where(at.device == name, at.epoch == found.epoch).order_by(at.seq)
    missing, expected = [], 1
    # Nothing is missing of nearly all: then the chain is not read.
    for seq in connection.execute(query).scalars() if found.missing_entries else ():
        if seq > expected:
            missing.append((expected, seq - 1))
        expected = seq + 1
    if found.missing_entries and expected <= found.last_seq:
        missing.append((expected, found.last_seq))

    def answered(answer: str) -> tuple[int, ...]:
        mine = (entry.device == name, entry.epoch == found.epoch, entry.answer == answer, still_aside())
        return tuple(connection.execute(select(entry.seq).where(*mine).order_by(entry.seq)).scalars())

    return Gaps(
        device=name,
        epoch=found.epoch,
        last_seq=found.last_seq,
        whole_to=missing[0][0] - 1 if missing else found.last_seq,
        missing=tuple(missing),
        forked=answered("forked"),
        quarantined=answered("quarantined"),
    )


def still_aside() -> ColumnElement[bool]:
    """Say of an entry that could not be taken that it has not been since, when it came again."""
    at, entry = tables.entry_at.c, tables.entry_row.c
    place = and_(at.device == entry.device, at.epoch == entry.epoch, at.seq == entry.seq)
    return ~exists().where(place, at.hash == entry.hash, at.answer == "accepted")


def _shown(connection: Connection, query: Select[Any]) -> list[DeviceShown]:
    found = list(connection.execute(query))
    held = _open_holds(connection, [row.device for row in found])
    return [
        DeviceShown(
            device=row.device,
            epoch=row.epoch,
            shop=row.shop,
            enrolled_ms=row.enrolled_ms,
            frozen=row.frozen and scrub(row.frozen),
            upload_no=row.upload_no,
            stated_hold_no=row.stated_hold_no,
            stated_ms=row.stated_ms,
            last_seq=row.last_seq,
            entries=row.entries,
            missing_entries=row.last_seq - row.entries,
            frozen_by=row.frozen_by,
            replaced=bool(row.replaced),
            open_holds=held.get(row.device, 0),
        )
        for row in found
    ]


def _open_holds(connection: Connection, names: list[str]) -> dict[str, int]:
    c = tables.record.c
    query = (
        select(c.device, func.count().label("held"))
        .where(c.state == "HELD", c.device.in_(names))
        .group_by(c.device)
    )
    return {row.device: row.held for row in connection.execute(query)}
