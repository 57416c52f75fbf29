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


class ByHand(NamedTuple):
    """Where the terminal calls, the relay's profile, and both control addresses."""

    port: str
    profile: str
    terminal: str
    control: str


@contextmanager
def watched_by_hand(folder: Path, number: str) -> Iterator[ByHand]:
    """Start both, the acquirer's files in `folder`."""
    port = f"127.0.0.1:{free_port()}"
    command = ["-m", "terminal_agent.emulators.cli", "line-terminal", "--acquirer", port]
    command += ["--terminal-no", number, "--wait-ms", str(_HOST_MS)]
    with EmulatedAcquirer.start(folder, mac="none") as host:
        ip, _, host_port = host.address.rpartition(":")
        text = profile_text((ip, int(host_port)), host_timeout_ms=_HOST_MS, armed_for_ms=_ARMED_MS)
        process = subprocess.Popen([sys.executable, *command], cwd=REPO, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            terminal = json.loads(process.stdout.readline())["control"]
            yield ByHand(port, text, terminal, host.control)
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()
