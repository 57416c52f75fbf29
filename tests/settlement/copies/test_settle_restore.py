"""Who must have reported again before a restore is settled, on both databases?"""

import msgspec

from settlement.copies.restored import NoteRestore, Restored, SettleRestore
from settlement.writer.batch import Rows
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


def test_a_restore_asks_for_people_and_tokens_to_be_looked_at_first(any_books):
    any_books.done(NoteRestore(1, "0" * 64, any_books.clock.now_ms()))
    asked = any_books.row(Difference, "the books", "restored").next_step
    assert asked.startswith("Look at everybody who may act again")
    assert "`settlement restored --reference TEXT --people-checked`" in asked


def test_a_restore_of_before_it_said_what_it_asks_for_is_folded_as_it_was():
    """Books made anew must come to the same item."""
    text = '{"event_no":1,"sha256":"0","taken_ms":0,"owner":"platform","at_ms":0,"type":"restored"}'
    rows = Rows()
    rows.loaded_none(Difference, [("the books", "restored")])
    msgspec.json.decode(text, type=Restored).fold(rows)
    found = rows.get(Difference, "the books", "restored")
    assert found.next_step.startswith(
        "Do again what people did since the backup: imports, enrolments, top-ups"
    )
    assert "Then `settlement restored --reference TEXT`. docs/for-operations.md" in found.next_step
