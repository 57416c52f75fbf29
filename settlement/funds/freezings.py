"""What have people frozen, and whom does it concern?

A merchant, a shop, a serial number, a person or the whole programme. While it stands no hold is placed for it
and no line of it is claimed or paid. Nothing is lost: the fund's word stands, paid records are still booked,
and what was left out can be claimed and paid once the freeze is lifted. One person freezes, at once; two
lift.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Freezing, Merchant, Record, Shop
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event, Setting


class Kind(StrEnum):
    """What can be frozen. Values are stored."""

    MERCHANT = "merchant"
    SHOP = "shop"
    SERIAL = "serial"
    PERSON = "person"
    PROGRAMME = "programme"


Name = tuple[Kind, str]
"""A kind and a name: a serial number's is BRAND/NUMBER, a person's is the blind index."""


class ImposeFreeze(msgspec.Struct, frozen=True):
    """Freeze `name`. `of_record` is the record by which a person was named, empty for anything else."""

    kind: Kind
    name: str
    why: str
    by: str
    of_record: str = ""


class LiftFreeze(Decision, frozen=True, tag="lift_freeze"):
    """Let `name` go again."""

    kind: Kind
    name: str
    why: str


class FreezeImposed(Event, frozen=True, kw_only=True, tag="freeze_imposed"):
    """People have frozen something."""

    kind: Kind
    name: str
    why: str
    by: str
    at_ms: int
    of_record: str = ""

    def fold(self, rows: Rows) -> None:
        """Put it; an earlier freeze of the same that was lifted is in the events."""
        rows.put(
            Freezing(self.kind.value, self.name, self.why, self.by, self.at_ms, of_record=self.of_record)
        )


class FreezeLifted(Event, frozen=True, kw_only=True, tag="freeze_lifted"):
    """People have let it go."""

    kind: Kind
    name: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note the end."""
        row = rows.want(Freezing, self.kind.value, self.name)
        rows.put(replace(row, lifted_by=self.by, lifted_why=self.why, lifted_ms=self.at_ms))


SHOWN_OF_INDEX = 12
"""So much of a person's blind index is shown: enough to tell one freeze from another."""


def name_shown(kind: Kind, name: str) -> str:
    """Return a name as people see it: of a person the beginning of the blind index."""
    return name[:SHOWN_OF_INDEX] if kind is Kind.PERSON else name


def serial_name(brand: str, serial_no: str) -> str:
    """Return how a serial number is named here. A brand may have a slash in it, and so may a number."""
    return f"{brand}/{serial_no}"


def concerns(
    programme: str, merchant: str, shop: str, brand: str, serial_no: str | None, person: str
) -> list[Name]:
    """Return everything whose freeze concerns a purchase; what is empty is not known."""
    serial = serial_name(brand, serial_no) if brand and serial_no is not None else ""
    found = (
        (Kind.PROGRAMME, programme),
        (Kind.MERCHANT, merchant),
        (Kind.SHOP, shop),
        (Kind.SERIAL, serial),
        (Kind.PERSON, person),
    )
    return [(kind, name) for kind, name in found if name]


def concerns_record(record: Record, programme: str) -> list[Name]:
    """Return everything whose freeze concerns a record."""
    return concerns(programme, record.merchant, record.shop, record.brand, record.serial_no, record.person)


def keys_of(names: Iterable[Name]) -> list[Wanted]:
    """Ask for what may be frozen, each once."""
    return [(Freezing, (kind.value, name)) for kind, name in dict.fromkeys(names)]


def standing(rows: Rows, names: Iterable[Name]) -> list[Freezing]:
    """Return the freezes that stand, of these names."""
    found = [rows.get(Freezing, kind.value, name) for kind, name in names]
    return [one for one in found if one is not None and one.lifted_ms is None]


def against(rows: Rows, record: Record, programme: str) -> str:
    """Return why a record's line is stopped, or an empty text."""
    return told(standing(rows, concerns_record(record, programme)))


def told(freezings: Iterable[Freezing]) -> str:
    """Return freezes in words, a person without the index; an empty text for none."""
    words = [
        f"{one.kind}{'' if one.kind == Kind.PERSON else f' {one.name}'} ({one.why})" for one in freezings
    ]
    return f"frozen: {'; '.join(words)}" if words else ""


def keys(command: ImposeFreeze | LiftFreeze, _rows: Rows) -> list[Wanted]:
    """Ask for the freeze, and for what is to be frozen where the centre has a row of it."""
    wanted: list[Wanted] = keys_of([(command.kind, command.name)])
    if command.kind is Kind.MERCHANT:
        wanted.append((Merchant, (command.name,)))
    if command.kind is Kind.SHOP:
        wanted.append((Shop, (command.name,)))
    return wanted


def decide(
    rows: Rows, command: ImposeFreeze | LiftFreeze, setting: Setting, at_ms: int, emit: Emit
) -> Answer:
    """Freeze it or let it go, once."""
    kind, name = command.kind, command.name
    (stands,) = standing(rows, [(kind, name)]) or (None,)
    if isinstance(command, LiftFreeze):
        if stands is None:
            detail = f"no freeze of this {kind.value} stands. `settlement freeze ls` lists those that do"
            return Denied(404, "NOT_FROZEN", detail)
        emit(FreezeLifted(kind=kind, name=name, why=command.why, by=command.by, at_ms=at_ms))
        return Done()
    if not _is_known(rows, command, setting):
        named = "" if kind is Kind.PERSON else f" {name}"
        return Denied(404, "UNKNOWN", f"there is no {kind.value}{named} here. Correct the name")
    if stands is not None:
        detail = f"it is frozen already, by {stands.frozen_by}: {stands.why}"
        return Denied(409, "ALREADY_FROZEN", detail)
    emit(
        FreezeImposed(
            kind=kind, name=name, why=command.why, by=command.by, at_ms=at_ms, of_record=command.of_record
        )
    )
    return Done()


def _is_known(rows: Rows, command: ImposeFreeze, setting: Setting) -> bool:
    match command.kind:
        case Kind.MERCHANT:
            return rows.get(Merchant, command.name) is not None
        case Kind.SHOP:
            return rows.get(Shop, command.name) is not None
        case Kind.PROGRAMME:
            return command.name == setting.pack.programme
        case Kind.SERIAL | Kind.PERSON:
            # A number may be frozen before it is ever sold, a person before the first purchase.
            return bool(command.name)
