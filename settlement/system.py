"""The centre's clock, randomness and threads: no other file touches them."""

import gc
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

Lock = threading.Lock
Thread = threading.Thread


def wall_ms() -> int:
    """Return the centre's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def clock_us() -> int:
    """Return microseconds that only ever grow, for measuring."""
    return time.perf_counter_ns() // 1000


def random_bytes(count: int) -> bytes:
    """Return `count` bytes that nobody can guess."""
    return secrets.token_bytes(count)


class Promised(Generic[T]):
    """An answer that another thread will give."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None

    def give(self, value: T) -> None:
        """Give the answer."""
        self._value = value
        self._done.set()

    def fail(self, error: BaseException) -> None:
        """Say that there will be none."""
        self._error = error
        self._done.set()

    def wait(self, timeout_s: float) -> T:
        """Return the answer. Raises what it failed with, or TimeoutError."""
        if not self._done.wait(timeout_s):
            raise TimeoutError("no answer in time")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # give() has set it


class Inbox(Generic[T]):
    """What waits for the one thread that takes it."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[T | None] = queue.SimpleQueue()

    def put(self, one: T) -> None:
        """Add to the end."""
        self._waiting.put(one)

    def waiting(self) -> int:
        """Return how many wait."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Say that nothing more will come."""
        self._waiting.put(None)

    def take_up_to(self, most: int, within_s: float | None = None) -> list[T] | None:
        """Wait for one, then return it with what else is waiting, in order; none when nothing will come.

        None when nothing has come within `within_s`.
        """
        taken: list[T] = []
        try:
            one = self._waiting.get(timeout=within_s)
        except queue.Empty:
            return None
        while one is not None:
            taken.append(one)
            if len(taken) == most:
                return taken
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                return taken
        # What was taken goes first; the next call is told again.
        self._waiting.put(None)
        return taken


def share_python_fairly() -> None:
    """Let a service's threads take turns often: a batch must not keep the event loop waiting."""
    sys.setswitchinterval(0.0001)


class Ticks:
    """Calls something again and again in a thread of its own, until it is stopped."""

    def __init__(self, name: str, every_s: float, run: Callable[[], None]) -> None:
        self._every_s = every_s
        self._run = run
        self._over = threading.Event()
        self._thread = start_thread(name, self._go_on)

    def stop(self) -> None:
        """Stop, after a call that is under way."""
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(self._every_s):
            self._run()


def keep_what_is_loaded() -> None:
    """Say that all that is in memory now stays: to look for garbage in it stops every thread for long."""
    gc.collect()
    gc.freeze()


def start_thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """Run `run` in a thread that ends with the process."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def steady_ms() -> int:
    """Return milliseconds of a clock that only goes on, for how long something took."""
    return time.monotonic_ns() // 1_000_000


def own_thread(name: str) -> Executor:
    """Return a thread of one's own, which does what it is given one after the other."""
    return ThreadPoolExecutor(1, name)
