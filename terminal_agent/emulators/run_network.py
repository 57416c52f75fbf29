"""How is an emulated terminal on the network put together, started and stopped?"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import IO, Protocol

from terminal_agent.emulators.books import Books
from terminal_agent.emulators.control import Control
from terminal_agent.emulators.faults import Faults, Kind, read_wish
from terminal_agent.emulators.loop import Loop
from terminal_agent.emulators.mis import MisClient
from terminal_agent.emulators.network_faults import MIS_KNOWN, NEXO_KNOWN
from terminal_agent.emulators.nexo import Network, NexoTerminal
from terminal_agent.emulators.run_terminal import Settings, routes, stopped_by_signals
from terminal_agent.emulators.tcp_link import TcpLink, tls_of


class Brain(Protocol):
    """What decides."""

    def hear(self, number: int, received: bytes) -> None:
        """React to what came over a connection; nothing: it is gone."""


def _nexo(settings: Settings, books: Books, faults: Faults, network: Network, loop: Loop) -> Brain:
    return NexoTerminal(settings.terminal_no, books, faults, network, loop.later, settings.work_ms / 1000)


def _mis(settings: Settings, books: Books, faults: Faults, network: Network, loop: Loop) -> Brain:
    own = (settings.terminal_no, settings.merchant_no)
    return MisClient(own, books, faults, network, loop.later, settings.work_ms / 1000)


NETWORK_KINDS: Mapping[str, tuple[Callable[..., Brain], Mapping[str, Kind]]] = {
    "nexo": (_nexo, NEXO_KNOWN),
    "mis": (_mis, MIS_KNOWN),
}
"""Terminals on the network, by the name on the command line, with the faults that each knows."""


class Cable:
    """The terminal's end of its connections, with its transcript. Fits `Network`."""

    def __init__(self, link: TcpLink, loop: Loop, transcript: IO[str] | None) -> None:
        self._link = link
        self._loop = loop
        self._transcript = transcript

    def write(self, number: int, data: bytes) -> None:
        """Send to one of them."""
        self._note("terminal", data)
        self._link.write(number, data)

    def read(self) -> list[tuple[int, bytes]]:
        """Return (connection, bytes) of what has arrived."""
        found = self._link.read()
        for _, received in found:
            self._note("till", received)
        return found

    def hang_up(self, number: int) -> None:
        """Close one of them."""
        self._link.hang_up(number)

    def unplug_for(self, seconds: float) -> None:
        """Close all, and be away for so long."""
        if self._link.is_plugged_in:
            self._link.unplug()
            self._loop.later(seconds, self._link.plug_in)

    def _note(self, sender: str, data: bytes) -> None:
        if self._transcript is not None and data:
            note = {"at_ms": time.time_ns() // 1_000_000, "from": sender, "hex": data.hex()}
            self._transcript.write(json.dumps(note) + "\n")
            self._transcript.flush()


def run_network(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable or OSError before it is ready.

    `settings.link` is the address, of this host: "127.0.0.1:4000"; port 0: any.
    """
    make, known = NETWORK_KINDS[settings.kind]
    faults = Faults(known)
    for wish in settings.faults:
        faults.arm(read_wish(wish, known))
    with ExitStack() as stack:
        books = Books(settings.books, settings.terminal_no, settings.merchant_no)
        stack.callback(books.close)
        transcript = None
        if settings.transcript is not None:
            transcript = stack.enter_context(settings.transcript.open("a", encoding="utf-8"))
        loop = Loop()
        stack.callback(loop.close)
        tls = tls_of(settings.certificate, settings.clients)
        link = TcpLink(int(str(settings.link).rpartition(":")[2]), tls)
        stack.callback(link.close)
        cable = Cable(link, loop, transcript)
        brain = make(settings, books, faults, cable, loop)

        def hear() -> None:
            for number, received in cable.read():
                brain.hear(number, received)

        control = Control(settings.control_port, routes(loop, faults, books, cable.unplug_for, known), known)
        stack.callback(control.close)
        stack.enter_context(stopped_by_signals(loop))
        link.plug_in()
        print(json.dumps({"ready": True, "control": control.address, "link": link.address}), flush=True)
        loop.run(link, hear)
