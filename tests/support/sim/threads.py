"""What do `time`, `threading`, `queue`, `secrets` and `os._exit` mean to the shipped code in here?

Only the two `system.py` and the emulators use them, so these few names are all that a world has to lend.
They do what the real ones do, on the world's time and by the world's chance.
"""

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime as real_datetime
from datetime import tzinfo
from typing import Any

from sim.scheduler import Dead, Process, Scheduler, Task


class Here:
    """The world that runs now. One at a time: the modules below are lent once for all of them."""

    scheduler: Scheduler
    chance: random.Random
    disk_of: Callable[[Process], Any]
    job_failed: Callable[[Exception], None]
    at_port: Callable[[str], None]
    """Told of each call that leaves a host, before it does. May never come back."""


class time:
    """Stands for the module of this name. A host's clock may be wrong; its steady clock never jumps."""

    @staticmethod
    def time_ns() -> int:
        task = Here.scheduler.current
        skew_ms = task.process.skew_ms() if task is not None else 0
        return max(Here.scheduler.now_us + skew_ms * 1000, 0) * 1000

    @staticmethod
    def time() -> float:
        return time.time_ns() / 1e9

    @staticmethod
    def monotonic_ns() -> int:
        task = Here.scheduler.current
        born_ms = task.process.born_ms if task is not None else 0
        return (Here.scheduler.now_us - born_ms * 1000) * 1000

    @staticmethod
    def monotonic() -> float:
        return time.monotonic_ns() / 1e9

    perf_counter_ns = monotonic_ns

    @staticmethod
    def sleep(seconds: float) -> None:
        Here.scheduler.sleep(seconds)


class secrets:
    """Stands for the module of this name: the same bytes for the same seed."""

    @staticmethod
    def token_bytes(count: int) -> bytes:
        return Here.chance.randbytes(count)

    @staticmethod
    def token_hex(count: int) -> str:
        return Here.chance.randbytes(count).hex()

    @staticmethod
    def token_urlsafe(count: int) -> str:
        return Here.chance.randbytes(count).hex()


def end_process(_code: int) -> None:
    """Stand for `os._exit`: a process ends itself."""
    task = Here.scheduler.current
    assert task is not None
    Here.scheduler.kill(task.process)


class datetime(real_datetime):
    """Stands for the class of this name where a host's time is taken."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "datetime":  # type: ignore[override]
        return cls.fromtimestamp(time.time_ns() / 1e9, tz)


class _Waiters:
    """Tasks that wait for something, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until told; return whether it was before the time was over."""
        task = Here.scheduler.current
        assert task is not None
        self._waiting.append(task)
        try:
            if timeout_s is None:
                Here.scheduler.park()
            else:
                Here.scheduler.sleep(timeout_s)
            return task not in self._waiting
        finally:
            if task in self._waiting:
                self._waiting.remove(task)

    def tell_one(self) -> None:
        if self._waiting:
            Here.scheduler.wake(self._waiting.popleft())

    def tell_all(self) -> None:
        while self._waiting:
            self.tell_one()


class _RLock:
    def __init__(self) -> None:
        self._owner: Task | None = None
        self._depth = 0
        self._waiters = _Waiters()

    def acquire(self) -> bool:
        task = Here.scheduler.current
        if task is not None and not task.process.alive:
            raise Dead
        while self._depth and self._owner is not task:
            self._waiters.wait(None)
        self._owner = task
        self._depth += 1
        return True

    def release(self) -> None:
        if self._owner is not Here.scheduler.current:
            return  # Its task has died while it waited without the lock.
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._waiters.tell_one()

    def leave(self) -> None:
        """Let others have it: whoever holds it is dead."""
        self._owner, self._depth = None, 0
        self._waiters.tell_one()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()


class _Event:
    def __init__(self) -> None:
        self._set = False
        self._waiters = _Waiters()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._waiters.tell_all()

    def wait(self, timeout: float | None = None) -> bool:
        return self._set or self._waiters.wait(timeout) or self._set


class _Condition(_RLock):
    def notify(self) -> None:
        self._told.tell_one()

    def notify_all(self) -> None:
        self._told.tell_all()

    def __init__(self) -> None:
        super().__init__()
        self._told = _Waiters()

    def wait(self, timeout: float | None = None) -> bool:
        self.release()
        try:
            return self._told.wait(timeout)
        finally:
            self.acquire()


class _Thread:
    def __init__(self, target: Callable[[], None], name: str = "", daemon: bool = True) -> None:
        self._target, self._name = target, name
        self._task: Task | None = None

    def start(self) -> None:
        task = Here.scheduler.current
        assert task is not None
        self._task = Here.scheduler.spawn(task.process, self._name, self._target)

    def join(self, timeout: float | None = None) -> None:
        task = Here.scheduler.current
        assert task is not None
        if self._task is not None and not self._task.ended:
            self._task.when_ended.append(task)
            Here.scheduler.park()


class threading:
    """Stands for the module of this name."""

    RLock = Lock = _RLock
    Event = _Event
    Condition = _Condition
    Thread = _Thread


class queue:
    """Stands for the module of this name."""

    class Empty(Exception):
        """Nothing was there."""

    class SimpleQueue:
        def __init__(self) -> None:
            self._items: deque[Any] = deque()
            self._waiters = _Waiters()

        def __class_getitem__(cls, _: object) -> Any:
            return cls

        def put(self, one: object) -> None:
            self._items.append(one)
            self._waiters.tell_one()

        def qsize(self) -> int:
            return len(self._items)

        def get_nowait(self) -> Any:
            if not self._items:
                raise queue.Empty
            return self._items.popleft()

        def get(self, timeout: float | None = None) -> Any:
            Here.scheduler.check_alive()
            while not self._items:
                if not self._waiters.wait(timeout) and not self._items:
                    raise queue.Empty
            return self._items.popleft()
