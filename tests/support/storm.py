"""What do many threads get that all want the same at the same time, and are the books true afterwards?"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from centre import FUNDED
from sqlalchemy import Engine

from settlement.app import Centre
from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.ledger import read_books
from settlement.ledger.accounts import NEVER_OVERDRAWN, Account
from settlement.system import Promised
from settlement.writer import store
from settlement.writer.apply import Command
from settlement.writer.batch import Rows
from settlement.writer.rows import Qualification, Record
from settlement.writer.step import Answer, Done, Signed
from settlement.writer.writer import Writer
from subsidy.policy.split import Part
from subsidy.wire import v1

THREADS = 200
GRANT_FEN = 43_500
# What a grant takes from each funder: 85, 5, 5 and 5 per cent.
PARTS = (Part("central", 36_975), Part("province", 2_175), Part("city", 2_175), Part("county", 2_175))

T = TypeVar("T")
R = TypeVar("R")


def all_at_once(work: Callable[[T], R], each: Sequence[T]) -> list[R]:
    """Do `work` for each in a thread of its own, all let go together, and return what came of it in order."""
    gate = threading.Barrier(len(each))
    answers = [Promised[R]() for _ in each]

    def run(place: int) -> None:
        gate.wait(60)
        try:
            answers[place].give(work(each[place]))
        except BaseException as wrong:
            answers[place].fail(wrong)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(each))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one.wait(0) for one in answers]


def leave_for(centre: Centre, grants: int) -> None:
    """Move the year's money on, until it is enough for exactly `grants` fridges."""
    parts = tuple(
        Part(given.funder, given.fen - grants * one.fen) for given, one in zip(FUNDED, PARTS, strict=True)
    )
    move: Command = MoveAuthority(Place(2026), Place(2027), parts, "on to the next year")
    (answer,) = centre.writer(_raise).write_now([move])
    assert isinstance(answer, Done), answer


def let_in(centre: Centre, codes: Sequence[str], person: Callable[[int], int] = int) -> None:
    """Let people in with these codes for a fridge; `person` says whose each is, by its place."""
    rows = Rows()
    for place, code in enumerate(codes):
        index = centre.keys.qualification_index(code)
        rows.put(Qualification(index, f"p{person(place):031d}", "FRIDGE", 0, 2**50, None))
    with writing(centre.engine) as connection:
        store.write(connection, rows, ())


def said(answer: Answer) -> tuple[str, ...]:
    """Return the reasons of a refusal; none are a promise."""
    assert isinstance(answer, Signed), answer
    if answer.typ == v1.PROMISE:
        return ()
    return tuple(one.value for one in msgspec.json.decode(answer.payload, type=v1.Refused).reasons)


def count(answers: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Return how often each answer was given."""
    return dict(Counter(answers))


def check(engine: Engine, holds: int, writer: Writer | None = None) -> None:
    """Check that the books are true, nothing is overdrawn, exactly `holds` are held, and memory is right."""
    with reading(engine) as connection:
        assert list(read_books.faults(connection)) == []
        balances = read_books.balances(connection)
        held = store.read_where(connection, Record, tables.record.c.state == "HELD")
        if writer is not None:
            remembered, again = dict(writer._rows.all_loaded()), Rows()
            store.load(connection, list(remembered), again)
            assert remembered
            assert dict(again.all_loaded()) == remembered
    assert {slot: fen for slot, fen in balances.items() if fen < 0 and slot[1] in NEVER_OVERDRAWN} == {}
    assert len(held) == holds
    assert sum(fen for slot, fen in balances.items() if slot[1] is Account.HELD) == holds * GRANT_FEN


def available(engine: Engine, year: int = 2026) -> int:
    """Return what may still be promised of a year."""
    with reading(engine) as connection:
        balances: dict[Any, int] = read_books.balances(connection)
    return sum(fen for slot, fen in balances.items() if (slot[1], slot[2]) == (Account.AVAILABLE, year))


def _raise(wrong: BaseException) -> None:
    raise wrong
