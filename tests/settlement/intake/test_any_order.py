"""Do the books depend on the order, the batches or the repetitions in which a network delivers?

Returns are among what is delivered: their words may overtake each other and their sales.
"""

import base64
import json
import random
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from books import ENGINES, Books, copy_books
from fake_device import Chained, FakeDevice, promised
from hypothesis import given, settings
from hypothesis import strategies as st
from storm import let_in

from subsidy.wire import v1

ENTRIES = 22
MOST_ENTRIES = 1000
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
    on: str
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
        copy_books(self.folder, folder)
        acked: set[int] = set()
        with closing(Books(folder, is_new=False, on=self.on)) as books:
            for number, batch in enumerate(batches, 1):
                listed = [self.entries[one] for one in batch]
                upload = self.device.upload(listed, self.still_open(acked), upload_no=number)
                (answer,) = books.write(books.uploaded(self.device, upload))
                books.answers(answer, tuple(listed))
                acked |= {one.seq for one in listed}
            return [books.sql_rows(query) for query in SAME_WHATEVER_THE_ORDER]


@pytest.fixture(scope="module", params=ENGINES)
def world(tmp_path_factory, request):
    """A day's sales of one device, not yet reported, on each database."""
    made = make_world(tmp_path_factory.mktemp("world"), request.param, SALES)
    assert len(made.entries) == ENTRIES
    return made


def make_world(folder, on, sales):
    """Return what one device has sold, and will report, when its sales end as `sales` says."""
    books = Books(folder, on=on)
    device = books.enrol()
    codes = [f"WORLD-{number:04d}" for number, _ in enumerate(sales)]
    let_in(books.centre, codes)
    asked = [
        books.asked(device, device.hold_request(books.pack.hash, qualification_code=code)) for code in codes
    ]
    promises = [books.sealed(answer) for answer in books.write(*asked)]
    entries, holds = [], []
    for outcome, sealed in zip(sales, promises, strict=True):
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
    books.engine.dispose()
    return World(folder, on, device, tuple(entries), tuple(holds))


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


# As many as one upload may have: two or three words on each sale, and the one that nobody can read.
MANY = ("paid", "again", "closed", "returned", "misfit", "refused", "paid") * 56


@pytest.mark.parametrize("on", ENGINES)
def test_a_thousand_entries_at_once_give_the_same_books_as_in_pieces_out_of_order(tmp_path, on):
    world = make_world(tmp_path / "world", on, MANY)
    # The statement comes with them, so every hold has ended by its own word.
    most = list(range(len(world.entries)))
    assert 1000 <= len(most) < 1100
    first, rest = most[:MOST_ENTRIES], most[MOST_ENTRIES:]
    at_once = world.deliver(tmp_path / "at-once", [first, rest])
    chance = random.Random(4)
    order = most + chance.sample(most, 100)
    chance.shuffle(order)
    pieces = [order[:MOST_ENTRIES]] + [order[at : at + 40] for at in range(MOST_ENTRIES, len(order), 40)]
    assert world.deliver(tmp_path / "in-pieces", pieces) == at_once


def closings(device, count):
    """Return entries of sales that were never held: the shortest there are."""
    return [device.chain(device.closed(device.record_id(), number)) for number in range(1, count + 1)]


def test_a_thousand_entries_are_one_upload_and_one_more_is_refused(centre):
    client = centre.enrol()
    acks = client.send_upload(*closings(client, MOST_ENTRIES))
    assert [ack.answer for ack in acks] == ["accepted"] * MOST_ENTRIES
    other = centre.enrol()
    before = centre.state_hash()
    answer = other.post("/v1/records", other.sealed(other.upload(closings(other, MOST_ENTRIES + 1))))
    assert (answer.status_code, answer.json()["code"]) == (400, "BODY_INVALID")
    assert "entries" in answer.json()["detail"]
    assert centre.state_hash() == before
