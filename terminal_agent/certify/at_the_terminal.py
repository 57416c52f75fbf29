"""Who keys in at a terminal that is only watched? An emulated one itself, or who started the command."""

from typing import TextIO

import typer

from terminal_agent.certify.control import Control
from terminal_agent.certify.side import NotThere, Slip
from terminal_agent.checkout.ports import Say

_YES = ("00", "10")
_NOT_KNOWN = ("", "98")
_SAID = {"y": Say.APPROVED, "n": Say.DECLINED, "-": Say.UNCLEAR}


class EmulatedKeypad:
    """An emulated terminal, which does at its control address what a person would key in."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def sell(self, fen: int) -> Slip:
        """Charge so much."""
        return self._slip(self._control.key_in("sale", {"fen": fen}))

    def void(self, sale: Slip) -> Slip:
        """Void a sale."""
        return self._slip(self._control.key_in("void", {"trace": sale.name}))

    def refund(self, sale: Slip, fen: int) -> Slip:
        """Give so much of a sale back."""
        return self._slip(self._control.key_in("refund", {"trace": sale.name, "fen": fen}))

    def reverse(self, slip: Slip) -> Slip:
        """Reverse a sale or void."""
        return self._slip(self._control.key_in("reverse", {"trace": slip.name}))

    def settle(self) -> None:
        """Begin a new batch."""
        self._control.key_in("settle", {})

    @staticmethod
    def _slip(told: object) -> Slip:
        match told:
            case {"trace": str(trace), "code": str(code)}:
                known = Say.APPROVED if code in _YES else Say.DECLINED
                return Slip(trace, Say.UNCLEAR if code in _NOT_KNOWN else known)
        raise NotThere("what answers at the terminal's control address is no terminal")


class StandingAtIt:
    """Whoever has started the command and stands at the terminal."""

    def __init__(self, number: str, typed: TextIO) -> None:
        self._number = number
        self._typed = typed
        self._count = 0

    def sell(self, fen: int) -> Slip:
        """Ask for a charge."""
        return self._asked(f"charge {_yuan(fen)} yuan")

    def void(self, sale: Slip) -> Slip:
        """Ask for a void."""
        return self._asked(f"void no. {sale.name}")

    def refund(self, sale: Slip, fen: int) -> Slip:
        """Ask for a refund."""
        return self._asked(f"refund {_yuan(fen)} yuan of no. {sale.name}")

    def reverse(self, slip: Slip) -> Slip:
        """Ask for the reversal, which a terminal sends before it does anything else."""
        return self._asked(f"let it send its reversal of no. {slip.name}, if it has not")

    def settle(self) -> None:
        """Ask for the terminal's settlement."""
        self._asked("settle")

    def _asked(self, what: str) -> Slip:
        self._count += 1
        question = f"No. {self._count}: at terminal {self._number}, {what}. Approved? y/n, - for no answer"
        typer.echo(question, err=True)
        said = _SAID.get(self._typed.readline().strip().lower())
        if said is None:
            raise NotThere(f"nobody answered: {question}")
        return Slip(str(self._count), said)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
