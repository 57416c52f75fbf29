"""Can somebody still pay a code that we have shown, where the other side cannot close it?

Nobody can once its time is over, and one host time-out later the other side knows what was paid until then.
How long ago it was shown is told by the clock that nobody sets, from when this process first had to do with
it: after a restart that is later than it was, which is safe.
"""

from terminal_agent.checkout.ports import Ask, Clock


class ShownCodes:
    """The codes of one link that were shown, by their order numbers."""

    def __init__(self, clock: Clock, host_timeout_s: float) -> None:
        self._clock = clock
        self._host_timeout_s = host_timeout_s
        self._seen_ms: dict[str, int] = {}

    def see(self, ask: Ask) -> None:
        """Note that an order is about to be made, or was made before this process began."""
        self._seen_ms.setdefault(ask.pay_ref, self._clock.steady_ms())

    def is_over(self, ask: Ask) -> bool:
        """Whether nobody can pay it any more, and what was paid before is known by now."""
        assert ask.show_for_s is not None
        self.see(ask)
        since_ms = self._clock.steady_ms() - self._seen_ms[ask.pay_ref]
        return since_ms > (ask.show_for_s + self._host_timeout_s) * 1000
