"""Is there an agent at this address of the host, and what does it say?"""

import socket
from typing import Any

import msgspec
import requests

from terminal_agent.bounded_http import BoundedSession
from terminal_agent.system import SystemClock

_WITHIN_S = 3.0


class OutboxNumbers(msgspec.Struct):
    """What of the outbox is looked at here."""

    depth: int
    oldest_s: int
    quarantined: int


class LineStatus(msgspec.Struct):
    """How a line is that passes through the agent, or what was wrong last with one that it opens."""

    problem: str
    frames_seen: int = 0
    refused: int = 0
    refused_from: str = ""

    @property
    def trouble(self) -> str:
        """What is wrong with it, "" for nothing."""
        if self.problem or self.frames_seen or not self.refused:
            return self.problem
        return (
            f"it has not called; {self.refused} connections from elsewhere were sent away, the last one "
            f"from {self.refused_from}. Is that the terminal? Then write it under `from`"
        )


class TerminalStatus(msgspec.Struct):
    """One terminal. `line` is None where the agent drives it and found nothing wrong."""

    terminal_no: str
    line: LineStatus | None = None


class LookStatus(msgspec.Struct):
    """What was seen at a watched terminal and is to be looked at."""

    no: int
    terminal_no: str
    en: str
    fen: int | None
    trace: str

    @property
    def in_words(self) -> str:
        """What it is, with number and slip."""
        amount = "" if self.fen is None else f"{self.fen} fen, "
        return f"number {self.no}, {amount}trace {self.trace}: {self.en}"


class AgentStatus(msgspec.Struct):
    """What of `/v1/status` is looked at here; another program's answer does not have it."""

    online: bool
    outbox: OutboxNumbers
    parked: int
    returning: int
    links_missing: list[str]
    terminals: list["TerminalStatus"] = []
    disk: "DiskStatus | None" = None
    look_at: list["LookStatus"] = []


class DiskStatus(msgspec.Struct):
    """How many MiB are free for the journal, and how many a sale needs to begin."""

    free_mib: int
    least_free_mib: int


class WaitingEntry(msgspec.Struct):
    """One entry of `/v1/outbox`."""

    seq: int
    record_id: str
    kind: str


class AgentOutbox(msgspec.Struct):
    """What `/v1/outbox` answers."""

    waiting: list[WaitingEntry]
    quarantined: list[WaitingEntry] = []


def ask_agent(host: str, port: int, path: str, like: type[msgspec.Struct]) -> dict[str, Any] | None:
    """Return what a running agent answers, or None when nobody does, or somebody who is no agent."""
    # Never through a proxy, to which this address is its own.
    session = BoundedSession(SystemClock())
    session.deadline.start(_WITHIN_S)
    try:
        with session:
            answer = session.get(f"http://{host}:{port}{path}", timeout=_WITHIN_S)
        msgspec.json.decode(answer.content, type=like)
        found: dict[str, Any] = answer.json()
    except (requests.RequestException, msgspec.DecodeError, ValueError):
        return None
    return found if answer.status_code == 200 else None


def lines_of(status: dict[str, Any]) -> dict[str, str]:
    """Return what an agent's status finds wrong with each line of which it says something, "" for nothing."""
    found = msgspec.convert(status, AgentStatus).terminals
    return {one.terminal_no: one.line.trouble for one in found if one.line is not None}


def put_aside(entries: int) -> str:
    """Return what is said of so many entries that the centre could not take in."""
    return f"the centre put {entries} entries into quarantine"


SAY_WHICH = "Call the platform, with the record ids that `terminal-agent outbox ls` shows"


def looks_of(status: dict[str, Any]) -> list[LookStatus]:
    """Return what an agent's status has to be looked at at its terminals."""
    return msgspec.convert(status, AgentStatus).look_at


def port_problem(host: str, port: int) -> str | None:
    """Return why the till API cannot listen here, or None when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as wrong:
            return f"{host}:{port} cannot be used ({wrong.strerror}). Set `listen` to another port"
    return None
