"""What may lie on the disk when the power goes after the k-th operation?

Of each file everything that was synced, and of what was written since any part, torn at sectors; parts may be
missing while later ones are there, but an older write never lies over a newer one. A file that was made and
never synced may not be there; one that was deleted without syncing the folder may be there again.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from power.recorded_sqlite import Operation

_SECTOR = 512
LOST, KEPT = 0, 1
"""The first two variants of a cut: all that was not synced is lost, or is there. The rest are drawn."""


class _OneFile:
    """A file on a disk whose power may go: what is safe, what is on its way."""

    def __init__(self, safe: bytes | None = None) -> None:
        self.safe = safe
        self.pending: list[Operation] = []

    def synced(self) -> None:
        self.safe = self.after(self.pending)
        self.pending = []

    def named(self) -> None:
        """The folder was synced: the file is there, or gone, for good."""
        gone = [number for number, one in enumerate(self.pending) if one.kind == "delete"]
        if gone:
            self.pending = self.pending[gone[-1] + 1 :]
            self.safe = None
        if self.safe is None and self.pending:
            self.safe = b""

    def after(self, done: Sequence[Operation]) -> bytes | None:
        """Return the file when of what is pending just these were done."""
        content = None if self.safe is None else bytearray(self.safe)
        for one in done:
            if one.kind == "delete":
                content = None
                continue
            content = bytearray() if content is None else content
            if one.kind == "truncate":
                del content[one.at :]
                content.extend(b"\0" * (one.at - len(content)))
            elif one.kind == "write":
                content.extend(b"\0" * (one.at - len(content)))
                content[one.at : one.at + len(one.content)] = one.content
        return None if content is None else bytes(content)


class Disk:
    """The disk after each operation in turn."""

    def __init__(self, before: Mapping[str, bytes] | None = None) -> None:
        """Begin with the files that were there before, safe on the disk."""
        self._files = {name: _OneFile(content) for name, content in (before or {}).items()}

    def do(self, one: Operation) -> None:
        """Do the next operation."""
        if one.kind == "commit":
            return
        if one.kind == "folder":
            for each in self._files.values():
                each.named()
            return
        file = self._files.setdefault(one.file, _OneFile())
        if one.kind != "sync":
            file.pending.append(one)
        if one.kind == "sync" or (one.kind == "delete" and one.at):
            file.synced()

    def image(self, variant: int, seed: str) -> dict[str, bytes]:
        """Return the files as they may be when the power goes now."""
        chance = random.Random(f"{seed} {variant}")
        found = {}
        for name, file in sorted(self._files.items()):
            if variant == LOST:
                content = file.safe
            elif variant == KEPT:
                content = file.after(file.pending)
            else:
                content = file.after(list(_some(file.pending, chance)))
            if content is not None:
                found[name] = content
        return found


class Judge:
    """Says what is wrong with a disk; one of the same bytes, that must be the same, is not judged again."""

    def __init__(self, judge: Callable[[dict[str, bytes], list[str]], str]) -> None:
        self._judge = judge
        self._said: dict[bytes, str] = {}

    @property
    def different(self) -> int:
        """How many different disks were judged."""
        return len(self._said)

    def of(self, image: dict[str, bytes], may_be: list[str]) -> str:
        """Return what is wrong with a disk that must be in one of these states, "" when nothing is."""
        seen = hashlib.blake2b(repr(may_be).encode(), digest_size=16)
        for name, content in sorted(image.items()):
            seen.update(f"{name} {len(content)}\n".encode())
            seen.update(content)
        if (same := seen.digest()) not in self._said:
            self._said[same] = self._judge(image, may_be)
        return self._said[same]


def put(image: dict[str, bytes], folder: Path) -> None:
    """Write an image into a folder that has nothing else."""
    for old in folder.iterdir():
        old.unlink()
    for name, content in image.items():
        (folder / name).write_bytes(content)


def _some(pending: Sequence[Operation], chance: random.Random) -> Iterator[Operation]:
    """Yield some of the operations that were on their way, in their order."""
    likely = chance.choice((0.1, 0.5, 0.9, 1.0))
    cut_after = chance.randrange(len(pending) + 1) if chance.random() < 0.5 else len(pending)
    for number, one in enumerate(pending):
        is_last = number == cut_after
        if number > cut_after:
            return
        if not is_last and chance.random() < likely:
            yield one
        elif one.kind == "write" and (is_last or chance.random() < 0.5):
            yield from _torn(one, chance)


def _torn(one: Operation, chance: random.Random) -> Iterator[Operation]:
    """Yield the sectors of a write that reached the disk."""
    at, end = one.at, one.at + len(one.content)
    while at < end:
        stop = min((at // _SECTOR + 1) * _SECTOR, end)
        if chance.random() < 0.5:
            yield Operation("write", one.file, at, one.content[at - one.at : stop - one.at])
        at = stop
