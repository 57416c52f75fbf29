"""An emulated card terminal as a process of its own, for every test that needs one."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from terminal_agent.terminals.profile import Profile, read_profile

REPO = Path(__file__).resolve().parents[2]
PROFILE_FILE = REPO / "config/terminals/stx_lrc.yaml"

# Long enough for a busy machine, short enough for a test of every fault.
SHORT_MS = {
    "ack_wait_ms": 300,
    "gap_ms": 100,
    "status_wait_ms": 900,
    "answer_wait_ms": 600,
    "answer_cap_ms": 1400,
    "host_timeout_ms": 200,
    "poll_every_ms": 100,
    "poll_for_ms": 1000,
    "resolver_ms": 2000,
}


# Each way of writing that the emulator knows on a serial line, and the shipped profile for it.
PROFILE_FILES = {
    "allinpay": PROFILE_FILE,
    "separated": REPO / "config/terminals/separated.yaml",
    "separated_7f": REPO / "config/terminals/separated_7f.yaml",
}


NEXO_FILE = REPO / "config/terminals/nexo_tcp.yaml"
MIS_FILE = REPO / "config/terminals/mis_fixed.yaml"
NETWORK_MS = {"connect_ms": 500, "abort_wait_ms": 150}


def short_text(file: Path, **changes_ms: int) -> str:
    """Return a shipped profile of any driver with waits that a test can afford."""
    text = file.read_text(encoding="utf-8")
    for key, value in {**SHORT_MS, **NETWORK_MS, **changes_ms}.items():
        text = re.sub(rf"^(  {key}: )[0-9]+", rf"\g<1>{value}", text, flags=re.MULTILINE)
    return text


def short_profile_text(kind: str = "allinpay", **changes_ms: int) -> str:
    """Return a shipped profile with waits that a test can afford."""
    text = PROFILE_FILES[kind].read_text(encoding="utf-8")
    for key, value in {**SHORT_MS, **changes_ms}.items():
        text, found = re.subn(rf"^(  {key}: )[0-9]+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert found == 1, key
    return text


def short_profile(kind: str = "allinpay", **changes_ms: int) -> Profile:
    """Return a shipped profile, read, with waits that a test can afford."""
    return read_profile(short_profile_text(kind, **changes_ms), PROFILE_FILES[kind].name)


class EmulatedTerminal:
    """A running `terminal-agent emulate terminal`. Use as a context, or stop it."""

    def __init__(self, process: subprocess.Popen[str], link: Path, books_file: Path, control: str) -> None:
        self._process = process
        self.link = link
        self.books_file = books_file
        self.control = control

    @classmethod
    def start(cls, folder: Path, name: str = "terminal", **options: object) -> "EmulatedTerminal":
        """Start one whose files lie in `folder`. Options are those of the command: `work_ms=20`.

        `fault=["lost_answer"]` may be given several times; `books` defaults to a file beside the link.
        """
        settings: dict[str, object] = {
            "link": folder / name,
            "books": folder / f"{name}-books.jsonl",
            "work_ms": 20,
            **options,
        }
        command = [sys.executable, "-m", "terminal_agent.emulators.cli", "terminal"]
        for key, value in settings.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{key.replace('_', '-')}", str(one)]
        process = subprocess.Popen(
            command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            complaint = process.stderr.read()
            process.wait()
            process.stdout.close()
            process.stderr.close()
            raise RuntimeError(f"the emulator did not start: {complaint}")
        ready = json.loads(line)
        assert ready["ready"] is True
        return cls(process, Path(ready["link"]), Path(str(settings["books"])), ready["control"])

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def books(self) -> list[dict[str, Any]]:
        """Return what its acquirer has booked."""
        answer = self.call("GET", "/books")
        assert isinstance(answer, list)
        return answer

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money under `pay_ref`."""
        lines = [line for line in self.books() if line["pay_ref"] == pay_ref]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in ("sale", "void", "refund")]

    def fault(self, name: str, **options: object) -> None:
        """Arm a fault for what comes next."""
        self.call("POST", "/faults", {"fault": name, **options})

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.call("DELETE", "/faults")

    def unplug(self, ms: int) -> None:
        """Pull its cable for so long; it is out when this returns."""
        self.call("POST", "/unplug", {"ms": ms})

    def settle(self) -> None:
        """Close its batch, as the shop does in the evening: what is in it can no longer be voided."""
        self.call("POST", "/settle", {})

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask its control address. An answer other than 200 raises urllib's HTTPError."""
        request = urllib.request.Request(
            self.control + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End it as an operator would, and expect it to go in order."""
        self._end(signal.SIGTERM, expected=0)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL, expected=-signal.SIGKILL)

    def _end(self, how: signal.Signals, expected: int) -> None:
        if self._process.returncode is not None:
            return
        self._process.send_signal(how)
        try:
            _, complaint = self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        assert self._process.returncode == expected, complaint
        assert complaint == ""

    def __enter__(self) -> "EmulatedTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
