"""An emulated Alipay as a process of its own, and a channel that talks to it."""

import re
from pathlib import Path
from typing import Any

from canaries import payment_code
from emulated import REPO
from wechat import SHORT_MS, EmulatedWechat, RealClock
from wechat import new_ask as any_ask

from terminal_agent.channels.alipay import Alipay, open_alipay
from terminal_agent.channels.alipay_profile import Profile, read_profile
from terminal_agent.channels.alipay_shown import AlipayShown, open_alipay_shown
from terminal_agent.checkout.ports import Ask

PROFILE_FILE = REPO / "config/channels/alipay.yaml"
MOVES = ("pay", "cancel", "refund")


def profile_text(**values: object) -> str:
    """Return the shipped profile with some of its single values changed, by key."""
    text = PROFILE_FILE.read_text(encoding="utf-8")
    for key, value in values.items():
        shown = value if isinstance(value, int) else f'"{value}"'
        text, found = re.subn(rf"^( *{key}: ).+?( +#.*)?$", rf"\g<1>{shown}", text, flags=re.MULTILINE)
        assert found == 1, key
    return text


def new_code() -> str:
    """Return a payment code of Alipay's that nobody has shown before."""
    return payment_code("28", 18)


def new_ask(amount_fen: int = 85_000, pay_code: str | None = None) -> Ask:
    """Return an attempt that nobody has had before, with a payment code of its own."""
    return any_ask(amount_fen, new_code() if pay_code is None else pay_code)


class EmulatedAlipay(EmulatedWechat):
    """A running `terminal-agent emulate alipay`."""

    KIND = "alipay"

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        return {"books": folder / "alipay-books.jsonl", "keys": folder / "alipay-keys", "password_ms": 300}

    @property
    def base_url(self) -> str:
        """Where merchants reach it."""
        return str(self.ready["gateway"])

    def profile_text(self, **values: object) -> str:
        """Return the shipped profile, pointed at this emulator, with waits that a test can afford."""
        text = profile_text(
            **{**SHORT_MS, "gateway": self.ready["gateway"], "app_id": self.ready["app_id"], **values}
        )
        keys = "".join(f'  {name}: "{value}"\n' for name, value in self.ready["keys"].items())
        text, found = re.subn(r"(?m)^keys:\n(?:  .+\n)+", f"keys:\n{keys}", text)
        assert found == 1
        return text

    def profile(self, **values: object) -> Profile:  # type: ignore[override]
        """Return that profile, read."""
        return read_profile(self.profile_text(**values), "alipay.yaml", Path("/"), training=True)

    def channel(self, **values: object) -> Alipay:  # type: ignore[override]
        """Return our side, talking to this emulator."""
        return open_alipay(self.profile(**values), RealClock())

    def showing(self, **values: object) -> AlipayShown:  # type: ignore[override]
        """Return our side that shows codes, talking to this emulator."""
        return open_alipay_shown(self.profile(**values), RealClock())

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money under `pay_ref`."""
        lines: list[dict[str, Any]] = [one for one in self.books() if one["out_trade_no"] == pay_ref]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in MOVES and line["fen"]]
