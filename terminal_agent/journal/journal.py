"""Where does a sale stand, and how does it move? Every call is one transaction. Raises JournalDown.

One connection behind one lock. A move is a compare-and-set on the state; what belongs together
(an outcome and its outbox entry, a hold number and ASKING) commits together. The state tables are
in `checkout/states.py`; the database refuses any other move.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgspec
import pysqlite3.dbapi2 as sqlite

from subsidy.policy.refusals import Refusal
from subsidy.wire import v1
from terminal_agent.checkout import entries
from terminal_agent.checkout.ports import Clock, KeyMacs, KeyReused, Opening
from terminal_agent.checkout.sale import Held, Sale
from terminal_agent.checkout.states import OPEN_SALES, SaleState
from terminal_agent.journal import check, outbox, read_return, read_sale
from terminal_agent.journal.connection import JournalConnection, JournalDamaged, NotEnrolled, explained
from terminal_agent.journal.write_cash import CashWords
from terminal_agent.journal.write_closing import Closings
from terminal_agent.journal.write_look import Looks
from terminal_agent.journal.write_sighting import SightingMoves

_UNFINISHED = ("NEW", *OPEN_SALES, SaleState.RETURNING)
_MOST_LISTED = 1000


class SqliteJournal(SightingMoves, CashWords, Closings, Looks):
    """The journal of one device. See `checkout.ports.Journal` for what each move promises."""

    def __init__(
        self,
        connection: JournalConnection,
        lock: AbstractContextManager[Any],
        clock: Clock,
        boot: str,
        changed: Callable[[], None],
        entry_written: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._lock = lock
        self._look = _Looking(connection, lock)
        self._clock = clock
        self._boot = boot
        self._changed = changed
        self._entry_written = entry_written
        self._wrote_entry = False
        # Never another one, so it is asked for once.
        self._device: tuple[v1.Enrolled, str] | None = None

    @contextmanager
    def _transaction(self) -> Iterator[JournalConnection]:
        with self._look as db:
            db.execute("BEGIN IMMEDIATE")
            self._wrote_entry = False
            try:
                yield db
                db.commit()
            except BaseException:
                # Not the statement: after a disk that is full SQLite may have rolled back by itself.
                db.rollback()
                raise
            wrote_entry = self._wrote_entry
        self._changed()
        if wrote_entry:
            self._entry_written()

    def _looking(self) -> "_Looking":
        return self._look

    def check(self) -> None:
        """Look at the whole journal, also at what is never used. Raises JournalDamaged."""
        with self._looking() as db:
            check.wholly(db)

    def shut(self) -> None:
        """Close the journal."""
        with self._lock:
            self._connection.close()

    # The device.

    def enrolled(self) -> tuple[v1.Enrolled, str] | None:
        """Return what the centre made of this host, and the centre's address; None before enrolment."""
        if self._device is None:
            with self._looking() as db:
                self._device = _device(db)
        return self._device

    def must_be_enrolled(self) -> tuple[v1.Enrolled, str]:
        """Return what `enrolled` does. Raises NotEnrolled before enrolment."""
        found = self.enrolled()
        if found is None:
            raise NotEnrolled("This host is not enrolled. Run `terminal-agent enrol CODE`")
        return found

    def enrol(self, enrolled: v1.Enrolled, centre_url: str) -> None:
        """Store the enrolment. A journal belongs to one device for ever."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO device (one, enrolled, centre_url) VALUES (1, ?, ?)",
                (msgspec.json.encode(enrolled).decode(), centre_url),
            )

    def _append(self, db: JournalConnection, entry: v1.Entry) -> None:
        if self._device is None:
            self._device = _device(db)
        assert self._device is not None
        enrolled, _ = self._device
        outbox.append(db, enrolled.device, enrolled.epoch, entry, self._clock.wall_ms())
        self._wrote_entry = True

    # Looking.

    def sale(self, record_id: str) -> Sale | None:
        """Return a sale as it stands."""
        with self._looking() as db:
            return read_sale.one(db, record_id)

    def sales_of_till(self, till_no: str) -> list[Sale]:
        """Return what this till still has open, oldest first."""
        with self._looking() as db:
            return read_sale.of_till(db, till_no)

    def is_last(self, sale: Sale) -> bool:
        """Return whether the till of a sale has asked for no other one since."""
        with self._looking() as db:
            return read_sale.is_last(db, sale.record_id, sale.request.till_no)

    def unfinished(self) -> list[Sale]:
        """Return every sale that is NEW, ASKING, HELD, PAYING, PARKED or RETURNING, oldest first."""
        with self._looking() as db:
            return read_sale.in_states(db, _UNFINISHED)

    def open_attempts(self, terminal_no: str) -> list[tuple[str, int]]:
        """Return (record_id, number) of the attempts on a terminal that are open, oldest first."""
        with self._looking() as db:
            return read_sale.open_attempts(db, terminal_no)

    def others_open(self, terminal_no: str, record_id: str) -> bool:
        """Return whether an attempt or a return of another sale is open on a terminal."""
        with self._looking() as db:
            attempts = read_sale.open_attempts(db, terminal_no)
            names = (*(name for name, _ in attempts), *read_return.open_on(db, terminal_no))
            return any(name != record_id for name in names)

    def links_in_use(self) -> set[str]:
        """Return the links that money may still move on: an attempt is open there, or a refund is."""
        with self._looking() as db:
            return read_sale.links_in_use(db)

    def binding(self, serial_no: str | None, qualification: str) -> Sale | None:
        """Return the sale that binds this item or qualification now."""
        with self._looking() as db:
            return read_sale.binding(db, serial_no, qualification)

    def unacknowledged_closes(self, serial_no: str | None, qualification: str) -> list[str]:
        """Return the sales of this item or qualification that are CLOSING."""
        with self._looking() as db:
            return read_sale.closing_of(db, serial_no, qualification)

    def numbers(self) -> dict[str, int]:
        """Return how many entries wait, since when, and how many sales are parked."""
        with self._looking() as db:
            return read_sale.numbers(db)

    def refused_counts(self, since_ms: int) -> list[tuple[int, Refusal]]:
        """Return (opened_ms, headline) of the sales refused since then."""
        with self._looking() as db:
            return read_sale.refused_since(db, since_ms)

    # Opening and holding.

    def open_sale(self, sale: Sale, key: KeyMacs, qualification: str) -> Opening:
        """Store a NEW sale under its key, or return what stands in its way. Raises KeyReused."""
        with self._transaction() as db:
            known = self._by_key(db, key)
            if known is not None:
                return Opening(known, new=False)
            binds = read_sale.binding(db, sale.request.item.serial_no, qualification)
            read_sale.insert(db, sale, qualification)
            self._keep_key(db, key, sale.record_id)
            if binds is not None:
                self._refuse_as_same(db, sale.record_id, binds.record_id)
                return Opening(read_sale.must(db, sale.record_id), new=False)
            return Opening(sale, new=True)

    def ask(self, record_id: str, wall_ms: int, steady_ms: int) -> Sale:
        """NEW -> ASKING with the next hold number, or -> REFUSED when another sale binds the item."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.state is not SaleState.NEW:
                return sale
            binds = self._binding(db, sale)
            if binds is not None:
                self._refuse_as_same(db, record_id, binds.record_id)
            else:
                db.execute(
                    "UPDATE sale SET state = 'ASKING', hold_no = ?, asked_wall_ms = ?, asked_steady_ms = ?, "
                    "boot = ? WHERE record_id = ?",
                    (outbox.next_number(db, "hold_no"), wall_ms, steady_ms, self._boot, record_id),
                )
            return read_sale.must(db, record_id)

    def refuse(self, record_id: str, reasons: tuple[Refusal, ...]) -> Sale:
        """NEW | ASKING -> REFUSED; as the sale that binds its item, if one has come to while this was NEW."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            # The other sale of two at once may itself be why the facts said no.
            binds = self._binding(db, sale) if sale.state is SaleState.NEW else None
            if binds is not None:
                self._refuse_as_same(db, record_id, binds.record_id)
            else:
                db.execute(
                    "UPDATE sale SET state = 'REFUSED', reasons = ? "
                    "WHERE record_id = ? AND state IN ('NEW', 'ASKING')",
                    (_json(reasons), record_id),
                )
            return read_sale.must(db, record_id)

    def hold(self, record_id: str, held: Held) -> Sale:
        """ASKING -> HELD."""
        with self._transaction() as db:
            db.execute(
                "UPDATE sale SET state = 'HELD', held = ? WHERE record_id = ? AND state = 'ASKING'",
                (_json(held.sealed), record_id),
            )
            return read_sale.must(db, record_id)

    def close(self, record_id: str, why: str, reasons: tuple[Refusal, ...] = ()) -> Sale:
        """ASKING | HELD -> CLOSING with its `closed` entry."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.state in (SaleState.ASKING, SaleState.HELD):
                self._close(db, sale, why, reasons)
            return read_sale.must(db, record_id)

    def wish_stop(self, record_id: str, key: KeyMacs) -> Sale:
        """Note that the cashier gives up; HELD -> CLOSING. Raises KeyReused."""
        with self._transaction() as db:
            if self._by_key(db, key) is None:
                self._keep_key(db, key, record_id)
                db.execute(
                    "UPDATE sale SET stop = 1 WHERE record_id = ? "
                    "AND state IN ('NEW', 'ASKING', 'HELD', 'PAYING', 'PARKED')",
                    (record_id,),
                )
                sale = read_sale.must(db, record_id)
                if sale.state is SaleState.HELD:
                    self._close(db, sale, "stopped by the cashier")
            return read_sale.must(db, record_id)

    # The outbox.

    def cut_batch(self, most: int) -> outbox.Batch:
        """Number an upload and cut its entries and statement from one state of the journal."""
        with self._transaction() as db:
            return outbox.cut_batch(db, most)

    def waiting(self, most: int) -> tuple[outbox.Waiting, ...]:
        """Return the oldest entries that are not acknowledged."""
        with self._looking() as db:
            return outbox.waiting(db, most)

    def listed_outbox(self) -> dict[str, list[dict[str, Any]]]:
        """Return for people what waits for the centre and what that has put into quarantine."""
        with self._looking() as db:
            return outbox.listed(db, _MOST_LISTED)

    def depth(self) -> int:
        """Return how many entries are not acknowledged."""
        with self._looking() as db:
            return outbox.depth(db)

    def last_seq(self) -> int:
        """Return the number of the newest entry, 0 when there is none."""
        with self._looking() as db:
            return outbox.last_seq(db)

    def last_upload_no(self) -> int:
        """Return the number of the newest upload that was cut, 0 when none was."""
        with self._looking() as db:
            return outbox.number(db, "upload_no")

    def acknowledged_after(self, seq: int) -> int:
        """Return how many entries after `seq` are acknowledged."""
        with self._looking() as db:
            return outbox.acknowledged_after(db, seq)

    def wait_again(self, after_seq: int) -> None:
        """Let every entry after `after_seq` wait again."""
        with self._transaction() as db:
            outbox.wait_again(db, after_seq)

    def close_waiting(self, record_id: str) -> outbox.Waiting | None:
        """Return the `closed` entry of a sale when it is not acknowledged."""
        with self._looking() as db:
            return outbox.close_waiting(db, record_id)

    def acknowledge(self, acks: list[tuple[v1.Ack, str]]) -> None:
        """Mark entries with their verified acks, and close their sales."""
        with self._transaction() as db:
            outbox.acknowledge(db, acks)

    # Parts of a move.

    def _by_key(self, db: JournalConnection, key: KeyMacs) -> Sale | None:
        row = db.execute(
            "SELECT body_mac, record_id FROM idempotency_key WHERE key_mac = ?", (key.key,)
        ).fetchone()
        if row is None:
            return None
        if row[0] != key.body:
            raise KeyReused
        return read_sale.must(db, row[1])

    def _keep_key(self, db: JournalConnection, key: KeyMacs, record_id: str) -> None:
        db.execute("INSERT INTO idempotency_key VALUES (?, ?, ?)", (key.key, key.body, record_id))

    def _binding(self, db: JournalConnection, sale: Sale) -> Sale | None:
        qualification = read_sale.qualification_of(db, sale.record_id)
        return read_sale.binding(db, sale.request.item.serial_no, qualification)

    def _refuse_as_same(self, db: JournalConnection, record_id: str, same_as: str) -> None:
        db.execute(
            "UPDATE sale SET state = 'REFUSED', reasons = ?, same_as = ? "
            "WHERE record_id = ? AND state = 'NEW'",
            (_json((Refusal.SALE_ALREADY_OPEN,)), same_as, record_id),
        )

    def _close(self, db: JournalConnection, sale: Sale, why: str, reasons: tuple[Refusal, ...] = ()) -> None:
        self._append(db, entries.closed_entry(sale, why, self._clock.wall_ms()))
        db.execute(
            "UPDATE sale SET state = 'CLOSING', why = ?, reasons = ? WHERE record_id = ?",
            (why, _json(reasons or sale.reasons), sale.record_id),
        )


class _Looking:
    """The connection while nobody else has it. A fault of disk or file comes out as JournalDown.

    That says what to do, instead of what SQLite calls it. No generator: every look comes by here.
    """

    def __init__(self, connection: JournalConnection, lock: AbstractContextManager[Any]) -> None:
        self._connection = connection
        self._lock = lock

    def __enter__(self) -> JournalConnection:
        self._lock.__enter__()
        return self._connection

    def __exit__(self, _: object, wrong: BaseException | None, __: object) -> None:
        try:
            if wrong is not None:
                self._explain(wrong)
        finally:
            self._lock.__exit__(None, None, None)

    def _explain(self, wrong: BaseException) -> None:
        if isinstance(wrong, JournalDamaged):
            self._connection.doubt()
        elif isinstance(wrong, sqlite.Error | OSError) and (meant := explained(wrong)) is not None:
            if isinstance(meant, JournalDamaged):
                self._connection.doubt()
            raise meant from wrong


def _device(db: JournalConnection) -> tuple[v1.Enrolled, str] | None:
    row = db.execute("SELECT enrolled, centre_url FROM device").fetchone()
    return (msgspec.json.decode(row[0], type=v1.Enrolled), row[1]) if row else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
