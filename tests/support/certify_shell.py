"""How do tests run `terminal-agent certify`, and who else may answer at an address meanwhile?"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from story.processes import BIN
from typer.testing import CliRunner

from terminal_agent.cli import app


class Done(NamedTuple):
    """What the command said."""

    stdout: str
    stderr: str


def certify(config: Path, *arguments: str, typed: str = "", code: int = 0) -> Done:
    """Run the command as a process of its own."""
    done = subprocess.run(
        [str(BIN / "terminal-agent"), "certify", "--config", str(config), *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return Done(done.stdout, done.stderr)


def here(config: Path, *arguments: str, typed: str = "", code: int = 0) -> Done:
    """Run the command in this process, which is soon there."""
    done = CliRunner().invoke(app, ["certify", "--config", str(config), *arguments], input=typed)
    assert done.exit_code == code, done.output
    return Done(done.stdout, done.stderr)


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    """Let a server answer until the block ends, and yield its address."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
