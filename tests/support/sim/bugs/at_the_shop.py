"""Planted in the journal, the outbox and the till."""

from typing import Any

import terminal_agent.app
import terminal_agent.checkout.supervisor
import terminal_agent.till.documents
from sim.bugs import Patch, bug
from subsidy.wire import v1
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.journal import outbox, read_sale
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.sync.centre import CentreLine
from terminal_agent.sync.upload import Uploader
from terminal_agent.till.routes import Till


@bug("the outcome and its outbox entry are two transactions")
def split_transaction() -> list[Patch]:
    append, paid = SqliteJournal._append, SqliteJournal.paid

    def later(self: Any, db: Any, entry: v1.Entry) -> None:
        if isinstance(entry, v1.Paid):
            self._left_over = entry
        else:
            append(self, db, entry)

    def in_two(self: Any, *what: Any) -> Any:
        self._left_over = None
        sale = paid(self, *what)
        if self._left_over is not None:
            with self._transaction() as db:
                append(self, db, self._left_over)
        return sale

    return [(SqliteJournal, "_append", later), (SqliteJournal, "paid", in_two)]


@bug("entries are marked as acknowledged when they are sent")
def acknowledged_when_sent() -> list[Patch]:
    send = Uploader._send

    def early(self: Any, batch: outbox.Batch) -> None:
        with self._journal._transaction() as db:
            for one in batch.entries:
                db.execute("UPDATE outbox SET answer = 'accepted' WHERE seq = ?", (one.seq,))
        send(self, batch)

    return [(Uploader, "_send", early)]


@bug("an ack is believed whatever hash it names, and whoever sealed it")
def any_ack_is_believed() -> list[Patch]:
    def believed(_self: Any, _content: bytes, sent: tuple[outbox.Waiting, ...]) -> list[Any]:
        return [
            (v1.Ack(v=1, device="", epoch=1, seq=one.seq, hash=one.hash, answer="accepted"), "")
            for one in sent
        ]

    return [(CentreLine, "acks", believed)]


@bug('"journal passed": a device states as open only the holds after the last one that has ended')
def statement_by_passed_holds() -> list[Patch]:
    cut = outbox.cut_batch

    def passed(connection: Any, most: int) -> outbox.Batch:
        batch = cut(connection, most)
        row = connection.execute(
            "SELECT max(hold_no) FROM sale WHERE state IN ('PAID', 'CLOSED', 'RETURNED')"
        ).fetchone()
        last = row[0] or 0
        still = tuple(one for one in batch.statement.open if one.hold_no > last)
        return _with_open(batch, still)

    return [(outbox, "cut_batch", passed)]


@bug("a device states only the holds that wait for a payment, not those being paid")
def statement_forgets_what_is_being_paid() -> list[Patch]:
    cut = outbox.cut_batch

    def forgetful(connection: Any, most: int) -> outbox.Batch:
        batch = cut(connection, most)
        kept = {
            row[0]
            for row in connection.execute("SELECT record_id FROM sale WHERE state IN ('ASKING', 'HELD')")
        }
        return _with_open(batch, tuple(one for one in batch.statement.open if one.record_id in kept))

    return [(outbox, "cut_batch", forgetful)]


def _with_open(batch: outbox.Batch, still: tuple[v1.OpenHold, ...]) -> outbox.Batch:
    from msgspec.structs import replace

    return replace(batch, statement=replace(batch.statement, open=still))


@bug("an idempotency key is forgotten after a few seconds")
def idempotency_key_pruned_early() -> list[Patch]:
    by_key = SqliteJournal._by_key

    def pruned(self: Any, db: Any, key: Any) -> Any:
        found = by_key(self, db, key)
        if found is not None and found.opened_ms < self._clock.wall_ms() - 5_000:
            db.execute("DELETE FROM idempotency_key WHERE key_mac = ?", (key.key,))
            return None
        return found

    return [(SqliteJournal, "_by_key", pruned)]


@bug("the first answer to a sale is stored and given again for ever")
def stored_answer_replayed() -> list[Patch]:
    shown = Till.shown

    def stored(self: Any, sale: Any) -> Any:
        answers = self.__dict__.setdefault("_answers", {})
        document = shown(self, sale)
        if sale.state.value in ("PAYING", "PARKED"):
            answers.setdefault(sale.record_id, document)
        return answers.get(sale.record_id, document)

    return [(Till, "shown", stored)]


@bug("a sale whose item is being paid for is opened again under another key")
def one_item_two_sales() -> list[Patch]:
    def unbound(*_: Any) -> None:
        return None

    def without_indexes(open_journal: Any) -> Any:
        def opened(path: Any) -> Any:
            connection = open_journal(path)
            connection.execute("DROP INDEX IF EXISTS one_open_sale_of_serial")
            connection.execute("DROP INDEX IF EXISTS one_open_sale_of_code")
            return connection

        return opened

    return [
        (read_sale, "binding", unbound),
        (terminal_agent.app, "open_journal", without_indexes(terminal_agent.app.open_journal)),
    ]


@bug("after a restart a hold that nobody pays for is kept, and a payment may begin under it")
def hold_survives_a_restart() -> list[Patch]:
    return [
        (terminal_agent.app, "close_after_restart", lambda _journal: None),
        (Checkout, "close_overdue", lambda _self: None),
    ]


@bug("a sale whose request failed halfway waits for the next restart")
def sale_cut_off_by_a_full_disk_stays() -> list[Patch]:
    # As it was before the simulator found it.
    return [(Checkout, "_end_cut_off", lambda _self, _record_id: None)]


@bug("a till is told paid before it is written down")
def told_paid_too_early() -> list[Patch]:
    from terminal_agent.till import documents

    state_of = documents.till_state

    def early(sale: Any) -> str:
        return "paid" if sale.state.value == "PAYING" and sale.attempts[-1].mark else state_of(sale)

    return [(documents, "till_state", early)]


@bug("a key that comes with another body is answered with the sale that it stands for")
def key_with_other_words_taken() -> list[Patch]:
    def by_key(_self: Any, db: Any, key: Any) -> Any:
        sql = "SELECT record_id FROM idempotency_key WHERE key_mac = ?"
        row = db.execute(sql, (key.key,)).fetchone()
        return None if row is None else read_sale.must(db, row[0])

    return [(SqliteJournal, "_by_key", by_key)]


@bug("any PIN is the supervisor's")
def any_pin_is_right() -> list[Patch]:
    return [(terminal_agent.checkout.supervisor, "_fits", lambda _known, _pin: True)]


@bug("entries are dropped from the outbox when they have waited long")
def old_entries_are_dropped() -> list[Patch]:
    waiting = outbox.waiting

    def young(connection: Any, most: int) -> tuple[outbox.Waiting, ...]:
        found = waiting(connection, most)
        newest = max((one.made_ms for one in found), default=0)
        old = [one for one in found if one.made_ms < newest - 30_000]
        for one in old:
            connection.execute("UPDATE outbox SET answer = 'accepted' WHERE seq = ?", (one.seq,))
        return tuple(one for one in found if one not in old)

    return [(outbox, "waiting", young)]


@bug(
    "a copy of the journal that was put back is believed before the centre was asked about it",
    terminals="mis",
)
def copy_of_a_journal_trusted() -> list[Patch]:
    return [(terminal_agent.app.Agent, "_may_have_moved_on", lambda *_: False)]


@bug("an old copy of the journal tells a till to sell again what was paid since")
def old_copy_asks_for_money() -> list[Patch]:
    return [(terminal_agent.till.documents, "doubted", lambda _sale, document: document)]


@bug("who asks for a way of paying that is not there is sent to another one while a payment is in doubt")
def another_way_while_in_doubt() -> list[Patch]:
    documents = terminal_agent.till.documents

    def sent_on(document: dict[str, Any], refusal: Any) -> dict[str, Any]:
        return documents.with_reason(document, refusal, refusal.next_action)

    return [(documents, "not_begun", sent_on)]
