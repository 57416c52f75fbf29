"""How does an answer of the writer's thread reach a coroutine? Many at once, with one wake-up."""

import asyncio
from collections.abc import Callable

from settlement.writer.step import Answer
from settlement.writer.writer import ANSWER_WITHIN_S, Waiter

_Outcome = tuple["asyncio.Future[Answer]", Answer | None, BaseException | None]


class Deliveries:
    """The answers that wait to be handed to the event loop."""

    def __init__(self) -> None:
        self._ready: list[_Outcome] = []

    async def wait(self, submit: Callable[[Waiter], None]) -> Answer:
        """Return what the waiter that `submit` gets is given. Raises what it failed with, or TimeoutError."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        submit(_Later(self, loop, answer))
        late = loop.call_later(ANSWER_WITHIN_S, _give_up, answer)
        try:
            return await answer
        finally:
            late.cancel()

    def add(self, loop: asyncio.AbstractEventLoop, outcome: _Outcome) -> None:
        """Hand an outcome over, from any thread."""
        # Appending and taking the whole list are each one step under Python's lock.
        self._ready.append(outcome)
        if len(self._ready) == 1:
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        ready, self._ready = self._ready, []
        for future, answer, wrong in ready:
            if future.done():
                continue  # nobody waits any more
            if wrong is not None:
                future.set_exception(wrong)
            else:
                assert answer is not None
                future.set_result(answer)


class _Later:
    def __init__(
        self, deliveries: Deliveries, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Answer]"
    ) -> None:
        self._deliveries = deliveries
        self._loop = loop
        self._answer = answer

    def give(self, answer: Answer, /) -> None:
        self._deliveries.add(self._loop, (self._answer, answer, None))

    def fail(self, wrong: BaseException, /) -> None:
        self._deliveries.add(self._loop, (self._answer, None, wrong))


def _give_up(answer: "asyncio.Future[Answer]") -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
