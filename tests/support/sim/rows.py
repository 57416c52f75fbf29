"""What do journals and books say of sales and records now?"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from sim.watch import in_books, in_journal

if TYPE_CHECKING:
    from sim.world import World

# A line that was rejected is the fund's again; its sale is one all the same.
LIVE = ("HELD", "PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT", "KEPT", "AVAILABLE_AGAIN")
"""Where a record is one that counts."""


LISTED = ("UNKNOWN", "REVERSING", "GIVING_BACK")
"""Where an attempt is one that its shop lists: its money may still move."""


class SaleNow(NamedTuple):
    """A sale as its journal has it, with its attempts: (pay_ref, state, amount_fen, approved_fen)."""

    record_id: str
    state: str
    stop: int
    attempts: list[tuple[str, str, int, int | None]]

    @property
    def refs(self) -> list[str]:
        """The order numbers of its attempts."""
        return [one[0] for one in self.attempts]

    @property
    def has_open(self) -> bool:
        """Whether an attempt is listed as one that money may still move for."""
        return any(one[1] in ("INTENDED", *LISTED) for one in self.attempts)


class RecordNow(NamedTuple):
    """A record as the books have it."""

    record_id: str
    device: str
    state: str
    subsidy_fen: int
    to_pay_fen: int
    paid_fen: int
    person: str
    category: str
    year: int
    brand: str
    serial_no: str | None
    parts: str
    why: str
    recovered: int
    blocks: str
    goods_freed: int
    back: str | None

    @property
    def waits_for_people(self) -> bool:
        """Whether people have to say first that its grant still fits what others were given meanwhile."""
        return self.state == "BLOCKED" and "decision_differs" in self.blocks

    @property
    def is_live(self) -> bool:
        """Whether it counts for its person and its serial number: until the money went back.

        Or until people have found that nothing was sold.
        """
        return self.state in LIVE and self.back != "REFUNDED" and not self.goods_freed


Claim = Callable[["World", list[SaleNow], dict[str, RecordNow]], Iterator[str]]


def sales_now(world: "World") -> list[SaleNow]:
    """Return every sale of every journal."""
    found = []
    for host in world.hosts:
        if host.is_doubtful:
            continue
        attempts: dict[str, list[tuple[str, str, int, int | None]]] = {}
        for record_id, *one in in_journal(
            host,
            "SELECT record_id, pay_ref, state, amount_fen, approved_fen FROM attempt ORDER BY record_id, no",
        ):
            attempts.setdefault(record_id, []).append(tuple(one))  # type: ignore[arg-type]
        rows = in_journal(host, "SELECT record_id, state, stop FROM sale ORDER BY record_id")
        found += [SaleNow(*row, attempts.get(row[0], [])) for row in rows]
    return found


def records_now(world: "World") -> list[RecordNow]:
    """Return every record of the books."""
    columns = ", ".join(f"record.{name}" for name in RecordNow._fields if name != "back")
    tables = "record LEFT JOIN goods_return USING (record_id)"
    rows = in_books(world, f"SELECT {columns}, goods_return.state FROM {tables} ORDER BY 1")
    return [RecordNow(*row) for row in rows]


def is_at_rest(world: "World") -> bool:
    """Whether nothing is under way that would still change by itself."""
    if world.centre.service.process is None or any(not host.is_up for host in world.hosts):
        return False
    for host in world.hosts:
        if host.is_doubtful:
            continue
        ((waiting,),) = in_journal(host, "SELECT count(*) FROM outbox WHERE answer IS NULL")
        ((moving,),) = in_journal(
            host, "SELECT count(*) FROM sale WHERE state IN ('NEW', 'ASKING', 'HELD', 'PAYING', 'CLOSING')"
        )
        if waiting or moving:
            return False
    return True
