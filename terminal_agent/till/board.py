"""Which codes wait to be scanned now? In memory only: a code of before a restart is shown to nobody."""

from collections.abc import Callable


class Board:
    """The codes by the attempt that each is for. Fits `checkout.ports.Board`; calls come from any thread."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._codes: dict[str, str] = {}

    def put(self, pay_ref: str, code: str) -> None:
        """Show the code of an attempt."""
        self._codes[pay_ref] = code
        self._changed()

    def take_down(self, pay_ref: str) -> None:
        """Show the code of an attempt no longer, if it is shown."""
        if self._codes.pop(pay_ref, None) is not None:
            self._changed()

    def code(self, pay_ref: str) -> str | None:
        """Return the code of an attempt, None when none is shown."""
        return self._codes.get(pay_ref)
