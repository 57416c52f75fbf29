"""The host's clocks, randomness and threads: no other file of the agent touches them."""

import os
import platform
import queue
import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SystemClock:
    """The two clocks of this host."""

    def wall_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Return milliseconds that only grow."""
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def random_bytes(count: int) -> bytes:
    """Return `count` bytes that nobody can guess."""
    return secrets.token_bytes(count)


def host_name() -> str:
    """Return what this host calls itself."""
    return platform.node() or "unnamed"


def end_process() -> None:
    """End this process at once, without cleaning up: the supervisor starts it again."""
    os._exit(1)


def spawn(name: str, run: Callable[[], None]) -> None:
    """Run `run` in a thread of its own that ends with the process."""
    threading.Thread(target=run, name=name, daemon=True).start()


class Mailbox(Generic[T]):
    """What waits for one worker."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[T] = queue.SimpleQueue()

    def put(self, one: T) -> None:
        """Add to the end."""
        self._waiting.put(one)

    def take(self, timeout_s: float) -> T | None:
        """Return the next one, or None when none came in time."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return None


class Changes:
    """Wakes whoever watches the journal."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def announce(self) -> None:
        """Say that something has changed."""
        with self._condition:
            self._condition.notify_all()

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`, asked again after each change; return whether it came to be."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                # Woken now and then besides: a change may be announced between asking and waiting.
                self._condition.wait(min(left, 0.5))
        return True


def new_lock() -> threading.RLock:
    """Return a lock for one resource that several workers share."""
    return threading.RLock()
