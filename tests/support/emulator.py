"""An emulated card terminal as a process of its own, for every test that needs one."""

import re
from pathlib import Path
from typing import Self

from emulated import REPO, Emulated

from terminal_agent.terminals.profile import Profile, read_profile

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


class EmulatedTerminal(Emulated):
    """A running `terminal-agent emulate terminal`."""

    KIND = "terminal"

    @classmethod
    def start(cls, folder: Path, name: str = "terminal", **options: object) -> Self:
        """Start one; its link and the file of its books have this name."""
        return super().start(folder, **{"link": folder / name, "books": _books(folder, name), **options})

    @classmethod
    def _settings(cls, folder: Path) -> dict[str, object]:
        return {"work_ms": 20}

    @property
    def link(self) -> Path:
        """Where its serial line is."""
        return Path(self.ready["link"])

    def moved(self, pay_ref: str) -> list[tuple[str, int]]:
        """Return (kind, fen) of every line that moved money under `pay_ref`."""
        lines = [line for line in self.books() if line["pay_ref"] == pay_ref]
        return [(line["kind"], line["fen"]) for line in lines if line["kind"] in ("sale", "void", "refund")]

    def unplug(self, ms: int) -> None:
        """Pull its cable for so long; it is out when this returns."""
        self.call("POST", "/unplug", {"ms": ms})

    def settle(self) -> None:
        """Close its batch, as the shop does in the evening: what is in it can no longer be voided."""
        self.call("POST", "/settle", {})


def _books(folder: Path, name: str) -> Path:
    return folder / f"{name}-books.jsonl"
