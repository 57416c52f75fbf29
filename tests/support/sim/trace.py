"""What happened, in words, and is it the same as last time?"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

_SHANGHAI = timezone(timedelta(hours=8))


class Trace:
    """The lines of one run. The hash is over all of them, also when they are not kept."""

    def __init__(self, now_ms: Callable[[], int], keep: bool) -> None:
        self._now_ms = now_ms
        self._hash = hashlib.sha256()
        self.lines: list[str] | None = [] if keep else None

    def note(self, who: str, what: str) -> None:
        """Note that `who` did or met with something."""
        line = f"{self._now_ms()} {who}: {what}"
        self._hash.update(line.encode() + b"\n")
        if self.lines is not None:
            at = datetime.fromtimestamp(self._now_ms() / 1000, UTC).astimezone(_SHANGHAI)
            self.lines.append(f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}  {who}: {what}")

    def hash(self) -> str:
        """Return the hash of all lines so far."""
        return self._hash.hexdigest()
