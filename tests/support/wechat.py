"""An emulated WeChat Pay as a process of its own, and a channel that talks to it."""

import itertools
import json
import re
import secrets
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

from subsidy import ids
from terminal_agent.channels.profile import Profile, read_profile
from terminal_agent.channels.wechat import WechatPay, open_wechat
from terminal_agent.channels.wechat_native import WechatNative, open_wechat_native
from terminal_agent.checkout.ports import Ask, Secret

REPO = Path(__file__).resolve().parents[2]
PROFILE_FILE = REPO / "config/channels/wechat.yaml"

# Long enough for a busy machine, short enough for a test of every fault.
SHORT_MS = {
    "connect_ms": 1000,
    "answer_wait_ms": 700,
    "answer_cap_ms": 1200,
    "host_timeout_ms": 200,
    "poll_every_ms": 100,
    "poll_for_ms": 1000,
    "reverse_not_before_ms": 50,
    "resolver_ms": 2000,
}


class RealClock:
    """The clocks of this host."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def profile_text(**values: object) -> str:
    """Return the shipped profile with some of its single values changed, by key."""
    text = PROFILE_FILE.read_text(encoding="utf-8")
    for key, value in values.items():
        shown = value if isinstance(value, int) else f'"{value}"'
        text, found = re.subn(rf"^( *{key}: ).+?( +#.*)?$", rf"\g<1>{shown}", text, flags=re.MULTILINE)
        assert found == 1, key
    return text


def only_platform_key(text: str, line: str) -> str:
    """Return a profile with other lines in place of its one public key."""
    text, found = re.subn(r"^  PUB_KEY_ID_[0-9A-Z]+: .+$", lambda _: line, text, flags=re.MULTILINE)
    assert found == 1
    return text


_sales = itertools.count(1)


def new_ask(amount_fen: int = 85_000, pay_code: str | None = None) -> Ask:
    """Return an attempt that nobody has had before, with a payment code of its own."""
    record_id = ids.record_id(1_780_000_000_000, next(_sales).to_bytes(10))
    code = new_code() if pay_code is None else pay_code
    return Ask(ids.pay_ref(record_id, 1), amount_fen, operator="07", till_no="1", pay_code=Secret(code))


def new_code() -> str:
    """Return a payment code that nobody has shown before."""
    return payment_code("13", 18)


def new_shown_ask(amount_fen: int = 85_000, for_s: int = 900) -> Ask:
    """Return an attempt that nobody has had before, by a code that we show for so long."""
    asked = new_ask(amount_fen, "")
    return msgspec.structs.replace(
        asked, pay_code=None, show_until_ms=time.time_ns() // 1_000_000 + for_s * 1000, show_for_s=for_s
    )


class EmulatedWechat:
    """A running `terminal-agent emulate wechat`. Use as a context, or stop it."""

    def __init__(self, process: subprocess.Popen[str], books_file: Path, ready: dict[str, Any]) -> None:
        self._process = process
        self.books_file = books_file
        self.ready = ready
        self.base_url = str(ready["base_url"])
        self.control = str(ready["control"])

    @classmethod
    def start(cls, folder: Path, **options: object) -> "EmulatedWechat":
        """Start one whose files lie in `folder`. Options are those of the command: `password_ms=20`."""
        settings: dict[str, object] = {
            "books": folder / "wechat-books.jsonl",
            "keys": folder / "wechat-keys",
            "password_ms": 300,
            "refund_ms": 0,
            **options,
        }
        command = [sys.executable, "-m", "terminal_agent.emulators.cli", "wechat"]
        for key, value in settings.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{key.replace('_', '-')}", str(one)]
        process = subprocess.Popen(
            command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, complaint = process.communicate()
            raise RuntimeError(f"the emulator did not start: {complaint}")
        ready = json.loads(line)
        assert ready["ready"] is True
        return cls(process, Path(str(settings["books"])), ready)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def profile_text(self, **values: object) -> str:
        """Return the shipped profile, pointed at this emulator, with waits that a test can afford."""
        text = profile_text(
            **{
                **SHORT_MS,
                "base_url": self.base_url,
                "appid": self.ready["appid"],
                "mchid": self.ready["mchid"],
                "certificate": self.ready["merchant_certificate"],
                "private_key": self.ready["merchant_key"],
                **values,
            }
        )
        key_id, file = self.ready["platform_key_id"], self.ready["platform_key"]
        return only_platform_key(text, f'  {key_id}: "{file}"')

    def profile(self, **values: object) -> Profile:
        """Return that profile, read."""
        return read_profile(self.profile_text(**values), "wechat.yaml", Path("/"), training=True)

    def channel(self, **values: object) -> WechatPay:
        """Return our side, talking to this emulator."""
        return open_wechat(self.profile(**values), RealClock(), secrets.token_bytes)

    def showing(self, **values: object) -> WechatNative:
        """Return our side that shows codes, talking to this emulator."""
        profile = self.profile(**values)
        assert profile.shown is not None
        return open_wechat_native(profile, profile.shown, RealClock(), secrets.token_bytes)

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
        """Return (kind, fen) of every line that moved money under `pay_ref`."""
        kinds = ("charge", "reversal", "refund")
        lines = [line for line in self.books() if line["out_trade_no"] == pay_ref]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in kinds and line["fen"]]

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

    def __enter__(self) -> "EmulatedWechat":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
