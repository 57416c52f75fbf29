"""An emulated UnionPay as a process of its own, and channels that talk to it."""

import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
from canaries import payment_code
from emulated import REPO, Emulated
from story.shop_files import with_values
from wechat import SHORT_MS, RealClock, new_ask

from terminal_agent.channels.unionpay import UnionPay, UnionPayShown, open_unionpay, open_unionpay_shown
from terminal_agent.channels.unionpay_profile import Profile, read_profile
from terminal_agent.checkout.ports import Ask

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


class EmulatedUnionPay(Emulated):
    """A running `terminal-agent emulate unionpay`."""

    KIND = "unionpay"

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        return {**super()._settings(folder), "keys": folder / "unionpay-keys", "password_ms": 300}

    @property
    def base_url(self) -> str:
        """Where merchants reach it."""
        return str(self.ready["base_url"])

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

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money of the payment `pay_ref`."""
        kinds = ("charge", "reversal", "refund")
        lines = [line for line in self.books() if pay_ref in (line["order_id"], line["orig"])]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in kinds and line["fen"]]

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
