"""What does the shipped SQLite write, sync, cut and delete, in which order? And what if the disk says no?

    with RecordedSqlite(folder) as disk:
        ...            # the shipped code, unchanged
    disk.log           # every operation on files in the folder, from first to last

The table of functions by which SQLite opens files is changed in the very library that ships, pysqlite3's. See
docs/decisions/0011.
"""

import contextlib
import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import pysqlite3._sqlite3 as library

FULL, IOERR_WRITE, IOERR_FSYNC, IOERR_READ, IOERR_TRUNCATE = 13, 778, 1034, 266, 1546

_P, _INT, _I64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_INT, _P, _P, _P, _INT, _P)
_DELETE = ctypes.CFUNCTYPE(_INT, _P, ctypes.c_char_p, _INT)
_CLOSE = ctypes.CFUNCTYPE(_INT, _P)
_TRANSFER = ctypes.CFUNCTYPE(_INT, _P, _P, _INT, _I64)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _P, _I64)
_SYNC = ctypes.CFUNCTYPE(_INT, _P, _INT)
_REST_OF_FILE = ("size", "lock", "unlock", "reserved", "control", "sector", "device")
_SHARED = ("shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch")


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("file_size", _INT),
        ("longest_name", _INT),
        ("next", _P),
        ("name", ctypes.c_char_p),
        ("data", _P),
        ("open", _OPEN),
        ("delete", _DELETE),
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("close", _CLOSE),
        ("read", _TRANSFER),
        ("write", _TRANSFER),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        *((name, _P) for name in (*_REST_OF_FILE, *_SHARED)),
    ]


class _File(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_Methods))]


# SQLite calls these for as long as a connection lives, which may be longer than the `with`.
_KEPT: list[object] = []


class Operation(NamedTuple):
    """One thing done to one file. `kind` is create, write, truncate, sync, delete, folder or commit.

    `folder` makes names durable, those of files that are gone too; `commit` is a mark of ours.
    """

    kind: str
    file: str
    at: int = 0
    content: bytes = b""


def _sqlite() -> Any:
    found = ctypes.PyDLL(library.__file__)
    found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    return found


class RecordedSqlite:
    """Tells what is done to the files of a folder, and may be full or broken from the n-th operation on."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve()) + os.sep
        self.log: list[Operation] = []
        self.calls: Counter[str] = Counter()
        self._names: dict[int, str] = {}
        self._new_logs: set[str] = set()
        self._tables: dict[int, tuple[_Methods, _Methods]] = {}
        self._vfs = _sqlite().sqlite3_vfs_find(None).contents
        self._fails_at: int | None = None
        self._fails_with: dict[str, int] = {}
        self._for_ever = True
        self._done = 0
        self.failed = 0

    def __enter__(self) -> Self:
        # By address: a field that was read goes on pointing into the table, where ours will stand.
        self._open = _OPEN(ctypes.cast(self._vfs.open, _P).value)
        self._delete = _DELETE(ctypes.cast(self._vfs.delete, _P).value)
        _KEPT.append(mine := (_OPEN(self._opened), _DELETE(self._deleted)))
        self._vfs.open, self._vfs.delete = mine
        return self

    def __exit__(self, *_wrong: object) -> None:
        self._vfs.open, self._vfs.delete = self._open, self._delete

    def mark(self, what: str) -> None:
        """Note that `what` is acknowledged: everything before must survive from here on."""
        self.log.append(Operation("commit", what))

    def fail(self, at: int, with_: dict[str, int], *, for_ever: bool) -> None:
        """Fail at the `at`-th operation from now (0 is the next) of the kinds in `with_`, by kind's code.

        `for_ever`: and at every one after it, until `heal`; otherwise at this one alone.
        """
        self._done, self._fails_at, self._fails_with, self._for_ever = 0, at, with_, for_ever
        self.failed = 0

    def heal(self) -> None:
        """Let the disk work again."""
        self._fails_at = None

    @contextlib.contextmanager
    def as_it_is(self) -> Iterator[None]:
        """Let whoever looks on see the disk as if it worked; that is not counted."""
        fails_at, self._fails_at = self._fails_at, None
        try:
            yield
        finally:
            self._fails_at = fails_at

    def _says_no(self, kind: str) -> int:
        self.calls[kind] += 1
        if self._fails_at is None or kind not in self._fails_with:
            return 0
        number, self._done = self._done, self._done + 1
        if number == self._fails_at or (self._for_ever and number > self._fails_at):
            self.failed += 1
            return self._fails_with[kind]
        return 0

    # SQLite's files.

    def _opened(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        mine = path.startswith(self._folder)
        is_new = mine and not os.path.exists(path)
        done: int = self._open(vfs, name, file, flags, out)
        if done == 0 and mine:
            self._names[file] = path[len(self._folder) :]
            if is_new:
                self.log.append(Operation("create", self._names[file]))
                if path.endswith(("-wal", "-journal")):
                    self._new_logs.add(self._names[file])
            opened = _File.from_address(file)
            opened.methods = ctypes.pointer(self._table(opened.methods))
        return done

    def _table(self, found: Any) -> _Methods:
        address = ctypes.addressof(found.contents)
        if address not in self._tables:
            original, mine = found.contents, _Methods()
            ctypes.memmove(ctypes.byref(mine), ctypes.byref(original), ctypes.sizeof(_Methods))
            mine.close = _CLOSE(lambda file: self._closed(original, file))
            mine.read = _TRANSFER(lambda *rest: self._says_no("read") or original.read(*rest))
            mine.write = _TRANSFER(lambda *rest: self._written(original, *rest))
            mine.truncate = _TRUNCATE(lambda *rest: self._truncated(original, *rest))
            mine.sync = _SYNC(lambda *rest: self._synced(original, *rest))
            self._tables[address] = original, mine
            _KEPT.append(mine)
        return self._tables[address][1]

    def _closed(self, original: _Methods, file: int) -> int:
        self._names.pop(file, None)
        done: int = original.close(file)
        return done

    def _written(self, original: _Methods, file: int, content: int, size: int, at: int) -> int:
        if no := self._says_no("write"):
            return no
        self.log.append(Operation("write", self._names[file], at, ctypes.string_at(content, size)))
        done: int = original.write(file, content, size, at)
        return done

    def _truncated(self, original: _Methods, file: int, size: int) -> int:
        if no := self._says_no("truncate"):
            return no
        self.log.append(Operation("truncate", self._names[file], size))
        done: int = original.truncate(file, size)
        return done

    def _synced(self, original: _Methods, file: int, flags: int) -> int:
        if no := self._says_no("sync"):
            return no
        done: int = original.sync(file, flags)
        name = self._names[file]
        self.log.append(Operation("sync", name))
        if name in self._new_logs:
            # SQLite's first sync of a new log or rollback journal syncs the folder too.
            self._new_logs.remove(name)
            self.log.append(Operation("folder", ""))
        return done

    def _deleted(self, vfs: int, name: bytes, and_sync: int) -> int:
        path = name.decode()
        if path.startswith(self._folder) and os.path.exists(path):
            self.log.append(Operation("delete", path[len(self._folder) :], and_sync))
        done: int = self._delete(vfs, name, and_sync)
        return done
