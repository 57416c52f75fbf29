"""An emulated UnionPay as a process of its own, and channels that talk to it."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
from canaries import payment_code
from story.shop_files import with_values
from wechat import SHORT_MS, RealClock, new_ask

from terminal_agent.channels.unionpay import UnionPay, UnionPayShown, open_unionpay, open_unionpay_shown
from terminal_agent.channels.unionpay_profile import Profile, read_profile
from terminal_agent.checkout.ports import Ask

REPO = Path(__file__).resolve().parents[2]
PROFILE_FILE = REPO / "config/channels/unionpay.yaml"
FILES = ("certificate", "private_key", "root", "middle")


def profile_text(**values: object) -> str:
    """Return the shipped profile with some of its single values changed, by key."""
    return with_values(PROFILE_FILE.read_text(encoding="utf-8"), values)


def new_code() -> str:
    """Return a payment code that nobody has shown before."""
    return payment_code("62", 19)


def new_unionpay_ask(amount_fen: int = 85_000, pay_code: str | None = None) -> Ask:
    """Return an attempt that nobody has had before, with a payment code of its own."""
    return new_ask(amount_fen, new_code() if pay_code is None else pay_code)


def new_unionpay_shown_ask(amount_fen: int = 85_000, for_s: float = 900) -> Ask:
    """Return an attempt that nobody has had before, by a code that we show for so long."""
    until_ms = time.time_ns() // 1_000_000 + round(for_s * 1000)
    return msgspec.structs.replace(
        new_ask(amount_fen, ""), pay_code=None, show_until_ms=until_ms, show_for_s=round(for_s)
    )


class EmulatedUnionPay:
    """A running `terminal-agent emulate unionpay`. Use as a context, or stop it."""

    def __init__(self, process: subprocess.Popen[str], books_file: Path, ready: dict[str, Any]) -> None:
        self._process = process
        self.books_file = books_file
        self.ready = ready
        self.base_url = str(ready["base_url"])
        self.control = str(ready["control"])

    @classmethod
    def start(cls, folder: Path, **options: object) -> "EmulatedUnionPay":
        """Start one whose files lie in `folder`. Options are those of the command: `password_ms=20`."""
        settings: dict[str, object] = {
            "books": folder / "unionpay-books.jsonl",
            "keys": folder / "unionpay-keys",
            "password_ms": 300,
            **options,
        }
        command = [sys.executable, "-m", "terminal_agent.emulators.cli", "unionpay"]
        for key, value in settings.items():
            command += [f"--{key.replace('_', '-')}", str(value)]
        process = subprocess.Popen(
            command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, complaint = process.communicate()
            raise RuntimeError(f"the emulator did not start: {complaint}")
        return cls(process, Path(str(settings["books"])), json.loads(line))

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def profile_text(self, **values: object) -> str:
        """Return the shipped profile, pointed at this emulator, with waits that a test can afford."""
        mine = {name: self.ready[name] for name in ("base_url", "mer_id", "term_id", "name", *FILES)}
        return profile_text(**{**SHORT_MS, **mine, **values})

    def profile(self, **values: object) -> Profile:
        """Return that profile, read."""
        return read_profile(self.profile_text(**values), "unionpay.yaml", Path("/"), training=True)

    def channel(self, **values: object) -> UnionPay:
        """Return our side, talking to this emulator."""
        return open_unionpay(self.profile(**values), RealClock())

    def showing(self, **values: object) -> UnionPayShown:
        """Return our side that shows codes, talking to this emulator."""
        return open_unionpay_shown(self.profile(**values), RealClock())

    def scan(self, code: str) -> bool:
        """Be the shopper who scans a code and pays; return whether it was taken."""
        try:
            self.call("POST", "/scan", {"code": code})
        except urllib.error.HTTPError as refused:
            refused.close()
            return False
        return True

    def books(self) -> list[dict[str, Any]]:
        """Return what it has booked."""
        answer = self.call("GET", "/books")
        assert isinstance(answer, list)
        return answer

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money of the payment `pay_ref`."""
        kinds = ("charge", "reversal", "refund")
        lines = [line for line in self.books() if pay_ref in (line["order_id"], line["orig"])]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in kinds and line["fen"]]

    def fault(self, name: str, **options: object) -> None:
        """Arm a fault for what comes next."""
        self.call("POST", "/faults", {"fault": name, **options})

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.call("DELETE", "/faults")

    def settle(self) -> None:
        """Close the settlement day."""
        self.call("POST", "/settle", {})

    def change_certificate(self) -> None:
        """Sign under another certificate from now on."""
        self.call("POST", "/certificate", {})

    def file(self, day: str) -> str:
        """Return the settlement files of a day, as they travel."""
        with urllib.request.urlopen(f"{self.control}/file?date={day}", timeout=5) as answer:
            return str(answer.read().decode("ascii"))

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
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            _, complaint = self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        assert self._process.returncode == 0, complaint
        assert complaint == "", complaint

    def __enter__(self) -> "EmulatedUnionPay":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
