"""Do the books depend on the order, the batches or the repetitions in which a network delivers?

Returns are among what is delivered: their words may overtake each other and their sales.
"""

import base64
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from books import Books
from fake_device import Chained, FakeDevice, promised
from hypothesis import given, settings
from hypothesis import strategies as st

from subsidy.wire import v1

ENTRIES = 22
SALES = ("paid", "closed", "paid", "misfit", "closed", "returning", "returned", "refused", "again", "open")
# What follows a sale's end: words on its return.
RETURNS = {"returning": (None,), "returned": (True,), "refused": (False,), "again": (False, True)}
SAME_WHATEVER_THE_ORDER = (
    "SELECT * FROM record ORDER BY record_id",
    "SELECT * FROM balance ORDER BY funder, account, year, pool",
    "SELECT * FROM serial ORDER BY brand, serial_no",
    "SELECT * FROM qualification WHERE used_by IS NOT NULL ORDER BY qualification",
    "SELECT * FROM quota ORDER BY person, category, year",
    "SELECT * FROM open_count ORDER BY scope, name",
    "SELECT * FROM entry_row ORDER BY seq, hash",
    "SELECT * FROM entry_at ORDER BY seq",
    "SELECT * FROM goods_return ORDER BY record_id",
    "SELECT subject, kind, owner FROM difference ORDER BY subject, kind",
    "SELECT device, frozen, last_seq, entries FROM device",
    "SELECT funder, account, year, happening, sum(fen), count(*) FROM posting "
    "GROUP BY funder, account, year, happening ORDER BY funder, account, year, happening",
)


class World(msgspec.Struct, frozen=True):
    """The books of a device that has sold, in a folder, and the entries that it will report."""

    folder: Path
    device: FakeDevice
    entries: tuple[Chained, ...]
    holds: tuple[v1.OpenHold, ...]

    def still_open(self, acked: set[int]) -> list[v1.OpenHold]:
        """Return the holds that the device would truly state: those whose end is not acknowledged."""
        ended = set()
        for entry in self.entries:
            body = json.loads(base64.b64decode(entry.wire.body))
            if entry.seq in acked and body["kind"] in ("paid", "closed"):
                ended.add(body.get("record_id"))
        return [one for one in self.holds if one.record_id not in ended]

    def deliver(self, folder: Path, batches: Sequence[Sequence[int]]) -> list[object]:
        """Return what the books say after uploads of these batches of entries."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        books = Books(folder, is_new=False)
        acked: set[int] = set()
        for number, batch in enumerate(batches, 1):
            listed = [self.entries[one] for one in batch]
            upload = self.device.upload(listed, self.still_open(acked), upload_no=number)
            (answer,) = books.write(books.uploaded(self.device, upload))
            books.answers(answer, tuple(listed))
            acked |= {one.seq for one in listed}
        return [books.sql_rows(query) for query in SAME_WHATEVER_THE_ORDER]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A day's sales of one device, not yet reported."""
    folder = tmp_path_factory.mktemp("world")
    books = Books(folder)
    device = books.enrol()
    entries, holds = [], []
    for outcome in SALES:
        sealed = books.hold(device)
        promise = promised(sealed)
        holds.append(v1.OpenHold(record_id=promise.record_id, hold_no=promise.hold_no))
        if outcome == "closed":
            entries.append(device.chain(device.closed(promise.record_id, promise.hold_no)))
        elif outcome != "open":
            more = {"paid_fen": 1} if outcome == "misfit" else {}
            entries.append(device.chain(device.paid(sealed, **more)))
            if outcome not in RETURNS:
                entries.append(device.chain(device.supplement(promise.record_id, device.attempt(promise))))
        for number, refunded in enumerate(RETURNS.get(outcome, ())):
            entries.append(device.chain(device.returning(promise, reason=f"try {number}")))
            if refunded is not None:
                entries.append(device.chain(device.returned(promise, refunded)))
    entries.append(device.chain(b'{"kind": "of another version"}'))
    assert len(entries) == ENTRIES
    return World(folder, device, tuple(entries), tuple(holds))


@pytest.fixture(scope="module")
def in_order(world, tmp_path_factory):
    """What the books say after one upload of everything."""
    return world.deliver(tmp_path_factory.mktemp("in-order"), [range(ENTRIES)])


@st.composite
def deliveries(draw):
    """Draw batches in which every entry comes at least once, in any order."""
    numbers = list(range(ENTRIES))
    order = draw(st.permutations(numbers + draw(st.lists(st.sampled_from(numbers), max_size=8))))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


@settings(max_examples=25)
@given(batches=deliveries())
def test_any_order_repetition_and_batching_gives_the_same_books(world, in_order, batches):
    with tempfile.TemporaryDirectory(prefix="any-order-") as folder:
        assert world.deliver(Path(folder), batches) == in_order


def test_the_books_it_is_compared_with_hold_every_kind_of_outcome(in_order):
    states = sorted(row[1] for row in in_order[0])
    assert states == [
        "BLOCKED",
        "HELD",
        "KEPT",
        "PAYABLE",
        "PAYABLE",
        "PAYABLE",
        "RELEASED",
        "RELEASED",
        "RETURNED",
        "RETURNED",
    ]
