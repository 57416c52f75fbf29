"""What does the paper beside a backup say, so that restored books can be proved to be those that were saved?

It lies beside the backup as `NAME.manifest.json` and is written last: a backup without one is unfinished.
The centre's keys are never in a backup: the manifest only lets one see whether the right ones are there.
"""

from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, select

from settlement.copies import files
from settlement.copies.books import LOG
from settlement.copies.dump import Content, content
from settlement.db import tables, version
from settlement.keys import Keys
from settlement.writer.event_chain import GENESIS
from subsidy.strict import json_bytes

_SUFFIX = ".manifest.json"
_MOST_BYTES = 1 << 20


class ManifestWrong(Exception):
    """A backup that is not what its manifest says, or has none. The message says why and what to do."""


class Books(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The books that were saved: how far their log goes, what their accounts add up to, what they hold.

    `balances_fen` has each account's sum over all funders, years and pools.
    """

    revision: str
    events: int
    head: str
    balances_fen: dict[str, int]
    content: Content


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backup: whose, from which kind of database, when, of which books, and its file.

    `keys` tells the centre's keys from others and cannot be turned back into them.
    """

    v: int
    programme: str
    database: str
    taken_ms: int
    keys: str
    books: Books
    size: int
    sha256: str


def describe(connection: Connection) -> Books:
    """Return what the books are in the transaction of `connection`."""
    last = connection.execute(
        select(LOG.c.event_no, LOG.c.hash).order_by(LOG.c.event_no.desc()).limit(1)
    ).first()
    c = tables.balance.c
    sums = select(c.account, func.sum(c.fen).label("fen")).group_by(c.account)
    balances = {str(row.account): int(row.fen) for row in connection.execute(sums)}
    return Books(
        revision=version.revision(connection),
        events=0 if last is None else last.event_no,
        head=GENESIS if last is None else last.hash,
        balances_fen=dict(sorted(balances.items())),
        content=content(connection),
    )


def mark_of(keys: Keys) -> str:
    """Return what tells these keys from others."""
    return keys.request_mac(b"the keys of these books")


def beside(backup: Path) -> Path:
    """Return where a backup's manifest lies."""
    return backup.with_name(backup.name + _SUFFIX)


def write(backup: Path, manifest: Manifest) -> None:
    """Put a manifest beside its backup."""
    with files.whole(beside(backup)) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def read(backup: Path) -> Manifest:
    """Return the manifest of a backup, having seen that the file is the one it was. Raises ManifestWrong."""
    if not backup.is_file():
        raise ManifestWrong(f"{backup} does not exist. Name the file of a backup")
    paper = beside(backup)
    if not paper.is_file():
        raise ManifestWrong(f"{paper} does not exist: the backup was never finished. Use another one")
    manifest = _manifest(paper)
    if (backup.stat().st_size, files.sha256_of(backup)) != (manifest.size, manifest.sha256):
        raise ManifestWrong(f"{backup} is not the file that was written: it was damaged. Use another one")
    return manifest


def newest(folder: Path) -> Path:
    """Return the backup of a folder that was taken last. Raises ManifestWrong."""
    if folder.is_file():
        raise ManifestWrong(f"{folder} is a file. Name the folder that it lies in")
    found = sorted(
        (_manifest(paper).taken_ms, paper.name) for paper in folder.glob(f"*{_SUFFIX}") if paper.is_file()
    )
    if not found:
        raise ManifestWrong(f"{folder} has no backup. Make one with `settlement backup {folder}`")
    return folder / found[-1][1].removesuffix(_SUFFIX)


def _manifest(paper: Path) -> Manifest:
    try:
        return json_bytes.decode(paper.read_bytes(), Manifest, _MOST_BYTES)
    except json_bytes.NotStrict:
        raise ManifestWrong(f"{paper} is no manifest of a backup. Use another backup") from None
