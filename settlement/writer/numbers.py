"""What has the writer done, for monitors? Plain numbers that only the writer's thread changes.

Whoever reads them takes nobody's turn.
"""

from bisect import bisect_left

import msgspec

COMMANDS = (1, 2, 4, 8, 16, 32, 64)
"""Up to how many commands a batch has, for each class of batches."""
COMMIT_US = (1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
"""Up to how long a commit takes, for each class of commits, in microseconds."""


def _classes(bounds: tuple[int, ...]) -> list[int]:
    return [0] * (len(bounds) + 1)


class Numbers(msgspec.Struct):
    """Counted since the service began. Times are in microseconds."""

    batches: int = 0
    commands: int = 0
    failed: int = 0
    busy: int = 0
    last_batch: int = 0
    commit_us: int = 0
    batch_us: int = 0
    by_commands: list[int] = msgspec.field(default_factory=lambda: _classes(COMMANDS))
    by_commit: list[int] = msgspec.field(default_factory=lambda: _classes(COMMIT_US))

    def count(self, commands: int, commit_us: int, batch_us: int) -> None:
        """Count a batch that is committed."""
        self.batches += 1
        self.commands += commands
        self.last_batch = commands
        self.commit_us += commit_us
        self.batch_us += batch_us
        self.by_commands[bisect_left(COMMANDS, commands)] += 1
        self.by_commit[bisect_left(COMMIT_US, commit_us)] += 1
