"""An emulated WeChat Pay as a process of its own, and a channel that talks to it."""

import itertools
import re
import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
from canaries import payment_code
from emulated import REPO, Emulated

from subsidy import ids
from terminal_agent.channels.profile import Profile, read_profile
from terminal_agent.channels.wechat import WechatPay, open_wechat
from terminal_agent.channels.wechat_native import WechatNative, open_wechat_native
from terminal_agent.checkout.ports import Ask, Secret

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


class EmulatedWechat(Emulated):
    """A running `terminal-agent emulate wechat`."""

    KIND = "wechat"

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        return {
            **super()._settings(folder),
            "keys": folder / "wechat-keys",
            "password_ms": 300,
            "refund_ms": 0,
        }

    @property
    def base_url(self) -> str:
        """Where merchants reach it."""
        return str(self.ready["base_url"])

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

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money under `pay_ref`."""
        kinds = ("charge", "reversal", "refund")
        lines = [line for line in self.books() if line["out_trade_no"] == pay_ref]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in kinds and line["fen"]]
