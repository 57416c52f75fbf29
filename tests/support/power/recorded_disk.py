"""What does the shipped code of the agent do to its disk: SQLite, and the file that grows beside it?

    with RecordedDisk(folder) as disk:
        ...            # the shipped code, unchanged
    disk.log           # every operation on files in the folder, from first to last

The file that grows (`terminal_agent.system`) is replaced by one that tells. See docs/decisions/0011.
"""

import errno
import os
from pathlib import Path
from typing import Self

from power.recorded_sqlite import FULL, Operation, RecordedSqlite

from terminal_agent import system


class RecordedDisk(RecordedSqlite):
    """Tells what is done to the files of a folder, and may be full or broken from the n-th operation on."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._growing, self._folders = system.GrowingFile, system.sync_folder
        system.GrowingFile, system.sync_folder = self._growing_file(), self._folder_synced  # type: ignore[misc]
        return self

    def __exit__(self, *wrong: object) -> None:
        super().__exit__(*wrong)
        system.GrowingFile, system.sync_folder = self._growing, self._folders  # type: ignore[misc]

    def _growing_file(self) -> type[system.GrowingFile]:
        disk = self

        class Told(system.GrowingFile):
            def __init__(self, path: Path) -> None:
                self._name = str(path.resolve())[len(disk._folder) :]
                if not path.exists():
                    disk.log.append(Operation("create", self._name))
                super().__init__(path)

            def append(self, content: bytes) -> None:
                disk._raise("write")
                disk.log.append(Operation("write", self._name, self.size, content))
                super().append(content)

            def sync(self) -> None:
                disk._raise("sync")
                super().sync()
                disk.log.append(Operation("sync", self._name))

            def cut(self, size: int) -> None:
                disk._raise("truncate")
                super().cut(size)
                disk.log.append(Operation("truncate", self._name, size))
                disk.log.append(Operation("sync", self._name))

        return Told

    def _folder_synced(self, path: Path) -> None:
        self._raise("sync")
        self._folders(path)
        self.log.append(Operation("folder", ""))

    def _raise(self, kind: str) -> None:
        if no := self._says_no(kind):
            number = errno.ENOSPC if no == FULL else errno.EIO
            raise OSError(number, os.strerror(number))
