"""How is the serial port of a terminal opened, read and written, and what happens when its cable is pulled?

The only file that knows pyserial. A port is opened for one conversation and closed after it, so the till's
own software can take a plain payment between two of ours. While we have it nobody else who asks
for it exclusively gets it.
"""

from collections.abc import Callable
from types import TracebackType

import serial

from terminal_agent.checkout.ports import Clock
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.profile import Line

try:
    from termios import error as _termios_error
except ImportError:  # Windows has no termios, and pyserial raises nothing of the kind there
    _termios_error = OSError  # type: ignore[misc,assignment]

_TROUBLE = (OSError, ValueError, _termios_error)  # SerialException is an OSError

_WRITE_WAIT_S = 2.0  # a frame of ours takes a third of a second at 9600 baud
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}

OpenLink = Callable[[], Link]


class SerialLink:
    """An open serial port. Fits `exchange.Link`."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def write(self, data: bytes) -> None:
        """Send all of `data` and wait until the port has taken it."""
        try:
            self._port.write(data)
            self._port.flush()
        except _TROUBLE:
            raise _lost() from None

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s` for its first byte; empty if none came."""
        try:
            if self._port.timeout != wait_s:
                self._port.timeout = wait_s
            first = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else b""
        except _TROUBLE:
            raise _lost() from None

    def close(self) -> None:
        """Give the port back to whoever wants it next."""
        try:
            self._port.close()
        except _TROUBLE:
            # The device is gone and its handle with it: there is nothing left to give back.
            return

    def __enter__(self) -> "SerialLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_serial(path: str, line: Line) -> SerialLink:
    """Open the port at `path` for us alone, with DTR and RTS off; what waited in it is thrown away."""
    port = serial.Serial()
    port.port = path
    port.baudrate = line.baud
    port.parity = _PARITIES[line.parity]
    port.stopbits = line.stop_bits
    port.write_timeout = _WRITE_WAIT_S
    port.exclusive = True
    # Some terminals take a raised line as a power-up or a start of their own menu.
    port.dtr = False
    port.rts = False
    try:
        port.open()
    except _TROUBLE:
        raise LinkFault(
            f"The terminal's port {path} is not there or in use. "
            "Check its cable and power, and that no other program has it open"
        ) from None
    return SerialLink(port)


def open_patiently(open_link: OpenLink, clock: Clock, for_s: float) -> Link:
    """Open the line, trying again for `for_s`: a cable is pushed back in, a port given free."""
    until = clock.steady_ms() + round(for_s * 1000)
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return open_link()
        except LinkFault:
            if clock.steady_ms() + round(pause_s * 1000) > until:
                raise
        clock.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _lost() -> LinkFault:
    return LinkFault("The line to the terminal was lost. Check its cable and power")
