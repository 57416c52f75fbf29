"""Which addresses stop something at once, and propose to let it go, to end a hold or to replace a device?"""

from typing import Any

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from settlement.db.connection import reading
from settlement.devices import read_devices
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.devices.read_devices import DeviceShown
from settlement.funds import name_freezing, read_freezings
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, name_shown
from settlement.funds.read_freezings import FreezingShown
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.web.edge import Edge, ask_writer
from settlement.web.guard import actor_of, may
from settlement.web.problems import ANSWERS, problem_of
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import Reason, Words, name_in
from settlement.writer.step import Denied


class ToFreeze(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What, and why. A serial number is named BRAND/SERIAL, a person by the record id of a sale."""

    kind: Kind
    name: Words
    reason: Words


class ToLift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What, named as GET /v1/freezes shows it, and why."""

    kind: Kind
    name: Words
    reason: Words


@post(
    "/v1/freezes",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.FREEZE), has_json],
    responses=ANSWERS,
)
def impose_freeze(
    request: StrictRequest, data: JSONBody[ToFreeze], edge: NamedDependency[Edge]
) -> FreezingShown:
    """Freeze a merchant, a shop, a serial number, a person or the programme, at once."""
    with reading(edge.engine) as connection:
        meant = name_freezing.to_freeze(connection, data.kind, data.name)
    if isinstance(meant, Denied):
        raise problem_of(meant)
    why, by = data.reason, actor_of(request).name
    ask_writer(edge, ImposeFreeze(data.kind, meant.name, why, by, meant.of_record))
    shown = name_shown(data.kind, meant.name)
    with reading(edge.engine) as connection:
        known = read_freezings.freezings(connection, with_lifted=True)
    return next(one for one in known if (one.kind, one.name) == (data.kind, shown))


@post(
    "/v1/freezes/lift",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def lift_freeze(request: StrictRequest, data: JSONBody[ToLift], edge: NamedDependency[Edge]) -> ProposalShown:
    """Propose to let something go that is frozen."""
    return proposed(request, edge, LiftFreeze(data.kind, data.name, data.reason))


@post(
    "/v1/holds/{record_id:str}/release-by-decision",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def release_by_decision(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to end a hold unpaid; `/release` beside it is its device's own."""
    return proposed(request, edge, ReleaseHold(name_in(record_id), data.reason))


@post(
    "/v1/holds/{record_id:str}/free-goods",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def free_goods(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to free person and serial number of a hold; its money stays held until a proof comes."""
    return proposed(request, edge, FreeGoods(name_in(record_id), data.reason))


@post(
    "/v1/devices/{device:str}/freeze",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.FREEZE), has_json],
    responses=ANSWERS,
)
def freeze_device(
    request: StrictRequest, device: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> DeviceShown:
    """Freeze a device, at once: it gets no hold, and what it has queued stays queued."""
    ask_writer(edge, FreezeDevice(name_in(device), data.reason, actor_of(request).name))
    with reading(edge.engine) as connection:
        found = read_devices.device(connection, device)
    assert found is not None, "a device stays"
    return found


@post(
    "/v1/devices/{device:str}/unfreeze",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def unfreeze_device(
    request: StrictRequest, device: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to let a device go that people have frozen."""
    return proposed(request, edge, UnfreezeDevice(name_in(device), data.reason))


@post(
    "/v1/devices/{device:str}/replace",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def replace_device(
    request: StrictRequest, device: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to freeze a device for good; then `settlement enrol-code` makes the new host's code."""
    return proposed(request, edge, ReplaceDevice(name_in(device), data.reason))


ROUTES: tuple[Any, ...] = (
    impose_freeze,
    lift_freeze,
    release_by_decision,
    free_goods,
    freeze_device,
    unfreeze_device,
    replace_device,
)
