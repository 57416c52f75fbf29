"""How does a host become a device?

The platform gives shop IT a one-time code for one shop. The host makes its key, sends the public
half with the code, and becomes the device named after that key.
"""

import msgspec
from msgspec.structs import replace

from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Device, EnrolCode
from settlement.writer.step import Answer, Denied, Done, Emit, Event, Setting
from subsidy import seal


class Enrol(msgspec.Struct, frozen=True):
    """A host shows a code (as its hash) and its public key."""

    code_hash: str
    public_key: str
    host: str


class DeviceEnrolled(Event, frozen=True, kw_only=True, tag="device_enrolled"):
    """A host has become a device, and the code is used up."""

    code_hash: str
    device: Device

    def fold(self, rows: Rows) -> None:
        """Put the device."""
        rows.put(self.device)
        rows.put(replace(rows.want(EnrolCode, self.code_hash), used_by=self.device.device))


def keys(command: Enrol, _rows: Rows) -> list[Wanted]:
    """Ask for the code and the device."""
    return [(EnrolCode, (command.code_hash,)), (Device, (device_name(command.public_key),))]


def decide(rows: Rows, command: Enrol, _setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Enrol the host, or say why not. The same host with the same code gets the same answer."""
    code = rows.get(EnrolCode, command.code_hash)
    name = device_name(command.public_key)
    if code is not None and code.used_by == name:
        return Done()
    if code is None or code.used_by is not None or at_ms >= code.expires_ms:
        # One answer for unknown, used and expired: a guesser learns nothing.
        return Denied(403, "CODE_INVALID", "The code is unknown, used or expired. Ask for a new one")
    if rows.get(Device, name) is not None:
        return Denied(409, "ALREADY_ENROLLED", "This key is enrolled. Make a new key to enrol again")
    device = Device(
        device=name,
        epoch=1,
        public_key=command.public_key,
        shop=code.shop,
        host=command.host,
        enrolled_ms=at_ms,
    )
    emit(DeviceEnrolled(code_hash=command.code_hash, device=device))
    return Done()


def device_name(public_key: str) -> str:
    """Return the device's name: the id of its key."""
    return seal.key_id(seal.public_key(public_key))
