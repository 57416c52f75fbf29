"""How do people freeze a device, let it go again, or put another host in its place?

Only a device that people have frozen can be let go. One that contradicted itself was copied or restored from
a backup: which of its two stories is true cannot be told from here, and whoever has its key can go on with
either. It is replaced (docs/decisions/0008-a-forked-device-is-replaced.md).
"""

import msgspec
from msgspec.structs import replace

from settlement.devices.freeze import DeviceFrozen
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Device, Difference
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event, Setting


class FreezeDevice(msgspec.Struct, frozen=True):
    """People do not believe a device any more."""

    device: str
    why: str
    by: str


class UnfreezeDevice(Decision, frozen=True, tag="unfreeze_device"):
    """People have looked, and the device may go on where it was."""

    device: str
    why: str


class ReplaceDevice(Decision, frozen=True, tag="replace_device"):
    """Another host takes the device's place, for good."""

    device: str
    why: str


class DeviceUnfrozen(Event, frozen=True, kw_only=True, tag="device_unfrozen"):
    """A device that people had frozen may go on."""

    device: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Believe it again, and close the item."""
        device = rows.want(Device, self.device)
        assert device.frozen_by
        assert not device.replaced
        rows.put(replace(device, frozen=None, frozen_by=""))
        _close_item(rows, self.device, self.at_ms)


class DeviceReplaced(Event, frozen=True, kw_only=True, tag="device_replaced"):
    """A device is frozen for good: another host of its shop sells in its place."""

    device: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Freeze it, and close the item."""
        device = rows.want(Device, self.device)
        rows.put(replace(device, frozen=f"replaced: {self.why}", frozen_by=self.by, replaced=True))
        _close_item(rows, self.device, self.at_ms)


def keys(command: FreezeDevice | UnfreezeDevice | ReplaceDevice, _rows: Rows) -> list[Wanted]:
    """Ask for the device and its item."""
    return [(Device, (command.device,)), (Difference, (command.device, "device_frozen"))]


def decide(
    rows: Rows,
    command: FreezeDevice | UnfreezeDevice | ReplaceDevice,
    _setting: Setting,
    at_ms: int,
    emit: Emit,
) -> Answer:
    """Let it happen, or say why it cannot."""
    device = rows.get(Device, command.device)
    if device is None:
        detail = f"there is no device {command.device}. `settlement devices ls` lists them"
        return Denied(404, "DEVICE_UNKNOWN", detail)
    name, why, by = command.device, command.why, command.by
    match command:
        case FreezeDevice():
            if device.frozen is not None:
                return Denied(409, "ALREADY_FROZEN", f"it is frozen already: {device.frozen}")
            emit(DeviceFrozen(device=name, why=why, by=by, at_ms=at_ms))
        case UnfreezeDevice():
            against = _stays_frozen(device)
            if against is not None:
                return against
            emit(DeviceUnfrozen(device=name, why=why, by=by, at_ms=at_ms))
        case ReplaceDevice():
            if device.replaced:
                return _replaced()
            emit(DeviceReplaced(device=name, why=why, by=by, at_ms=at_ms))
    return Done()


def _stays_frozen(device: Device) -> Denied | None:
    if device.frozen is None:
        return Denied(409, "NOT_FROZEN", "the device is not frozen")
    if device.replaced:
        return _replaced()
    if not device.frozen_by:
        detail = (
            f"it contradicted itself: {device.frozen}. Nobody can tell which of its words are true. "
            "Put another host in its place with `settlement devices replace`"
        )
        return Denied(409, "DEVICE_CONTRADICTED_ITSELF", detail)
    return None


def _replaced() -> Denied:
    detail = "another host takes its place already. `settlement enrol-code` makes that host's code"
    return Denied(409, "DEVICE_REPLACED", detail)


def _close_item(rows: Rows, device: str, at_ms: int) -> None:
    item = rows.get(Difference, device, "device_frozen")
    if item is not None and item.closed_ms is None:
        rows.put(replace(item, closed_ms=at_ms))
