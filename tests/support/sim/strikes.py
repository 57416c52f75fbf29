"""How many more statements of a program go well before one is struck? Drawn in advance: asking is cheap."""

import random
from collections.abc import Callable, Mapping

_NEVER = 1 << 60


class Strikes:
    """What strikes at one kind of program's statements. `left` is how many go well before anything may."""

    def __init__(self, rates: Mapping[str, Callable[[], float]], chance: random.Random) -> None:
        self._rates = rates
        self._chance = chance
        self._in = {name: self._draw(name) for name in rates}
        self._begun = self.left = min(self._in.values())

    def count(self) -> None:
        """Count the statements since the last time; what is due now strikes when it is asked for."""
        passed = self._begun - self.left
        self._in = {name: after - passed for name, after in self._in.items()}
        self._begun = self.left = max(min(self._in.values()), 1)

    def now(self, name: str) -> bool:
        """Whether it strikes at this statement; then the next time is drawn."""
        if self._in[name] > 0:
            return False
        self._in[name] = self._draw(name)
        self._begun = self.left = max(min(self._in.values()), 1)
        return True

    def end(self) -> None:
        """Let nothing strike any more."""
        self._in = dict.fromkeys(self._in, _NEVER)
        self._begun = self.left = _NEVER

    def _draw(self, name: str) -> int:
        rate = self._rates[name]()
        return 1 + int(self._chance.expovariate(rate)) if rate else _NEVER
