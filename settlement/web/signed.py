"""Which device sent this request, is it fresh, and has it been heard before?

The signature is checked against the device's key in the database; the time must be within 300 s
of the centre's, and each nonce counts once. Nonces live in memory as long as their time window:
after a restart an old request could be heard again, and every command is safe to repeat.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from settlement.system import Lock
from settlement.web.edge import Edge
from settlement.web.strict_request import has_json
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Device
from subsidy import calendar, seal
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem
from subsidy.wire import http_signature
from subsidy.wire.http_signature import WINDOW_S, NotSigned

_COVERED = {
    name.encode(): name
    for name in (
        "content-digest",
        "signature",
        "signature-input",
        http_signature.DEVICE,
        http_signature.EPOCH,
    )
}
_KNOWN_FOR_MS = 1000
_MOST_KNOWN = 10_000


class Caller(msgspec.Struct, frozen=True):
    """The device that signed the request, as the database has it."""

    device: Device
    epoch: int


class KnownDevice(msgspec.Struct, frozen=True):
    """What a signature is checked against: a device's key and epoch, as they were at `read_ms`."""

    device: str
    key: Ed25519PublicKey
    epoch: int
    read_ms: int


class Nonces:
    """The nonces heard within the time window."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: set[tuple[str, str]] = set()
        self._before: set[tuple[str, str]] = set()
        self._turn_s = 0

    def first_time(self, device: str, nonce: str, now_s: int) -> bool:
        """Whether this nonce has not been heard; from now on it has."""
        # Two generations, each longer than a signature can count: what falls out is too old anyway.
        lasts_s = 2 * WINDOW_S
        with self._lock:
            if now_s >= self._turn_s + lasts_s:
                self._before, self._now, self._turn_s = self._now, set(), now_s
            one = (device, nonce)
            if one in self._now or one in self._before:
                return False
            self._now.add(one)
            return True

    def kept(self) -> int:
        """Return how many are remembered."""
        return len(self._now) + len(self._before)


class Signatures:
    """The check of every agent's request."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._nonces = Nonces()
        self._known: dict[str, KnownDevice] = {}

    def verify_known(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> KnownDevice:
        """Return the caller as it was known up to a second ago. Raises Problem.

        For what the writer judges again by the device's row: whether it is frozen, and its epoch.
        """
        try:
            said = http_signature.read(method, path, query, body, headers)
            known = self._known.get(said.device)
            now_ms = self._edge.now_ms()
            if known is None or not 0 <= now_ms - known.read_ms < _KNOWN_FOR_MS:
                known = self._look_up(said.device, now_ms)
            said.verify(known.key)
        except NotSigned as wrong:
            raise _refused("NOT_AUTHENTICATED", f"{wrong}. Sign the request with the device's key") from None
        self._check(said, known.epoch)
        return known

    def _look_up(self, name: str, now_ms: int) -> KnownDevice:
        device = self._device(name)
        if device is None:
            raise NotSigned("the device is not enrolled here")
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        key = seal.public_key(device.public_key)
        found = self._known[name] = KnownDevice(device.device, key, device.epoch, now_ms)
        return found

    def verify(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Caller:
        """Return the caller. Raises Problem."""
        try:
            said = http_signature.read(method, path, query, body, headers)
            device = self._device(said.device)
            if device is None:
                raise NotSigned("the device is not enrolled here")
            said.verify(seal.public_key(device.public_key))
        except NotSigned as wrong:
            raise _refused("NOT_AUTHENTICATED", f"{wrong}. Sign the request with the device's key") from None
        self._check(said, device.epoch)
        return Caller(device, said.epoch)

    def _check(self, said: http_signature.Signature, epoch: int) -> None:
        if said.epoch != epoch:
            raise _refused("OLD_EPOCH", f"epoch {said.epoch} is over; the device is in epoch {epoch}")
        now_ms = self._edge.now_ms()
        if abs(said.created_s - now_ms // 1000) > WINDOW_S:
            raise Problem(
                401,
                "CLOCK_SKEW",
                f"The request's time is more than {WINDOW_S} s from the centre's. Set it and sign again",
                next_action=NextAction.TRY_LATER,
                retryable=True,
                centre_time=calendar.from_ms(now_ms).isoformat(timespec="milliseconds"),
            )
        if not self._nonces.first_time(said.device, said.nonce, now_ms // 1000):
            raise _refused("REPLAYED", "This signed request was heard before. Sign again with a new nonce")

    def _device(self, name: str) -> Device | None:
        rows = Rows()
        # One row is of one state by itself: no transaction is begun and ended for it, at each request.
        with self._edge.engine.connect() as connection:
            store.load(connection, [(Device, (name,))], rows)
        return rows.get(Device, name)


async def signed_by_device(
    connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    """Let the request pass when a device signed it, and note which. Raises Problem."""
    assert isinstance(connection, Request)
    signatures: Signatures = connection.app.state.signatures
    body, scope = await connection.body(), connection.scope
    connection.state.caller = await sync_to_thread(
        signatures.verify,
        connection.method,
        scope["raw_path"].decode("ascii", "replace"),
        scope["query_string"].decode("ascii", "replace"),
        body,
        covered(scope["headers"])[0],
    )


SIGNED = [has_json, signed_by_device]
"""What guards every agent's address but enrolment."""


def _refused(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, next_action=NextAction.CALL_SUPPORT)


def covered(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], bytes]:
    """Return the headers that a signature covers, and the content type.

    A header that stands twice counts as missing. Servers hand names over in lower case.
    """
    found: dict[str, str] = {}
    twice, kind = set(), b""
    for name_bytes, value in raw:
        name = _COVERED.get(name_bytes)
        if name is not None:
            if name in found:
                twice.add(name)
            found[name] = value.decode("latin-1")
        elif name_bytes == b"content-type":
            kind = value
    return ({name: found[name] for name in found if name not in twice} if twice else found), kind
