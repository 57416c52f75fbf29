"""What does a batch hold of the rows in memory, and which lists of them can a step ask for?

Steps get rows from a `Rows`, and `fold` puts changed ones back; the store writes what was changed.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from copy import copy
from typing import Any, ClassVar, TypeVar

import msgspec

from settlement.writer.rows import (
    KINDS,
    Balance,
    CentreUser,
    Claim,
    ClaimLine,
    Device,
    EntryRow,
    Freed,
    GoodsReturn,
    HoldNumber,
    Invoice,
    Key,
    Offer,
    OfferExplanation,
    Quota,
    Record,
    Row,
    Serial,
    UserRole,
    key_of,
)

R = TypeVar("R", bound=Row)


class Every(msgspec.Struct, frozen=True):
    """Asks for every row of a kind that meets a condition, which the store puts to the database too."""

    kind: ClassVar[type[Row]]

    def meets(self, row: Any) -> bool:
        """Whether a row of the kind meets it."""
        raise AssertionError(f"{type(self).__name__} does not say which rows it asks for")


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


class InUse(Every, frozen=True):
    """Every device whose place no other host has taken."""

    kind = Device

    def meets(self, row: Any) -> bool:
        """Not replaced."""
        return not row.replaced


Wanted = Key | Every

# Large, or asked for once: a batch forgets them when it is over.
_FORGOTTEN: tuple[type[Row], ...] = (
    Record,
    EntryRow,
    GoodsReturn,
    Offer,
    OfferExplanation,
    Invoice,
    Claim,
    ClaimLine,
    HoldNumber,
    Freed,
    CentreUser,
    UserRole,
)
_MOST_REMEMBERED = 100_000


class Changed:
    """Rows to write together: by kind and key, and the keys of those that the database does not have."""

    def __init__(
        self,
        rows: Mapping[type[Row], Mapping[tuple[Any, ...], Row]],
        new: Mapping[type[Row], Container[tuple[Any, ...]]],
    ) -> None:
        self._rows = rows
        self._new = new

    def of(self, kind: type[R]) -> list[R]:
        """Return the rows of a kind."""
        return list(self._rows.get(kind, {}).values())  # type: ignore[arg-type]  # rows lie under their kind

    def parts(self) -> Iterator[tuple[type[Row], bool, list[Row]]]:
        """Yield each kind with its rows, those that are new apart."""
        for kind, rows in self._rows.items():
            new = self._new.get(kind, ())
            if added := [row for key, row in rows.items() if key in new]:
                yield kind, True, added
            if len(added) < len(rows):
                yield kind, False, [row for key, row in rows.items() if key not in new]


class Rows:
    """The rows that the steps see: loaded once, changed in memory, written together after each batch."""

    def __init__(self, shared: frozenset[type[Row]] = frozenset()) -> None:
        # The kinds that lie in registers, not in the programme's own books.
        self.shared = shared
        # What each record takes there: by kind of register and record, the key.
        self.takes: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._rows: dict[type[Row], dict[tuple[Any, ...], Row | None]] = {kind: {} for kind in KINDS}
        self._every: set[Every] = set()
        # The number and the hash of the newest event, None until they have been asked for.
        self.last_event: tuple[int, str] | None = None
        # The newest version of each row that changed; of a record also those before it, a move each.
        self._changed: dict[type[Row], dict[tuple[Any, ...], Row]] = {}
        self._moves: dict[tuple[Any, ...], list[Row]] = {}
        # The keys of changed rows that were looked for in the database and were not there.
        self._new: dict[type[Row], set[tuple[Any, ...]]] = {}

    def copy(self) -> "Rows":
        """Return the same rows once more, for a step that is tried out: what it changes stays there."""
        made = copy(self)
        made.takes, made._every = dict(self.takes), set(self._every)
        made._rows = {kind: dict(rows) for kind, rows in self._rows.items()}
        made._changed = {kind: dict(rows) for kind, rows in self._changed.items()}
        made._moves = {key: list(rows) for key, rows in self._moves.items()}
        made._new = {kind: set(keys) for kind, keys in self._new.items()}
        return made

    def has(self, wanted: Wanted) -> bool:
        """Whether it is loaded, be it that the row does not exist."""
        if type(wanted) is tuple:
            return wanted[1] in self._rows[wanted[0]]
        return wanted in self._every

    def loaded_row(self, row: Row) -> None:
        """Note a row that the database holds; what is here already stays."""
        self._rows[type(row)].setdefault(key_of(row)[1], row)

    def loaded_none(self, kind: type[Row], keys: Iterable[tuple[Any, ...]]) -> None:
        """Note that those of `keys` that were not loaded do not exist."""
        known = self._rows[kind]
        for key in keys:
            known.setdefault(key, None)

    def loaded_every(self, wanted: Every) -> None:
        """Note that every row that `wanted` asks for is loaded."""
        self._every.add(wanted)

    def get(self, kind: type[R], *key: Any) -> R | None:
        """Return a row, or None when there is none. It must have been asked for by `keys`."""
        return self._rows[kind][key]  # type: ignore[return-value]  # rows lie under their kind

    def balance(self, funder: str, account: str, year: int, pool: str) -> int:
        """Return a balance in fen; its `BalancesOf` must have been asked for."""
        row = self._rows[Balance].get((funder, account, year, pool))
        if row is None:
            assert BalancesOf(funder, year, pool) in self._every
            return 0
        return int(row.fen)  # type: ignore[attr-defined]  # as above

    def want(self, kind: type[R], *key: Any) -> R:
        """Return a row that must exist."""
        row = self.get(kind, *key)
        assert row is not None, f"no {kind.__name__} {key}"
        return row

    def put(self, row: Row) -> None:
        """Put a new or changed row. Only `fold` calls this."""
        kind, key = key_of(row)
        known = self._rows[kind]
        before = known.get(key, row)
        known[key] = row
        changed = self._changed.setdefault(kind, {})
        if before is None:
            self._new.setdefault(kind, set()).add(key)
        # The database judges each move of a record's state, so a batch may not skip one.
        elif kind is Record and key in changed and before.state != row.state:  # type: ignore[attr-defined]
            self._moves.setdefault(key, []).append(changed[key])
        changed[key] = row

    def take(self, row: Quota | Serial, record_id: str) -> None:
        """Put a row that a record has taken, in whichever place its kind lies. Only `fold` calls this."""
        kind, key = key_of(row)
        if kind not in self.shared:
            self.put(row)
            return
        self._rows[kind][key] = row
        self.takes[row.register, record_id] = key
        # Given back in the same batch: the register has not heard of that, and need not.
        for rows in (self._rows[Freed], self._changed.get(Freed, {})):
            rows.pop((row.register, record_id), None)

    def free(self, kind: type[Quota] | type[Serial], record_id: str, after: Row | None = None) -> None:
        """Note that a record has given back what it took in a register, which need not be asked for that.

        `after` is the row as later steps of the batch see it, None when it was not loaded.
        """
        assert kind in self.shared
        self.takes.pop((kind.register, record_id), None)
        self.put(Freed(kind.register, record_id))
        if after is not None:
            self._rows[kind][key_of(after)[1]] = after

    def frees(self) -> bool:
        """Whether a register has to be told that something was given back."""
        return bool(self._changed.get(Freed))

    def every(self, wanted: Every) -> list[Any]:
        """Return every row that meets `wanted` now, in order of their keys."""
        assert wanted in self._every
        known = self._rows[wanted.kind]
        return [row for _, row in sorted(known.items()) if row is not None and wanted.meets(row)]

    def held_by(self, device: str, epoch: int) -> list[Record]:
        """Return every record of the device that is HELD, by hold number."""
        return sorted(self.every(HeldBy(device, epoch)), key=lambda row: row.hold_no)

    def changed(self) -> Iterator["Changed"]:
        """Yield the rows to write, in rounds: each row once a round, each move of its state in turn."""
        moved = self._moves
        for number in range(max(map(len, moved.values()), default=0)):
            passed = {key: before[number] for key, before in moved.items() if len(before) > number}
            yield Changed({Record: passed}, self._new if number == 0 else {})
        if self._changed:
            new = self._new
            if moved:
                new = {**new, Record: new.get(Record, set()) - moved.keys()}
            yield Changed(self._changed, new)

    def written(self) -> None:
        """Note that the database holds what is here, and forget what is seldom asked for twice."""
        self._changed, self._moves, self._new = {}, {}, {}
        self.takes = {}
        # Others write to registers too: of those nothing is remembered.
        for kind in (*_FORGOTTEN, *self.shared):
            self._rows[kind] = {}
        self._every = {one for one in self._every if one.kind not in _FORGOTTEN}
        if sum(map(len, self._rows.values())) > _MOST_REMEMBERED:
            self._rows = {kind: {} for kind in KINDS}
            self._every = set()

    def all_loaded(self) -> Iterator[tuple[Key, Row | None]]:
        """Yield what is in memory of these books, for the test that compares it with the database."""
        for kind, known in self._rows.items():
            if kind in self.shared or kind in (Freed, CentreUser, UserRole):
                continue
            for key, row in known.items():
                yield (kind, key), row
