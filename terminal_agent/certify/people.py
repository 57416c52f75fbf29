"""Who shows payment codes and scans ours? Made-up people before an emulator, or who started the command."""

from collections.abc import Callable
from typing import TextIO

import segno
import typer

from terminal_agent.certify.control import Control
from terminal_agent.certify.counterparts import Counterpart
from terminal_agent.certify.side import NotThere
from terminal_agent.checkout.ports import Secret


class MadeUp:
    """The people before an emulator: their codes are made up, and they scan at its control address."""

    def __init__(self, one: Counterpart, control: Control, random_bytes: Callable[[int], bytes]) -> None:
        self._one = one
        self._control = control
        self._random_bytes = random_bytes

    def pay_code(self) -> Secret:
        """Return a code that nobody has shown before."""
        rest = self._one.code_digits - len(self._one.code_prefix)
        number = int.from_bytes(self._random_bytes(16)) % 10**rest
        return Secret(f"{self._one.code_prefix}{number:0{rest}d}")

    def scan(self, code: str) -> bool:
        """Scan and pay."""
        return self._control.scan(code)


class Standing:
    """Whoever has started the command, with a test wallet in hand."""

    def __init__(self, link: str, typed: TextIO) -> None:
        self._link = link
        self._typed = typed

    def pay_code(self) -> Secret:
        """Ask for a payment code. It is not shown."""
        return Secret(self._ask(f"Show a payment code of {self._link} and scan it", hidden=True).strip())

    def scan(self, code: str) -> bool:
        """Show the code and ask what came of it."""
        segno.make(code, micro=False).terminal(out=typer.get_text_stream("stderr"), compact=True)
        said = self._ask("Scan this and pay. Was it taken? y/n", hidden=False).strip().lower()
        if said not in ("y", "n"):
            raise NotThere("nobody said whether the scan was taken")
        return said == "y"

    def _ask(self, what: str, *, hidden: bool) -> str:
        if self._typed.isatty():
            return str(typer.prompt(what, hide_input=hidden, err=True))
        line = self._typed.readline().rstrip("\r\n")
        if not line:
            raise NotThere(f"nobody answered: {what}")
        return line
