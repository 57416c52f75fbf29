"""What does an emulator do next, and when?

One thread does everything that a terminal does, in order: bytes, due times, and what the control
address asks for. So nothing else here needs a lock.
"""

import heapq
import os
import select
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

_Result = TypeVar("_Result")
_LONGEST_WAIT_S = 5.0
_CALL_WAIT_S = 10.0


class Source(Protocol):
    """Where bytes come from."""

    @property
    def is_plugged_in(self) -> bool:
        """Whether there is anything to wait on."""

    def fileno(self) -> int:
        """Return what to wait on."""


class Loop:
    """Runs until stopped."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._stopped = False

    def later(self, seconds: float, step: Callable[[], None]) -> None:
        """Do `step` after so many seconds. Call from the loop only."""
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._count, step))

    def ask(self, question: Callable[[], _Result]) -> _Result:
        """Let the loop answer `question`. Call from another thread only."""
        answer: Future[_Result] = Future()

        def call() -> None:
            try:
                answer.set_result(question())
            except Exception as fault:
                answer.set_exception(fault)

        self._calls.append(call)
        self._wake()
        return answer.result(timeout=_CALL_WAIT_S)

    def stop(self) -> None:
        """End `run`. May be called from a signal handler."""
        self._stopped = True
        self._wake()

    def run(self, source: Source, on_bytes: Callable[[], None]) -> None:
        """Serve `source` until stopped."""
        while not self._stopped:
            waiting = [self._wake_read] + ([source.fileno()] if source.is_plugged_in else [])
            ready, _, _ = select.select(waiting, [], [], self._wait_s())
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            while self._calls:
                self._calls.popleft()()
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            if source.is_plugged_in and source.fileno() in ready:
                on_bytes()

    def close(self) -> None:
        """Give back what the loop holds, once nobody asks any more."""
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wait_s(self) -> float:
        if not self._due:
            return _LONGEST_WAIT_S
        return min(max(self._due[0][0] - time.monotonic(), 0.0), _LONGEST_WAIT_S)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            # The pipe is full, so the loop wakes anyway.
            return
