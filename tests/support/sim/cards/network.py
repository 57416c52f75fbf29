"""How is an emulated terminal reached over TCP: one that speaks nexo, and one behind a vendor's MIS client?

The client's records have no place for our order number. Whose sale it is, the books here know from the child
that has asked for it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from sim.cards import wishes
from sim.cards.terminal import MERCHANT, WORK_S, Note, WithBooks
from sim.cards.wishes import CHILD_DIES, Wish
from sim.scheduler import Process
from sim.sockets import Address, Door, End, TcpHere
from sim.threads import Here
from terminal_agent.emulators import wire
from terminal_agent.emulators.acquirer import Transaction
from terminal_agent.emulators.books import Line
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.mis import MisClient
from terminal_agent.emulators.network_faults import MIS_KNOWN, NEXO_KNOWN
from terminal_agent.emulators.nexo import NexoTerminal
from terminal_agent.emulators.run_network import Brain


class OnNetwork(WithBooks):
    """A terminal with an address. Fits the emulators' `Network`."""

    brain: Brain

    def __init__(
        self, number: str, kind: str, address: Address, folder: Path, note: Note, *, lax: bool
    ) -> None:
        super().__init__(number, kind, folder, note, lax=lax)
        self.address = address
        self._open: dict[int, End] = {}
        self._count = 0
        Door(address, self.process, self._welcome)

    def write(self, number: int, data: bytes) -> None:
        """Send to a connection, when somebody is still there."""
        end = self._open.get(number)
        if end is not None and not end.is_broken:
            end.sendall(data)

    def hang_up(self, number: int) -> None:
        """Close a connection."""
        end = self._open.pop(number, None)
        if end is not None:
            end.close()

    def unplug_for(self, seconds: float) -> None:
        self._note(self.number, f"unplugged for {seconds:g} s")
        TcpHere.away.add(self.address)
        for number in list(self._open):
            self.hang_up(number)
        self._later(seconds, self.plug_in)

    def plug_in(self) -> None:
        TcpHere.away.discard(self.address)

    def asker(self, number: int) -> Process:
        """Return the process that has made a connection."""
        return self._open[number].peer.process

    def _welcome(self, end: End) -> None:
        self._count += 1
        number = self._count
        self._open[number] = end

        def hear(data: bytes) -> None:
            if not data:
                self.hang_up(number)
            self.brain.hear(number, data)
            self._note_books()

        end.hears = hear


class Nexo(OnNetwork):
    """A terminal that speaks nexo."""

    wishes = wishes.NEXO

    def __init__(self, number: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(number, kind, (f"{number}.terminal", 4000), folder, note, lax=lax)
        self.faults = Faults(NEXO_KNOWN)
        self.brain = NexoTerminal(number, self.books, self.faults, self, self._later, WORK_S)


class Mis(OnNetwork):
    """A terminal behind its vendor's client."""

    wishes = wishes.MIS

    def __init__(self, number: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(number, kind, (f"{number}.client", 7000), folder, note, lax=lax)
        self.faults = Faults(MIS_KNOWN)
        self.brain = _Knowing(self)
        self._dying = 0

    def arm(self, wish: Wish) -> None:
        if wish["fault"] == CHILD_DIES:
            self._dying += 1
        else:
            super().arm(wish)

    def file_lines(self) -> Sequence[Line]:
        """Return the lines as the acquirer has them: it has never heard our order number."""
        return [dataclasses.replace(line, pay_ref="") for line in self.books.lines]

    def heard(self, child: Process) -> None:
        """Note that a child has asked for money: it may die before it has the answer."""
        if self._dying:
            self._dying -= 1
            self._note(child.name, "dies")
            Here.scheduler.step(self.process, "a child dies", lambda: Here.scheduler.kill(child), WORK_S / 2)


class _Knowing(MisClient):
    """The emulated client, whose books have our order number."""

    def __init__(self, terminal: Mis) -> None:
        own = (terminal.number, MERCHANT)
        super().__init__(own, terminal.books, terminal.faults, terminal, terminal._later, WORK_S)
        self._terminal = terminal

    def _begin(self, number: int, transaction: Transaction, nonce: bytes) -> None:
        child = self._terminal.asker(number)
        if transaction.type == wire.SALE:
            transaction.order = child.pay_ref
        self._terminal.heard(child)
        super()._begin(number, transaction, nonce)
