"""Which processes does the story run, and how are they started, cut off, killed and stopped?"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

BIN = Path(sys.executable).parent
# A busy machine takes its time to start a program.
_START_S = 60.0
_STORY_S = 240
# Systems take the ports of outgoing connections from above these.
_BELOW_CONNECTIONS = range(10_000, 32_000)


class StoryBroken(Exception):
    """Something of the story did not happen."""


class Process:
    """One program of ours, with its output in a file."""

    def __init__(self, folder: Path, name: str, command: list[str]) -> None:
        self.name = name
        self._folder = folder
        self._command = [str(BIN / command[0]), *command[1:]]
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        """Start it; its output is appended to NAME.log and NAME.out."""
        with (
            (self._folder / f"{self.name}.out").open("ab") as out,
            (self._folder / f"{self.name}.log").open("ab") as log,
        ):
            self._running = subprocess.Popen(
                self._command, stdout=out, stderr=log, cwd=self._folder, start_new_session=True
            )

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._running is not None and self._running.poll() is None

    def wait_dead(self, for_s: float = 30) -> None:
        """Wait until it has ended by itself or was killed."""
        assert self._running is not None
        self._running.wait(for_s)

    def stop(self) -> None:
        """Ask it to end, then make it."""
        if self._running is None or self._running.poll() is not None:
            return
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(10)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait(10)

    def log(self) -> str:
        """Return what it wrote to its log."""
        path = self._folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else "(not started)"


def run(folder: Path, command: list[str], expected: int = 0, *, typed: str = "", token: str = "") -> str:
    """Run one of our commands to its end, with `typed` on its standard input, and return what it printed.

    With a `token` it is that user's command, else that of this account.
    """
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, "SETTLEMENT_TOKEN": token} if token else None,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != expected:
        raise StoryBroken(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def wait_for(what: str, ready: Callable[[], Any], for_s: float = _START_S) -> Any:
    """Ask `ready` until it gives something, and return that."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise StoryBroken(f"{what}: did not happen within {for_s:.0f} s")


def keep_clear_of_midnight() -> None:
    """Wait while the day in Shanghai is about to end: the story is of one day, and ends with its night."""
    seconds_left = 86_400 - (time.time() + 8 * 3600) % 86_400
    if seconds_left < _STORY_S:
        print(f"The day ends in {seconds_left:.0f} s in Shanghai: waiting for the next one", flush=True)
        time.sleep(seconds_left + 1)


def ask(method: str, url: str, **options: Any) -> requests.Response:
    """Ask a program on this host, never through a proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **options)


def answers(url: str) -> bool:
    """Whether somebody answers 200 at `url`."""
    try:
        return ask("GET", url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def free_port() -> int:
    """Return a port that nobody uses now and that no connection is given by itself.

    Who is told it listens there later, perhaps again after a restart.
    """
    while True:
        port = random.choice(_BELOW_CONNECTIONS)  # noqa: S311
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def must_be_free(port: int) -> None:
    """Raise StoryBroken when `port` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StoryBroken(f"port {port} is in use: stop what listens there") from None


class Emulator(Process):
    """The other side of a way of paying, with books of its own and an address to make things go wrong."""

    def __init__(self, folder: Path, name: str, books: Path, command: list[str]) -> None:
        super().__init__(folder, name, ["terminal-agent", "emulate", *command, "--books", str(books)])
        self.books = books
        self.ready: dict[str, Any] = {}

    def start(self) -> None:
        """Start it and wait until it is ready."""
        super().start()
        out = self._folder / f"{self.name}.out"
        line = wait_for(self.name, lambda: out.read_text().strip())
        self.ready = json.loads(line.splitlines()[-1])

    @property
    def _control(self) -> str:
        return str(self.ready["control"])

    def arm(self, fault: str, **options: int | str | bool) -> None:
        """Make the next transaction go wrong."""
        answer = ask("POST", f"{self._control}/faults", json={"fault": fault, **options}, timeout=5)
        if answer.status_code >= 300:
            raise StoryBroken(f"the emulator takes no {fault}: {answer.text}")

    def is_struck(self) -> bool:
        """Whether every fault that was armed has struck: what it was armed for is under way."""
        return not ask("GET", f"{self._control}/faults", timeout=5).json()["faults"]

    def mend(self) -> None:
        """Let nothing go wrong any more."""
        ask("DELETE", f"{self._control}/faults", timeout=5)

    def lines(self) -> list[dict[str, Any]]:
        """Return the acquirer's books."""
        text = self.books.read_text() if self.books.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def file(self, day: str) -> bytes:
        """Return the file of a day as the acquirer or channel would hand it out."""
        answer = ask("GET", f"{self._control}/file", params={"date": day}, timeout=10)
        if answer.status_code != 200:
            raise StoryBroken(f"{self.name} has no file of {day}: {answer.text}")
        return answer.content


class EmulatedTerminal(Emulator):
    """A card terminal with its acquirer."""

    def __init__(self, folder: Path, terminal_no: str) -> None:
        link = folder / f"tty-{terminal_no}"
        command = ["terminal", "--link", str(link), "--terminal-no", terminal_no, "--work-ms", "80"]
        super().__init__(folder, f"emulator-{terminal_no}", folder / f"acquirer-{terminal_no}.jsonl", command)

    def settle(self) -> None:
        """Let the acquirer end the batch: from now on its sales cannot be voided, only refunded."""
        answer = ask("POST", f"{self._control}/settle", json={}, timeout=10)
        if answer.status_code >= 300:
            raise StoryBroken(f"{self.name} does not settle: {answer.text}")


class EmulatedWechat(Emulator):
    """WeChat Pay, where the shopper types a password for a moment."""

    def __init__(self, folder: Path) -> None:
        command = ["wechat", "--keys", str(folder / "wechat-keys"), "--password-ms", "250"]
        super().__init__(folder, "emulator-wechat", folder / "wechat.jsonl", command)


class Cable:
    """The network between shop and centre: passes bytes until it is cut."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._whole = True
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut it: what is under way is lost, and nothing new gets through."""
        self._whole = False
        for end in self._ends:
            end.close()
        self._ends.clear()

    def mend(self) -> None:
        """Join it again."""
        self._whole = True

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            if not self._whole:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


def end_on_signal() -> None:
    """Let Ctrl-C and SIGTERM end the story in order, also when it was started with them ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
