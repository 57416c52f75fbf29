"""How is an emulator told to go wrong, and asked for its books? At its control address."""

import re
from collections.abc import Mapping
from typing import Any

import requests

from terminal_agent.bounded_http import BoundedSession
from terminal_agent.certify.side import NotThere
from terminal_agent.system import SystemClock

_ADDRESS = re.compile(r"(?:http://)?(127\.0\.0\.1|localhost):([1-9][0-9]{0,4})/?", re.ASCII)
_MOST_PORT = 65_535
_WITHIN_S = 5.0
_KEYED_IN_WITHIN_S = 660.0  # a terminal waits for its host, and longer than we do


class Control:
    """One emulator's control address. Every call raises NotThere when it does not answer as one."""

    def __init__(self, address: str) -> None:
        """Take HOST:PORT, also as the emulator prints it. Raises ValueError."""
        found = _ADDRESS.fullmatch(address)
        if found is None or int(found[2]) > _MOST_PORT:
            raise ValueError("write it as the emulator has printed it, as in 127.0.0.1:41327")
        self._base = f"http://127.0.0.1:{found[2]}"

    def known(self) -> frozenset[str]:
        """Return the faults that this emulator can make."""
        said = self._call("GET", "/faults")
        if not isinstance(said, dict) or not isinstance(said.get("known"), dict):
            raise NotThere("what answers at the control address is no emulator")
        return frozenset(said["known"])

    def arm(self, fault: str, on: str, options: Mapping[str, int | str | bool]) -> None:
        """Let the next request of kind `on` be struck."""
        self._call("POST", "/faults", {"fault": fault, "on": on, **options})

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/faults")

    def books(self, after: int = 0) -> list[dict[str, Any]]:
        """Return what is booked, line by line, from the first line on that follows number `after`."""
        said = self._call("GET", f"/books?after={after}")
        if not isinstance(said, list) or not all(isinstance(one, dict) and "no" in one for one in said):
            raise NotThere("what answers at the control address has no books")
        return said

    def settle(self, body: Mapping[str, str]) -> None:
        """Close the day, or a terminal's batch."""
        self._call("POST", "/settle", dict(body))

    def scan(self, code: str) -> bool:
        """Be the shopper who scans a code and pays; return whether it was taken."""
        try:
            return self._send("POST", "/scan", {"code": code}).status_code == 200
        except requests.RequestException:
            raise NotThere("the control address does not answer") from None

    def key_in(self, what: str, body: Mapping[str, int | str]) -> Mapping[str, Any]:
        """Have a terminal do something, and return its slip."""
        said = self._call("POST", f"/{what}", dict(body), _KEYED_IN_WITHIN_S)
        if not isinstance(said, dict):
            raise NotThere("what answers at the terminal's control address is no terminal")
        return said

    def _call(self, method: str, path: str, body: object = None, within_s: float = _WITHIN_S) -> Any:
        try:
            answer = self._send(method, path, body, within_s)
            said = answer.json()
        except (requests.RequestException, ValueError):
            raise NotThere("the control address does not answer as an emulator's") from None
        if answer.status_code != 200:
            raise NotThere(f"the emulator does not take {method} {path}: {str(said)[:200]}")
        return said

    def _send(self, method: str, path: str, body: object, within_s: float = _WITHIN_S) -> requests.Response:
        # Never through a proxy, to which this address is its own.
        session = BoundedSession(SystemClock())
        session.deadline.start(within_s)
        with session:
            return session.request(method, self._base + path, json=body, timeout=within_s)
