"""Every driver of a card terminal beside its emulator, and the line between them in a test's hands."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emulator import MIS_FILE, NEXO_FILE, PROFILE_FILES, EmulatedTerminal, short_profile, short_text

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.exchange import Link
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.link_tcp import open_tcp
from terminal_agent.terminals.nexo_profile import read_nexo_profile
from terminal_agent.terminals.nexo_tcp import NexoTerminal
from terminal_agent.terminals.serial_ecr import DrivenTerminal

KINDS = (*PROFILE_FILES, "nexo", "mis")


class PowerCut(BaseException):
    """The till is dead: nothing of the agent runs after this."""


class Cut:
    """Lets so many bytes of ours leave, then the power is gone. None: never."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.sent = 0

    def passing(self, data: bytes) -> bytes:
        """Return what of `data` still leaves."""
        self.sent += len(data)
        if self.left is None:
            return data
        going = data[: self.left]
        self.left -= len(going)
        return going

    @property
    def is_now(self) -> bool:
        """Whether the power is gone."""
        return self.left is not None and self.left <= 0


class CutLink:
    """A line whose till loses its power after so many bytes. Fits `exchange.Link`."""

    def __init__(self, link: Link, cut: Cut) -> None:
        self._link = link
        self._cut = cut

    def write(self, data: bytes) -> None:
        """Send what still leaves."""
        whole = len(data)
        going = self._cut.passing(data)
        if going:
            self._link.write(going)
        if len(going) < whole or self._cut.is_now:
            self._link.close()
            raise PowerCut

    def read(self, wait_s: float) -> bytes:
        """Pass on."""
        return self._link.read(wait_s)

    def close(self) -> None:
        """Pass on."""
        self._link.close()


class CutProxy:
    """A port between a MIS child and its emulator that hangs up after so many bytes of a request."""

    def __init__(self, far: str) -> None:
        host, _, port = far.rpartition(":")
        self._far = (host, int(port))
        self.cut = Cut()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            with near, suppress(OSError), socket.create_connection(self._far, timeout=5) as far:
                request = near.recv(4096)
                going = self.cut.passing(request)
                if going:
                    far.sendall(going)
                if len(going) < len(request) or self.cut.is_now:
                    continue
                far.settimeout(3)
                while answer := far.recv(4096):
                    near.sendall(answer)
                    if len(answer) >= 148:
                        break


class Bench:
    """One driver and its emulator."""

    def __init__(self, kind: str, emulator: EmulatedTerminal, make: Callable[[Cut], Payment]) -> None:
        self.kind = kind
        self.emulator = emulator
        self._make = make

    def payment(self, cut: Cut | None = None) -> Payment:
        """Return a driver that remembers nothing, with a line that may be cut."""
        return self._make(Cut() if cut is None else cut)

    def moved(self, since: int) -> list[tuple[str, int]]:
        """Return what has moved since so many lines."""
        lines = self.emulator.books()[since:]
        return [(one["kind"], one["fen"]) for one in lines if one["kind"] in ("sale", "void", "refund")]


@contextmanager
def bench_of(kind: str, folder: Path, clock: Clock) -> Iterator[Bench]:
    """Start an emulator and yield it with its driver."""
    link = {} if kind in PROFILE_FILES else {"link": "127.0.0.1:0"}
    with EmulatedTerminal.start(folder, work_ms=0, kind=kind, **link) as emulator:
        if kind in PROFILE_FILES:
            profile = short_profile(kind)

            def serial(cut: Cut) -> Payment:
                return DrivenTerminal(
                    profile, lambda: CutLink(open_serial(str(emulator.link), profile.line), cut), clock
                )

            yield Bench(kind, emulator, serial)
        elif kind == "nexo":
            of_nexo = read_nexo_profile(short_text(NEXO_FILE), NEXO_FILE.name)
            host, _, port = str(emulator.link).rpartition(":")

            def nexo(cut: Cut) -> Payment:
                return NexoTerminal(
                    of_nexo, "EMU00001", lambda: CutLink(open_tcp(host, int(port), 1), cut), clock
                )

            yield Bench(kind, emulator, nexo)
        else:
            text = short_text(MIS_FILE, answer_wait_ms=4000, answer_cap_ms=4000, status_wait_ms=4000)
            proxy = CutProxy(str(emulator.link))

            def mis(cut: Cut) -> Payment:
                proxy.cut = cut
                return DRIVERS["mis_fixed"](f"tcp:{proxy.address}", text, "x.yaml").payment(clock)

            try:
                yield Bench(kind, emulator, mis)
            finally:
                proxy.close()
