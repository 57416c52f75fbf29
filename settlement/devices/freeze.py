"""When is a device no longer believed?

A device that says two things where only one can be true was copied, restored from a backup, or
tampered with. It is frozen: it gets no hold, nothing it states frees anything, and what it has
queued stays queued until people have looked.
"""

from msgspec.structs import replace

from settlement.writer.batch import Rows
from settlement.writer.rows import Device, Difference
from settlement.writer.step import Denied, Emit, Event


class DeviceFrozen(Event, frozen=True, kw_only=True, tag="device_frozen"):
    """A device contradicted itself, or people do not believe it: `by` names them, empty when it did."""

    device: str
    why: str
    at_ms: int
    by: str = ""

    def fold(self, rows: Rows) -> None:
        """Freeze it and open an item for people."""
        device = rows.want(Device, self.device)
        if device.frozen is None:
            rows.put(replace(device, frozen=self.why, frozen_by=self.by))
        rows.put(Difference(self.device, "device_frozen", "operations", self.why, self.at_ms))


def freeze(device: Device, why: str, at_ms: int, emit: Emit) -> Denied:
    """Freeze `device` and return what it is told."""
    emit(DeviceFrozen(device=device.device, why=why, at_ms=at_ms))
    return denied(device, why)


def denied(device: Device, why: str = "") -> Denied:
    """Return what a frozen device is told."""
    reason = why or device.frozen or ""
    return Denied(403, "DEVICE_FROZEN", f"This device is frozen: {reason}. Call the service platform")
