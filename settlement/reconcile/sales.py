"""What is a night's material: the sales it looks at, the files that have come, and what adds up."""

import msgspec

from settlement.reconcile.expect import Story
from settlement.reconcile.lines import Line, record_of
from settlement.writer.rows import Difference


class Contested(msgspec.Struct, frozen=True):
    """Rows that name no order and payments that they fit, more than one of either."""

    pay_refs: tuple[str, ...]
    lines: tuple[Line, ...]


class Files(msgspec.Struct, frozen=True):
    """Which files (source, day) are here; `whole` are those that came when their day was over."""

    here: frozenset[tuple[str, str]]
    whole: frozenset[tuple[str, str]]


class Registered(msgspec.Struct, frozen=True):
    """A file as it stands in the books; the highest version of a source and day counts.

    `is_none` is the channel's word that nothing moved, in place of a file. `whole` says that it came when
    its day was over.
    """

    source: str
    day: str
    version: int
    layout: str
    sha256: str
    rows: int
    sale_fen: int
    back_fen: int
    is_none: bool
    registered_ms: int
    whole: bool


class Sale(msgspec.Struct, frozen=True):
    """Everything about one sale: its story, None when the centre has no such record, and all its rows.

    `contested` are rows without an order number that fit it and not it alone; `free` those at its terminal
    that have its amount and are nobody's, `beside` the same of a sale that was then not paid.
    """

    sale: str
    story: Story | None
    lines: tuple[Line, ...]
    contested: tuple[Contested, ...] = ()
    free: tuple[Line, ...] = ()
    beside: tuple[Line, ...] = ()

    @property
    def concerns(self) -> frozenset[str]:
        """Where rows stand that may be of it, and cannot be told to be."""
        rows = (*self.free, *self.beside, *(line for one in self.contested for line in one.lines))
        return frozenset(one.place for one in rows)

    @property
    def record_id(self) -> str | None:
        """The record that it is, or that its rows name; None when they cannot name one."""
        return record_of(self.sale) if self.story is None else self.story.record_id


class Totals(msgspec.Struct, frozen=True):
    """What the database adds up by itself, for the proof. All in fen."""

    stated_fen: int
    stored_fen: int
    promised_fen: int
    still_out_fen: int


class Gathered(msgspec.Struct, frozen=True):
    """Everything that a night needs. `end_ms` is when the day ends.

    `reported` are the sales that the day's report is about, `placed` those of holds placed on the day;
    `items` are the night's own items that are open.
    """

    day: str
    end_ms: int
    sales: tuple[Sale, ...]
    reported: frozenset[str]
    placed: frozenset[str]
    day_lines: tuple[Line, ...]
    files: Files
    day_files: dict[str, Registered]
    items: tuple[Difference, ...]
    totals: Totals
