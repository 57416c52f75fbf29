"""Who must have reported again before a restore is settled, on both databases?"""

from settlement.copies.restored import NoteRestore, SettleRestore
from settlement.writer.rows import Difference


def test_a_restore_is_settled_once_whoever_was_there_has_said_how_far_its_chain_goes(any_books):
    books, settle = any_books, SettleRestore("minutes")
    here, frozen, lost = (books.enrol(name) for name in ("here", "frozen", "lost"))
    books.sql(f"UPDATE device SET frozen = 'stolen' WHERE device = '{frozen.name}'")
    books.sql(f"UPDATE device SET frozen = 'lost', replaced = 1 WHERE device = '{lost.name}'")
    entry = here.chain(here.paid(books.hold(here)))
    books.clock.ahead_ms += 1_000
    books.done(NoteRestore(1, "0" * 64, books.clock.now_ms()))
    books.clock.ahead_ms += 1_000
    books.enrol("after the restore")

    (refused,) = books.write(settle)
    assert f"{here.name} of S0031 has not been heard since" in refused.detail
    assert f"{frozen.name} of S0031 has not been heard since, it is frozen" in refused.detail
    assert lost.name not in refused.detail
    books.take(here)
    (refused,) = books.write(settle)
    assert f"{here.name} of S0031 has not sent 1 of its entries again" in refused.detail
    books.take(here, entry)
    assert books.denied(settle) == "HAS_NOT_REPORTED"
    books.done(SettleRestore("minutes", gone=(frozen.name,)))
    assert books.row(Difference, "the books", "restored").closed_ms == books.clock.now_ms()
