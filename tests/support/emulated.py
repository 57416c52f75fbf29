"""What is common to all that `terminal-agent emulate` runs, each a process of its own?"""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, ClassVar, Self

REPO = Path(__file__).resolve().parents[2]


class Emulated:
    """One that is running. Use as a context, or stop it. `ready` is what it said when it was."""

    KIND: ClassVar[str]

    def __init__(self, process: subprocess.Popen[str], books_file: Path, ready: dict[str, Any]) -> None:
        self._process = process
        self.books_file = books_file
        self.ready = ready
        self.control = str(ready["control"])

    @classmethod
    def start(cls, folder: Path, **options: object) -> Self:
        """Start one whose files lie in `folder`. Options are those of the command: `work_ms=20`.

        `fault=["lost_answer"]` may be given several times, and `batch=True` is a flag.
        """
        settings = {**cls._settings(folder), **options}
        command = [sys.executable, "-m", "terminal_agent.emulators.cli", cls.KIND]
        for key, value in settings.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{key.replace('_', '-')}", *([] if one is True else [str(one)])]
        process = subprocess.Popen(
            command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, complaint = process.communicate()
            raise RuntimeError(f"the emulator did not start: {complaint}")
        return cls(process, Path(str(settings["books"])), json.loads(line))

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        """Return the options that it has unless told otherwise."""
        return {"books": folder / f"{cls.KIND}-books.jsonl"}

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def books(self) -> list[dict[str, Any]]:
        """Return what it has booked."""
        answer = self.call("GET", "/books")
        assert isinstance(answer, list)
        return answer

    def fault(self, name: str, **options: object) -> None:
        """Arm a fault for what comes next."""
        self.call("POST", "/faults", {"fault": name, **options})

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.call("DELETE", "/faults")

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
        assert complaint == "", complaint

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
