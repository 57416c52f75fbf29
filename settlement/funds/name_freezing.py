"""Which name is stored for what somebody wants to freeze, or to let go?

A person is named by one of their sales; an identity number is read by the command line only, from stdin.
"""

import msgspec
from sqlalchemy import Connection, select

from settlement.claims.repaid import record_unknown
from settlement.db import tables
from settlement.funds import read_freezings
from settlement.funds.freezings import Kind, serial_name
from settlement.writer.step import Denied
from subsidy.codes import BadCode, serial_no
from subsidy.ids import is_record_id


class Meant(msgspec.Struct, frozen=True):
    """A name as it is stored, and the record by which a person was named, empty for anything else."""

    name: str
    of_record: str = ""


def to_freeze(connection: Connection, kind: Kind, name: str) -> Meant | Denied:
    """Return what is meant by a merchant's, shop's or programme's name, BRAND/SERIAL, or a person's sale."""
    if kind is Kind.SERIAL:
        return _serial(connection, name)
    if kind is not Kind.PERSON:
        return Meant(name)
    if not is_record_id(name):
        return _not_named("a person is named by the record id of a sale. Give one")
    return _person_of(connection, name)


def to_lift(connection: Connection, kind: Kind, name: str) -> Meant | Denied:
    """Return what is meant by a name as the list of freezes shows it, or as it was frozen."""
    if kind is Kind.SERIAL and (kind, name) not in read_freezings.standing(connection):
        return _serial(connection, name)
    if kind is Kind.PERSON and is_record_id(name):
        return _person_of(connection, name)
    return Meant(name)


def _person_of(connection: Connection, record_id: str) -> Meant | Denied:
    c = tables.record.c
    found = connection.execute(select(c.person).where(c.record_id == record_id)).scalar_one_or_none()
    if found is None:
        return record_unknown()
    return Meant(str(found), record_id) if found else _not_named("the record does not say who bought")


def _serial(connection: Connection, name: str) -> Meant | Denied:
    """Both brand and number may have slashes: the library says where the brand ends."""
    brands = set(connection.execute(select(tables.product.c.brand).distinct()).scalars())
    for at, character in enumerate(name):
        if character == "/" and name[:at] in brands:
            try:
                return Meant(serial_name(name[:at], serial_no.read(name[at + 1 :])))
            except BadCode as wrong:
                return _not_named(f"{wrong}. Write BRAND/SERIAL")
    return _not_named("no brand of the product library stands before the slash. Write BRAND/SERIAL")


def _not_named(detail: str) -> Denied:
    return Denied(422, "NOT_NAMED", detail)
