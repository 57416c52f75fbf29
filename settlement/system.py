"""The centre's clock, randomness, threads and account: no other file touches them."""

import os
import pwd
import queue
import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

Lock = threading.Lock


def wall_ms() -> int:
    """Return the centre's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def random_bytes(count: int) -> bytes:
    """Return `count` bytes that nobody can guess."""
    return secrets.token_bytes(count)


def account_name() -> str:
    """Return the name of the account under which this process runs; its number when it has none."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


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
        self._waiting: queue.SimpleQueue[T] = queue.SimpleQueue()

    def put(self, one: T) -> None:
        """Add to the end."""
        self._waiting.put(one)

    def take_up_to(self, most: int) -> list[T]:
        """Wait for one, then return it with what else is waiting, in order."""
        taken = [self._waiting.get()]
        while len(taken) < most:
            try:
                taken.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return taken


def start_thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """Run `run` in a thread that ends with the process."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
