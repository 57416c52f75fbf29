"""What may operators' programs read? Nothing personal, and nothing is changed."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from settlement.db.connection import reading
from settlement.devices import read_devices
from settlement.devices.read_devices import DeviceShown
from settlement.funds import read_freezings, read_holds
from settlement.funds.read_freezings import FreezingShown
from settlement.funds.read_holds import HoldShown
from settlement.ledger import read_books
from settlement.people.roles import Permission
from settlement.web import read_models
from settlement.web.edge import Edge
from settlement.web.explained_hold import HoldExplained, explained
from settlement.web.guard import may, reach_of
from settlement.web.problems import ANSWERS
from settlement.web.read_models import (
    DifferenceShown,
    FundsShown,
    RecordShown,
    TrialBalance,
)
from settlement.web.strict_request import StrictRequest
from settlement.web.words import After
from subsidy.ids import is_record_id
from subsidy.problem import Problem

MOST = 500


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `next` is what to send as `after` for the one behind it."""

    next: str | None


class Holds(Page, frozen=True):
    """Open holds, oldest first."""

    holds: tuple[HoldShown, ...]


class Differences(Page, frozen=True):
    """What waits for a person, by subject."""

    differences: tuple[DifferenceShown, ...]


class Devices(Page, frozen=True):
    """The shops' installations, by name."""

    devices: tuple[DeviceShown, ...]


class Freezes(msgspec.Struct, frozen=True):
    """What is frozen, by kind and name."""

    freezes: tuple[FreezingShown, ...]


@get("/v1/funds", sync_to_thread=True, guards=[may(Permission.READ_BOOKS)], responses=ANSWERS)
def show_funds(edge: NamedDependency[Edge]) -> FundsShown:
    """Return every account of every funder and year, and what may still be granted."""
    with reading(edge.engine) as connection:
        return read_models.funds(read_books.balances(connection), edge.setting().pack, edge.now_ms())


@get("/v1/ledger/trial-balance", sync_to_thread=True, guards=[may(Permission.READ_BOOKS)], responses=ANSWERS)
def show_trial_balance(edge: NamedDependency[Edge]) -> TrialBalance:
    """Return all balances as posted, with their sum, which is zero when the books are true."""
    with reading(edge.engine) as connection:
        return read_models.trial_balance(read_books.balances(connection))


@get(
    "/v1/records/{record_id:str}",
    sync_to_thread=True,
    guards=[may(Permission.READ_RECORDS)],
    responses=ANSWERS,
)
def show_record(request: StrictRequest, record_id: FromPath[str], edge: NamedDependency[Edge]) -> RecordShown:
    """Return all that the centre knows of a sale, money and entries included."""
    if not is_record_id(record_id):
        record_id = ""
    with reading(edge.engine) as connection:
        found = read_models.record(connection, record_id, reach_of(request))
    if found is None:
        raise Problem(404, "RECORD_UNKNOWN", "No record with this id is here. Check the id")
    return found


@get("/v1/holds", sync_to_thread=True, guards=[may(Permission.READ_RECORDS)], responses=ANSWERS)
def show_holds(
    request: StrictRequest,
    edge: NamedDependency[Edge],
    only: Annotated[str, QueryParameter(name="open", required=False)] = "",
    after: After = "",
) -> Holds:
    """Return the open holds, `?open=1`, up to 500 at a time."""
    if only != "1":
        raise Problem(400, "BAD_REQUEST", "?open: only open holds are listed here. Send ?open=1")
    with reading(edge.engine) as connection:
        found = read_holds.open_holds(connection, edge.now_ms(), after, MOST, reach=reach_of(request))
    return Holds(_next(found, "record_id"), tuple(found))


@get(
    "/v1/holds/{record_id:str}",
    sync_to_thread=True,
    guards=[may(Permission.READ_RECORDS)],
    responses=ANSWERS,
)
def explain_hold(
    request: StrictRequest, record_id: FromPath[str], edge: NamedDependency[Edge]
) -> HoldExplained:
    """Return a hold with what it takes, which proofs are missing to end it, and what to do next."""
    now_ms = edge.now_ms()
    lag_target_s = edge.setting().lag_target_s(now_ms)
    found = None
    if is_record_id(record_id):
        with reading(edge.engine) as connection:
            if read_models.is_within(connection, record_id, reach_of(request)):
                found = explained(connection, record_id, edge.sources, lag_target_s, now_ms)
    if found is None:
        raise Problem(404, "RECORD_UNKNOWN", "No record with this id is here. Check the id")
    return found


@get("/v1/freezes", sync_to_thread=True, guards=[may(Permission.READ_BOOKS)], responses=ANSWERS)
def show_freezes(edge: NamedDependency[Edge]) -> Freezes:
    """Return what is frozen, by whom and why."""
    with reading(edge.engine) as connection:
        return Freezes(tuple(read_freezings.freezings(connection)))


@get("/v1/differences", sync_to_thread=True, guards=[may(Permission.READ_DIFFERENCES)], responses=ANSWERS)
def show_differences(request: StrictRequest, edge: NamedDependency[Edge], after: After = "") -> Differences:
    """Return what waits for a person, up to 500 at a time."""
    with reading(edge.engine) as connection:
        found = read_models.differences(connection, after, MOST, reach_of(request))
    return Differences(_next(found, "position"), tuple(found))


@get("/v1/devices", sync_to_thread=True, guards=[may(Permission.READ_DEVICES)], responses=ANSWERS)
def show_devices(edge: NamedDependency[Edge], after: After = "") -> Devices:
    """Return the enrolled devices, up to 500 at a time."""
    with reading(edge.engine) as connection:
        found = read_devices.devices(connection, after, MOST)
    return Devices(_next(found, "device"), tuple(found))


def _next(found: list[Any], name: str) -> str | None:
    return getattr(found[-1], name) if len(found) == MOST else None


READS = (
    show_funds,
    show_trial_balance,
    show_record,
    show_holds,
    explain_hold,
    show_freezes,
    show_differences,
    show_devices,
)
