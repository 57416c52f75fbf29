"""Does a supervisor allow this? Checked here, not by the till software: its user is who is controlled.

A PIN is short, so guessing is bounded twice: argon2id makes each try slow for whoever has the configuration,
and five wrong ones lock the supervisor for a while. A name that nobody has is answered alike, as slowly.
"""

import base64
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from argon2 import low_level
from argon2.exceptions import VerificationError

from terminal_agent.checkout.ports import Secret
from terminal_agent.checkout.return_ports import PinTries

PIN_DIGITS = (4, 12)
LONGEST_NAME = 32
_SALT_BYTES = 16
# OWASP's second choice of memory and time: a shop's host is small, and one try is made at a time.
_MEMORY_KIB, _TIMES, _LANES = 32_768, 4, 1
_MOST_MEMORY_KIB, _MOST_TIMES, _MOST_LANES = 131_072, 16, 8
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{3,6}),t=([1-9][0-9]?),p=([1-9])\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})",
    re.ASCII,
)


class PinWrong(Exception):
    """The name or the PIN is not right. `tries_left` says how many tries are left before a lock."""

    def __init__(self, tries_left: int) -> None:
        super().__init__("the supervisor's name or PIN is wrong")
        self.tries_left = tries_left


class SupervisorLocked(Exception):
    """Too many wrong PINs: nothing is looked at for a while."""


class Supervisors:
    """Who may allow a return. `pins` has the hash of each supervisor's PIN, by name."""

    def __init__(self, pins: Mapping[str, str], tries: PinTries, lock: AbstractContextManager[Any]) -> None:
        self._pins = pins
        self._tries = tries
        # One try at a time, whatever many ask at once: each takes memory, and none may pass uncounted.
        self._lock = lock

    def check(self, supervisor: str, pin: Secret) -> None:
        """Return when this is the supervisor's PIN. Raises PinWrong and SupervisorLocked."""
        with self._lock:
            left = self._tries.take_pin_try(supervisor)
            if left is None:
                raise SupervisorLocked
            known = self._pins.get(supervisor)
            if not _fits(known or self._nobodys, pin) or known is None:
                raise PinWrong(left)
            self._tries.pin_was_right(supervisor)

    @property
    def _nobodys(self) -> str:
        """A hash that costs what the others cost, of a PIN that nobody has."""
        return next(iter(self._pins.values()), _NOBODYS)


def hash_of(pin: Secret, random_bytes: Callable[[int], bytes]) -> str:
    """Return what stands for a PIN in the configuration. Raises ValueError when it cannot be a PIN."""
    least, most = PIN_DIGITS
    text = pin.reveal()
    if not re.fullmatch(rf"[0-9]{{{least},{most}}}", text, re.ASCII):
        raise ValueError(f"A PIN is {least} to {most} digits")
    if len(set(text)) == 1:
        raise ValueError("A PIN of one digit only is the first that is tried. Choose another")
    return _hash(text.encode(), random_bytes(_SALT_BYTES))


def problem_of_hash(text: str) -> str | None:
    """Return why `text` is no hash that can be taken, or None when it is one."""
    found = _HASH.fullmatch(text)
    if found is None:
        return "not an argon2id hash"
    if not all(_is_whole_base64(one) for one in found.groups()[3:]):
        return "a hash that was cut or mistyped"
    memory, times, lanes = (int(one) for one in found.groups()[:3])
    if memory > _MOST_MEMORY_KIB or times > _MOST_TIMES or lanes > _MOST_LANES:
        return "a hash that costs this host too much"
    if memory * times < _MEMORY_KIB:
        return "a hash that is guessed too fast"
    return None


def _fits(known: str, pin: Secret) -> bool:
    try:
        return low_level.verify_secret(known.encode(), pin.reveal().encode(), low_level.Type.ID)
    except VerificationError:
        return False


def _is_whole_base64(text: str) -> bool:
    try:
        again = base64.b64encode(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return False
    return again.decode().rstrip("=") == text


def _hash(pin: bytes, salt: bytes) -> str:
    return low_level.hash_secret(pin, salt, _TIMES, _MEMORY_KIB, _LANES, 32, low_level.Type.ID).decode()


_NOBODYS = "$argon2id$v=19$m=32768,t=4,p=1$" + "A" * 22 + "$" + "A" * 43
