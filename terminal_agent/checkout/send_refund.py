"""When is a refund that was refused certainly not done?

Every try of a refund has the same number, and the other side does it once. A try whose answer never came
may still be on its way: it can be done after a later one was refused. So a refusal counts at once when no
try went unanswered, and else when two host time-outs have passed since the last that did. What another run
of the agent has sent counts as unanswered when this one first sees it.
"""

from collections.abc import Collection

from msgspec.structs import replace

from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Payment, Say

_UNANSWERED = (Say.UNCLEAR, Say.NOT_FOUND)


class Refunds:
    """Sends the refunds of one link, as often as it is asked to."""

    def __init__(self, payment: Payment, clock: Clock) -> None:
        self._payment = payment
        self._clock = clock
        self._quiet_ms: dict[str, int] = {}

    def begin(self, refund_no: str) -> None:
        """Note that no try of a refund is on its way: it is new, or what came before is refused."""
        self._quiet_ms[refund_no] = self._clock.steady_ms()

    def keep(self, refund_nos: Collection[str]) -> None:
        """Forget every refund but these, which are open: the others are decided and sent no more."""
        self._quiet_ms = {no: ms for no, ms in self._quiet_ms.items() if no in refund_nos}

    def send(self, ask: Ask, back: Back) -> Answer:
        """Send a refund, the first time or once more. DECLINED: no try of it was done, and none will be."""
        quiet_ms = self._quiet_ms.setdefault(back.refund_no, self._all_arrived_ms())
        answer = self._payment.refund(ask, back)
        if answer.say in _UNANSWERED:
            self._quiet_ms[back.refund_no] = self._all_arrived_ms()
        elif answer.say is Say.DECLINED and self._clock.steady_ms() < quiet_ms and self._may_be_late():
            return replace(answer, say=Say.UNCLEAR)
        return answer

    def _may_be_late(self) -> bool:
        """Whether what was sent can arrive later: not where the link can show what was done."""
        return not self._payment.not_found_is_no

    def _all_arrived_ms(self) -> int:
        return self._clock.steady_ms() + int(2 * self._payment.clocks.host_timeout_s * 1000)
