"""How are faults made between us and a terminal that calls us, as it called its acquirer before?

A relay's port and the connections to it, with our hands on them.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from terminal_agent.certify import our_end
from terminal_agent.certify.our_end import PowerCut
from terminal_agent.certify.watched_ends import GARBAGE, MOST_AT_ONCE, MOST_LATE_S, WHERE_IT_CALLS, Hands
from terminal_agent.terminals.relay.cut_frames import LARGEST
from terminal_agent.terminals.relay.forward import Address

_TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


class Door(socket.socket):
    """The port that the terminal calls."""

    def __init__(self, relay: Hands, door: socket.socket) -> None:
        super().__init__(fileno=door.detach())
        self._relay = relay

    def accept(self) -> tuple[socket.socket, Address]:
        try:
            line, address = super().accept()
        except OSError:
            if self._relay.is_dead:
                raise PowerCut from None
            raise
        if self._relay.is_dead:
            line.close()
            raise PowerCut
        return _TerminalsEnd(self._relay, line), address


class _TerminalsEnd(socket.socket):
    """A connection that the terminal has made."""

    def __init__(self, relay: Hands, line: socket.socket) -> None:
        super().__init__(fileno=line.detach())
        self._relay = relay
        self._passed = relay.keep(self, is_terminals=True)
        self._fault = ""
        self._then: Callable[[], bytes] | None = None

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """Return what comes from the terminal."""
        then, self._then = self._then, None
        came = then() if then is not None else self._disturbed(self._frame())
        self._passed.came += came
        return came

    def sendall(self, data: bytes) -> None:  # type: ignore[override]  # the relay sends bytes
        """Send what goes to the terminal."""
        self._passed.went += data
        fault, self._fault = self._fault, ""
        if fault == our_end.TORN_TO_TERMINAL:
            super().sendall(data[: len(data) // 2])
        if fault in (our_end.LOST_TO_TERMINAL, our_end.TORN_TO_TERMINAL):
            self._break()
        try:
            self._relay.end.send(data, super().sendall, self._relay.die)
        except PowerCut:
            raise ConnectionResetError from None

    def _frame(self) -> bytes:
        """Return a whole frame, or what has come when it is none."""
        came = super().recv(MOST_AT_ONCE)
        while came and _is_begun(came) and (more := super().recv(MOST_AT_ONCE)):
            came += more
        return came

    def _disturbed(self, frame: bytes) -> bytes:
        half = len(frame) // 2
        fault = self._relay.end.strike(self._relay.look(frame), WHERE_IT_CALLS)
        match fault:
            case our_end.LOST_TO_US:
                self._break()
            case our_end.TORN_TO_US:
                self._then = self._break
                return frame[:half]
            case our_end.HELD_REQUEST:
                self._then = partial(self._hold, lambda: frame[half:])
                return frame[:half]
            case our_end.HELD_AND_TORN:
                self._then = partial(self._hold, self._break)
                return frame[:half]
            case our_end.UNPLUG:
                self._relay.is_unplugged = True
                self._then = self._break_once_answered
            case our_end.DOUBLED_TO_US:
                return frame * 2
            case our_end.NOISE_TO_US:
                return GARBAGE + frame
            case our_end.ENCRYPTED_TO_US:
                return _TLS_HELLO
            case _:
                self._fault = fault
        return frame

    def _hold(self, then: Callable[[], bytes]) -> bytes:
        self._relay.end.hold()
        return then()

    def _break_once_answered(self) -> bytes:
        # Sooner, the terminal's reversal might overtake at the acquirer what it is to undo.
        self._relay.answered.take(MOST_LATE_S)
        return self._break()

    def _break(self) -> bytes:
        with suppress(OSError):
            socket.socket.shutdown(self, socket.SHUT_RDWR)
        raise ConnectionResetError


def _is_begun(came: bytes) -> bool:
    """Whether these bytes are the beginning of a frame, and not the whole of it."""
    if len(came) < 2:
        return True
    length = int.from_bytes(came[:2])
    return length <= LARGEST and len(came) < length + 2
