"""A terminal that stays as it is and its acquirer, as two processes, with a relay's profile between them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from acquirer import REPO, EmulatedAcquirer
from story.processes import free_port
from watched_line import profile_text

# A terminal waits for its host as long as the profile believes. Long enough for a busy machine.
_HOST_MS = 1500
_ARMED_MS = 8000
_RESOLVER_MS = 6000


class Waits(NamedTuple):
    """How long a terminal on a serial line waits for its host, and for an ACK.

    Three times for an ACK has to be longer than a relay takes to open a port again.
    """

    host_ms: int = _HOST_MS
    ack_ms: int = 1000


PATIENT = Waits(host_ms=3500)  # longer than the relay waits for an ACK
BRISK = Waits(host_ms=1000, ack_ms=500)  # where no port is opened meanwhile


class ByHand(NamedTuple):
    """Where the terminal calls, the relay's profile, and both control addresses."""

    port: str
    profile: str
    terminal: str
    control: str


@contextmanager
def watched_by_hand(folder: Path, number: str, on_serial: Waits | None = None) -> Iterator[ByHand]:
    """Start both, the acquirer's files in `folder`. `on_serial`: the terminal hands its frames over."""
    waits = on_serial or Waits()
    command = ["-m", "terminal_agent.emulators.cli", "line-terminal", "--terminal-no", number]
    command += ["--wait-ms", str(waits.host_ms)]
    with EmulatedAcquirer.start(folder, mac="none") as host:
        ip, _, host_port = host.address.rpartition(":")
        times_ms = {"host_timeout_ms": min(waits.host_ms, _HOST_MS), "armed_for_ms": _ARMED_MS}
        if on_serial is not None:
            port = str(folder / "terminal")
            command += ["--acquirer", host.address, "--serial", port, "--ack-wait-ms", str(waits.ack_ms)]
            times_ms |= {"resolver_ms": _RESOLVER_MS}
        else:
            port = f"127.0.0.1:{free_port()}"
            command += ["--acquirer", port]
        text = profile_text((ip, int(host_port)), on_serial=on_serial is not None, **times_ms)
        process = subprocess.Popen([sys.executable, *command], cwd=REPO, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            terminal = json.loads(process.stdout.readline())["control"]
            yield ByHand(port, text, terminal, host.control)
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()
