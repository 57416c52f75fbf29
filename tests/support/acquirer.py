"""An emulated acquirer host as a process of its own, and a direct driver that talks to it."""

import itertools
import re
import urllib.request
from pathlib import Path

from emulated import REPO, Emulated
from wechat import RealClock

from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.terminals.drivers import DRIVERS

PROFILE_FILE = REPO / "config/terminals/iso8583_direct.yaml"

# Long enough for a busy machine, short enough for a test of every fault.
SHORT_MS = {
    "connect_ms": 1000,
    "status_wait_ms": 1500,
    "answer_wait_ms": 600,
    "answer_cap_ms": 600,
    "host_timeout_ms": 200,
    "poll_every_ms": 100,
    "resolver_ms": 2000,
}
DIALECT_FILE = REPO / "config/iso8583/unionpay_terminal.yaml"
VARIANTS = {
    "cup, one DES": ("cup", "001"),
    "cup": ("cup", "003"),
    "cup, track key": ("cup", "004"),
    "cup_3des": ("cup_3des", "003"),
    "cup_sm4": ("cup_sm4", "003"),
    "x919": ("x919", "003"),
    "x919, track key": ("x919", "004"),
}
"""The MACs and the kinds of sign-in that go together, by what tests call them."""

_terminals = itertools.count(1)


def new_number() -> str:
    """Return a terminal number that no test has had before."""
    return f"EMU{next(_terminals):05d}"


def profile_text(number: str, **values: object) -> str:
    """Return the shipped profile for another terminal, with waits that a test can afford."""
    text = PROFILE_FILE.read_text(encoding="utf-8")
    text = text.replace('number: "EMU00001"', f'number: "{number}"')
    text = text.replace("../iso8583/", f"{REPO}/config/iso8583/")
    for key, value in {**SHORT_MS, **values}.items():
        text, found = re.subn(rf"^( *{key}: )[^ \n]+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert found == 1, key
    return text


def spoken(variant: str, folder: Path) -> dict[str, object]:
    """Write the dialect of a variant into `folder`, and return what `profile_text` takes for it."""
    mac, sign_in = VARIANTS[variant]
    text = re.sub("^mac: cup ", f"mac: {mac} ", DIALECT_FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if sign_in == "004":
        text = text.replace('"35": {is: z,', '"35": {is: h,')
    file = folder / "dialect.yaml"
    file.write_text(text, encoding="utf-8")
    return {"dialect": file, "sign_in": f'"{sign_in}"'}


def direct_terminal(
    address: str, folder: Path, number: str | None = None, clock: object = None, **values: object
) -> DirectTerminal:
    """Return the driver of a terminal at a host; its pinpad's memory lies in `folder`."""
    number = number or new_number()
    values = {"memory": f"{folder}/{number}.trace", **values}
    file = str(folder / f"{number}.yaml")
    terminal = DRIVERS["iso8583_direct"](address, profile_text(number, **values), file)
    payment = terminal.payment(clock or RealClock())
    assert isinstance(payment, DirectTerminal)
    return payment


class EmulatedAcquirer(Emulated):
    """A running `terminal-agent emulate acquirer`."""

    KIND = "acquirer"

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        return {**super()._settings(folder), "work_ms": 0}

    @property
    def address(self) -> str:
        """Where terminals reach it."""
        return str(self.ready["address"])

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of what moved money under `pay_ref`; a void that was itself reversed did not."""
        lines = [line for line in self.books() if line["pay_ref"] == pay_ref]
        undone = {(one["orig_batch"], one["orig_trace"]) for one in lines if one["kind"] == "reversal"}
        voids = {(one["batch"], one["trace"]) for one in lines if one["kind"] == "void"} & undone
        return [
            (one["kind"], one["fen"])
            for one in lines
            if one["kind"] in ("sale", "void", "refund", "reversal")
            and (one["batch"], one["trace"]) not in voids
        ]

    def settle(self, terminal_no: str) -> None:
        """Close a terminal's batch."""
        self.call("POST", "/settle", {"terminal_no": terminal_no})

    def file(self, day: str) -> str:
        """Return the settlement file of a day."""
        with urllib.request.urlopen(f"{self.control}/file?date={day}", timeout=5) as answer:
            return answer.read().decode()

    def zm(self, day: str, merchant_no: str) -> str:
        """Return a merchant's ZM and ZME of a settlement day as they travel; empty when nothing moved."""
        url = f"{self.control}/zm?date={day}&merchant_no={merchant_no}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
