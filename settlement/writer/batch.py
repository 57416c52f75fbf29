"""What does a batch hold of the rows in memory, and which lists of them can a step ask for?

Steps get rows from a `Rows`, and `fold` puts changed ones back; the store writes what was changed.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import msgspec

from settlement.writer.rows import Balance, Claim, ClaimLine, Key, Record, Row, key_of

R = TypeVar("R", bound=Row)


class Every(msgspec.Struct, frozen=True):
    """Asks for every row of a kind that meets a condition, which the store puts to the database too."""

    kind: ClassVar[type[Row]]

    def meets(self, row: Any) -> bool:
        """Whether a row of the kind meets it."""
        raise NotImplementedError


class HeldBy(Every, frozen=True):
    """Every record that a device still has held: a statement may end them."""

    kind = Record
    device: str
    epoch: int

    def meets(self, row: Any) -> bool:
        """Held, and by this device."""
        return row.state == "HELD" and (row.device, row.epoch) == (self.device, self.epoch)


class UnclaimedOf(Every, frozen=True):
    """Every record of a merchant that is payable, blocked or not, and was placed before an instant."""

    kind = Record
    merchant: str
    before_ms: int

    def meets(self, row: Any) -> bool:
        """Payable, the merchant's, and placed in time."""
        return (
            row.state in ("PAYABLE", "BLOCKED")
            and row.merchant == self.merchant
            and row.placed_at_ms < self.before_ms
        )


class ClaimsOf(Every, frozen=True):
    """Every claim of a merchant for a day."""

    kind = Claim
    merchant: str
    day: str

    def meets(self, row: Any) -> bool:
        """The merchant's, for the day."""
        return (row.merchant, row.day) == (self.merchant, self.day)


class LinesOf(Every, frozen=True):
    """Every line of a claim."""

    kind = ClaimLine
    claim: str

    def meets(self, row: Any) -> bool:
        """Of the claim."""
        return bool(row.claim == self.claim)


class BalancesOf(Every, frozen=True):
    """Every balance of a funder in a pool of a programme year."""

    kind = Balance
    funder: str
    year: int
    pool: str

    def meets(self, row: Any) -> bool:
        """The funder's, of the year and pool."""
        return (row.funder, row.year, row.pool) == (self.funder, self.year, self.pool)


class BalancesOfYear(Every, frozen=True):
    """Every balance of a programme year, whoever's and of whatever pool."""

    kind = Balance
    year: int

    def meets(self, row: Any) -> bool:
        """Of the year."""
        return bool(row.year == self.year)


Wanted = Key | Every


class Rows:
    """The rows of one batch: loaded once, changed in memory, written together."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row | None] = {}
        self._changed: dict[Key, list[Row]] = {}
        self._every: set[Every] = set()

    def has(self, wanted: Wanted) -> bool:
        """Whether it is loaded, be it that the row does not exist."""
        return wanted in self._every if isinstance(wanted, Every) else wanted in self._rows

    def loaded(self, key: Key, row: Row | None) -> None:
        """Note what the database holds; what the batch has already stays."""
        self._rows.setdefault(key, row)

    def loaded_every(self, wanted: Every) -> None:
        """Note that every row that `wanted` asks for is loaded."""
        self._every.add(wanted)

    def get(self, kind: type[R], *key: Any) -> R | None:
        """Return a row, or None when there is none. It must have been asked for by `keys`."""
        row = self._rows[kind, key]
        assert row is None or isinstance(row, kind)
        return row

    def balance(self, funder: str, account: str, year: int, pool: str) -> int:
        """Return a balance in fen; its `BalancesOf` must have been asked for."""
        row = self._rows.get((Balance, (funder, account, year, pool)))
        if row is None:
            assert BalancesOf(funder, year, pool) in self._every
            return 0
        assert isinstance(row, Balance)
        return row.fen

    def want(self, kind: type[R], *key: Any) -> R:
        """Return a row that must exist."""
        row = self.get(kind, *key)
        assert row is not None, f"no {kind.__name__} {key}"
        return row

    def put(self, row: Row) -> None:
        """Put a new or changed row. Only `fold` calls this."""
        key = key_of(row)
        before = self._rows.get(key)
        self._rows[key] = row
        versions = self._changed.setdefault(key, [])
        # The database judges each move of a record's state, so a batch may not skip one.
        moved = isinstance(row, Record) and isinstance(before, Record) and before.state != row.state
        if versions and not moved:
            versions[-1] = row
        else:
            versions.append(row)

    def every(self, wanted: Every) -> list[Any]:
        """Return every row that meets `wanted` now, in order of their keys."""
        assert wanted in self._every
        found = [
            (key[1], row)
            for key, row in self._rows.items()
            if row is not None and key[0] is wanted.kind and wanted.meets(row)
        ]
        return [row for _, row in sorted(found, key=lambda one: one[0])]

    def held_by(self, device: str, epoch: int) -> list[Record]:
        """Return every record of the device that is HELD, by hold number."""
        return sorted(self.every(HeldBy(device, epoch)), key=lambda row: row.hold_no)

    def changed(self) -> Iterator[list[Row]]:
        """Yield the rows to write, in rounds: each row once a round, each move of its state in turn."""
        most = max(map(len, self._changed.values()), default=0)
        for number in range(most):
            yield [versions[number] for versions in self._changed.values() if len(versions) > number]

    def all_loaded(self) -> Iterator[tuple[Key, Row | None]]:
        """Yield everything in memory, for the test that compares it with the database."""
        yield from self._rows.items()
