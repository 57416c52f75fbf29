"""The host's clocks, randomness, threads and the one file that only grows: no other file touches them."""

import os
import platform
import queue
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
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


def free_mib(folder: Path) -> int:
    """Return how many MiB are free on the disk of `folder`, or of the folder above while it is not there."""
    return shutil.disk_usage(folder if folder.exists() else folder.parent).free >> 20


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


class BoundedBox(Generic[T]):
    """What waits for one worker, up to so many bytes: whoever puts something in never waits for it.

    What does not fit is left out, and a `lost` stands in its place, once for all that is left out in a row.
    """

    def __init__(self, most_bytes: int, lost: T) -> None:
        self._most = most_bytes
        self._lost = lost
        self._held = 0
        self._waiting: deque[tuple[T, int]] = deque()
        self._losing = False
        self._changed = threading.Condition()

    def put(self, one: T, size: int = 0) -> None:
        """Add to the end; what has a size is left out when the box is full."""
        with self._changed:
            if size and self._held + size > self._most:
                if not self._losing:
                    self._waiting.append((self._lost, 0))
                self._losing = True
            else:
                self._losing = self._losing and not size
                self._held += size
                self._waiting.append((one, size))
            self._changed.notify()

    def take(self, timeout_s: float) -> T | None:
        """Return the next one, or None when none came in time."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            if not self._waiting:
                return None
            one, size = self._waiting.popleft()
            self._held -= size
            return one


class Changes:
    """Wakes whoever watches the journal."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._announced = 0

    def announce(self) -> None:
        """Say that something has changed."""
        with self._condition:
            self._announced += 1
            self._condition.notify_all()

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`, asked again after each change alone; return whether it came to be."""
        deadline = time.monotonic() + timeout_s
        while True:
            # Before asking: what changes while `done` looks makes it look again.
            seen = self._announced
            if done():
                return True
            with self._condition:
                while self._announced == seen:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._condition.wait(left)


def new_lock() -> threading.RLock:
    """Return a lock for one resource that several workers share."""
    return threading.RLock()


class GrowingFile:
    """A file that grows at its end only, and may be cut back to what it was. Raises OSError."""

    def __init__(self, path: Path) -> None:
        """Open `path`, made when it is not there, for its user only."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o600)
        self.size = os.fstat(self._file).st_size

    def append(self, content: bytes) -> None:
        """Write at the end; on the disk only after `sync`."""
        os.lseek(self._file, self.size, os.SEEK_SET)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self.size += len(content)

    def sync(self) -> None:
        """Return once everything written is on the disk."""
        os.fsync(self._file)

    def cut(self, size: int) -> None:
        """Make the file `size` bytes long, on the disk."""
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        self.size = size

    def read_from(self, at: int) -> bytes:
        """Return everything from `at` on."""
        os.lseek(self._file, at, os.SEEK_SET)
        parts = []
        while part := os.read(self._file, 1 << 20):
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def sync_folder(path: Path) -> None:
    """Return once the names of the files in the folder are on the disk. Raises OSError."""
    if os.name == "nt":
        return  # NTFS keeps names in its own log; a folder cannot be opened there
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
