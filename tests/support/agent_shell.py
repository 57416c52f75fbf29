"""How do tests run the agent's commands, as shop IT does, and who else may answer at an address?"""

import gc
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from typer.testing import CliRunner

from terminal_agent.cli import app

DONE, CONFIG, LOOK, DOWN, REFUSED = 0, 3, 4, 5, 6
CODE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789abcdef"


def end(*arguments: str) -> tuple[int, str, str]:
    """Run a command in this process and return (exit code, stdout, stderr)."""
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    ended = (done.exit_code, done.stdout, done.stderr)
    # A command ends with its process, which lets go of the journal; here nobody else does.
    del done
    gc.collect()
    return ended


def run(host: Any, *words: str, code: int) -> dict[str, Any]:
    """Run a command twice, for people and for programs, and return its document."""
    arguments = [*words, "--config", str(host.config)]
    plain_code, for_people, said = end(*arguments)
    json_code, for_programs, said_again = end(*arguments, "--json")
    assert (plain_code, json_code) == (code, code), (for_people, said)
    assert "Traceback" not in said + said_again
    document: dict[str, Any] = json.loads(for_programs)  # one, and nothing else
    if code in (CONFIG, DOWN, REFUSED):
        assert for_people == ""
        assert said == said_again
        assert said.count("\n") == 1
        assert document == {"error": said.strip(), "exit_code": code}
    return document


class Answering(BaseHTTPRequestHandler):
    """A program that is not ours, at our address or the centre's."""

    said = (200, "application/json", b"{}")

    def do_GET(self) -> None:
        status, kind, content = self.said
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def strangers() -> Iterator[Any]:
    """Let programs that are not ours answer at ports, until the block ends."""
    servers: list[HTTPServer] = []

    def listen(port: int, *said: Any) -> None:
        handler = type("Handler", (Answering,), {"said": said})
        server = HTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)

    try:
        yield listen
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
