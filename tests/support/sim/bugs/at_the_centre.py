"""Planted in the centre's steps, its writer and its store."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import func, select

from settlement.funds import gather_facts, holds, place_hold
from settlement.intake import accept, take_paid
from settlement.ledger import balances, post
from settlement.ledger.post import Booking, Happening
from settlement.reconcile import apply_night, hold_ends, propose
from settlement.registers import shared, tries
from settlement.registers.config import PERSON
from settlement.registers.tables import taken
from settlement.writer import store, writer
from settlement.writer.rows import EntryAt, Quota, Record
from settlement.writer.step import Denied, MoneyEvent
from sim.bugs import Patch, bug
from sim.neighbour import sharing
from subsidy import calendar
from subsidy.policy.model import must
from subsidy.policy.split import Part, split
from subsidy.wire import http_signature, v1


@bug("whether a request is signed is not looked at")
def signature_not_looked_at() -> list[Patch]:
    return [(http_signature.Signature, "verify", lambda _self, _key: None)]


@bug("a paid entry that comes again is booked again")
def record_not_idempotent() -> list[Patch]:
    take = accept._take

    def again(rows: Any, command: Any, taken: Any, setting: Any, at_ms: int, emit: Any) -> Any:
        answer = take(rows, command, taken, setting, at_ms, emit)
        record = rows.get(Record, taken.record_id) if taken.record_id else None
        if answer == "repeat" and taken.kind == "paid" and record is not None and record.state == "PAYABLE":
            booking = Booking(Happening.HOLD_PLACED, record.year, record.parts, record.pool)
            emit(_BookedAgain(record_id=record.record_id, booking=booking))
            booking = Booking(Happening.RECORD_BOOKED, record.year, record.parts, record.pool)
            emit(_BookedAgain(record_id=record.record_id, booking=booking))
        return answer

    return [(accept, "_take", again)]


class _BookedAgain(MoneyEvent, frozen=True, kw_only=True, tag="booked_again"):
    """Money that moves for a record once more."""

    record_id: str

    def fold(self, rows: Any) -> None:
        """Change nothing but the balances."""


@bug("an entry that waits for people is a repeat when it is sent again, which a shop takes for a yes")
def repeat_of_what_waits_for_people() -> list[Patch]:
    take = accept._take

    def again(rows: Any, command: Any, taken: Any, setting: Any, at_ms: int, emit: Any) -> Any:
        known = rows.get(EntryAt, command.device, command.epoch, taken.seq)
        answer = take(rows, command, taken, setting, at_ms, emit)
        return "repeat" if known is not None and answer == "quarantined" else answer

    return [(accept, "_take", again)]


@bug("a hold that is asked for again is placed again")
def hold_not_idempotent() -> list[Patch]:
    decide = place_hold.decide

    def again(rows: Any, command: Any, setting: Any, at_ms: int, emit: Any) -> Any:
        known = rows.get(Record, command.request.record_id)
        answer = decide(rows, command, setting, at_ms, emit)
        if known is not None and known.state == "HELD":
            booking = Booking(Happening.HOLD_PLACED, known.year, known.parts, known.pool)
            emit(_BookedAgain(record_id=known.record_id, booking=booking))
        return answer

    return [(place_hold, "decide", again)]


@bug("the end of a hold that never was leaves no tombstone, and neither give-up time nor statement counts")
def no_tombstone() -> list[Patch]:
    # Each of the three alone keeps such a hold from staying: they are taken away together.
    take_closed, decide, take_statement = accept.take_closed, place_hold.decide, accept._take_statement

    def forgotten(rows: Any, device: str, epoch: int, entry: Any, *more: Any) -> str:
        is_known = rows.get(Record, entry.record_id) is not None
        return take_closed(rows, device, epoch, entry, *more) if is_known else ""

    def patient(rows: Any, command: Any, *more: Any) -> Any:
        return decide(rows, replace(command, request=replace(command.request, give_up_after_ms=10**9)), *more)

    def unheard(rows: Any, command: Any, stated: Any, *more: Any) -> Any:
        upto = stated.statement.upto_hold_no
        still = tuple(
            v1.OpenHold(record_id=one.record_id, hold_no=one.hold_no)
            for one in rows.held_by(command.device, command.epoch)
            if one.hold_no <= upto
        )
        return take_statement(
            rows, command, replace(stated, statement=replace(stated.statement, open=still)), *more
        )

    return [
        (accept, "take_closed", forgotten),
        (place_hold, "decide", patient),
        (accept, "_take_statement", unheard),
    ]


@bug("a shop's word that it gave the money back is not taken once the files have found the sale paid")
def found_paid_stays_granted() -> list[Patch]:
    take_closed = accept.take_closed

    def refused(rows: Any, device: str, epoch: int, entry: Any, *more: Any) -> str:
        record = rows.get(Record, entry.record_id)
        if record is not None and record.recovered:
            return f"the record is {record.state} and cannot be closed"
        return take_closed(rows, device, epoch, entry, *more)

    return [(accept, "take_closed", refused)]


@bug("a hold is freed when its time is over")
def hold_freed_by_time_alone() -> list[Patch]:
    take_statement = accept._take_statement

    def by_time(rows: Any, command: Any, stated: Any, at_ms: int, emit: Any) -> Any:
        refused = take_statement(rows, command, stated, at_ms, emit)
        if refused is None:
            for record in list(rows.held_by(command.device, command.epoch)):
                if at_ms > record.placed_at_ms + 60_000:
                    holds.end(record, "its time is over", at_ms, emit)
        return refused

    return [(accept, "_take_statement", by_time)]


@bug("the fund is not asked whether it can bear a hold")
def fund_overdraft() -> list[Patch]:
    gather = gather_facts.gather

    def rich(*what: Any) -> Any:
        return replace(gather(*what), fund_left_fen=10**10)

    return [
        (balances, "can_bear", lambda *_: True),
        (gather_facts, "gather", rich),
        (post, "NEVER_OVERDRAWN", frozenset()),
        (writer.Writer, "start", without_trigger("balance", writer.Writer.start)),
    ]


def without_trigger(table: str, start: Any) -> Any:
    """Take away what the database itself would refuse about a table."""

    def started(self: Any) -> None:
        with self._engine.connect() as connection:
            sql = f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
            for (name,) in connection.exec_driver_sql(sql).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.commit()
        start(self)

    return started


@bug("each funder's part is rounded by itself: the parts drift by a fen")
def split_drifts_by_a_fen() -> list[Patch]:
    record_of = place_hold._record

    def drifting(*what: Any) -> Record:
        record = record_of(*what)
        first, *others = record.parts
        return replace(record, parts=(Part(first.funder, first.fen + 1), *others))

    return [(place_hold, "_record", drifting)]


@bug("a person's quota is not counted")
def quota_not_counted() -> list[Patch]:
    gather = gather_facts.gather

    def unused(*what: Any) -> Any:
        return replace(gather(*what), used_in_category=0, qualification_in_use=False)

    return [(gather_facts, "gather", unused)]


@bug("a serial number may be subsidised again")
def serial_number_not_looked_at() -> list[Patch]:
    gather = gather_facts.gather
    return [(gather_facts, "gather", lambda *what: replace(gather(*what), serial_taken=False))]


@bug("a writer that was overtaken goes on writing what it remembers")
def fence_not_looked_at() -> list[Patch]:
    def careless(self: Any, connection: Any) -> None:
        turn = connection.execute(writer.TAKE_TURN).first()
        self._turn = (turn.epoch, turn.batch_no)
        # Else the numbers of events would collide, and the database would notice.
        self._rows.last_event = None

    return [(writer.Writer, "_take_turn", careless)]


@bug("a paid record that comes late is not taken in")
def intake_refuses_a_paid_sale() -> list[Patch]:
    taking = take_paid.take_paid

    def strict(rows: Any, device: str, epoch: int, taken: Any, setting: Any, at_ms: int, emit: Any) -> str:
        if at_ms > taken.promise.placed_at_ms + 120_000:
            return "it comes too late"
        return taking(rows, device, epoch, taken, setting, at_ms, emit)

    return [(accept, "take_paid", strict)]


@bug("the time of a grant is the till's")
def granted_by_the_tills_clock() -> list[Patch]:
    decide = place_hold.decide

    def by_the_till(rows: Any, command: Any, setting: Any, at_ms: int, emit: Any) -> Any:
        said_ms = command.request.created_ms
        return decide(rows, command, setting, said_ms, emit)

    asks = place_hold.asks

    def asked(command: Any, rows: Any, setting: Any, at_ms: int) -> Any:
        return asks(command, rows, setting, command.request.created_ms)

    return [(place_hold, "decide", by_the_till), (place_hold, "asks", asked)]


@bug("a device that states fewer holds than before is believed")
def restored_statement_trusted() -> list[Patch]:
    take_statement = accept._take_statement

    def trusted(rows: Any, command: Any, stated: Any, at_ms: int, emit: Any) -> Any:
        device = rows.want(accept.Device, command.device)
        rows.put(replace(device, stated_hold_no=0))
        return take_statement(rows, command, stated, at_ms, emit)

    return [(accept, "_take_statement", trusted)]


@bug("books that were restored believe at once what a shop states, and where entries of it are missing too")
def restored_books_believe_statements() -> list[Patch]:
    return [(accept, "_knows_all_reports", lambda *_: True)]


@bug("an entry with the number of another one is taken in beside it")
def fork_accepted() -> list[Patch]:
    take = accept._take

    def any_history(rows: Any, command: Any, taken: Any, *more: Any) -> Any:
        known = rows.get(accept.EntryAt, command.device, command.epoch, taken.seq)
        if known is not None and known.hash != taken.hash:
            taken = replace(taken, problem="of another history")
            emit = more[-1]
            emit(accept.EntryTaken(entry=accept._row(command, taken, "accepted", "", more[-2])))
            return "accepted"
        return take(rows, command, taken, *more)

    return [(accept, "_take", any_history), (accept, "_breaks_chain", lambda *_: False)]


@bug("a hold number that was asked for with another sale is given again")
def cloned_key_accepted() -> list[Patch]:
    decide = place_hold.decide

    def unnumbered(rows: Any, command: Any, *more: Any) -> Any:
        if rows.get(Record, command.request.record_id) is not None:
            return decide(rows, command, *more)
        get = rows.get

        def blind(kind: Any, *key: Any) -> Any:
            return None if kind is accept.HoldNumber else get(kind, *key)

        rows.get = blind
        try:
            return decide(rows, command, *more)
        finally:
            del rows.get

    return [
        (place_hold, "decide", unnumbered),
        (accept, "_is_anothers_number", lambda *_: False),
        (accept, "_breaks_chain", lambda *_: False),
    ]


@bug("an upload with an entry that cannot be taken is turned away whole")
def poison_blocks_the_queue() -> list[Patch]:
    take = accept._take

    def strict(rows: Any, command: Any, taken: Any, *more: Any) -> Any:
        if taken.kind == "supplement" and rows.get(Record, taken.record_id) is None:
            return Denied(422, "ENTRY_INVALID", "an entry cannot be taken")
        return take(rows, command, taken, *more)

    return [(accept, "_take", strict)]


@bug("the writer answers before it has committed")
def answered_before_the_commit() -> list[Patch]:
    commit = writer.Writer._commit
    take = writer.Writer._take

    def early(self: Any, batch: Any) -> None:
        self._early = [waiter for _, waiter in batch]
        take(self, batch)

    def committed(self: Any, commands: Any) -> Any:
        waiters = getattr(self, "_early", [])
        run_on = self._run_on

        def told(*what: Any) -> Any:
            answers = run_on(*what)
            for waiter, answer in zip(waiters, answers, strict=False):
                waiter.give(answer)
            return answers

        self._run_on = told
        try:
            return commit(self, commands)
        finally:
            del self._run_on

    return [(writer.Writer, "_take", early), (writer.Writer, "_commit", committed)]


@bug("a batch is written in two transactions")
def batch_partly_applied() -> list[Patch]:
    put_batch = store.put_batch

    def in_two(connection: Any, rows: Any, events: Any, posted: Any) -> None:
        put_batch(connection, rows, events, ())
        connection.connection.driver_connection.execute("COMMIT")
        connection.connection.driver_connection.execute("BEGIN IMMEDIATE")
        put_batch(connection, _Nothing(), (), posted)

    return [(store, "put_batch", in_two)]


class _Nothing:
    """Rows of which none has changed."""

    def changed(self) -> list[Any]:
        return []


@bug("funders bear a sale by the shares of the day on which its record comes")
def shares_of_the_day_it_comes() -> list[Patch]:
    book = take_paid._book

    def by_today(rows: Any, record: Record, *more: Any) -> None:
        setting, at_ms, emit = more[-3:]
        today = calendar.business_day(calendar.from_ms(at_ms))
        parts = split(record.subsidy_fen, must(setting.pack.shares, today).value)

        def booked(event: Any) -> None:
            if isinstance(event, take_paid.RecordBooked):
                event = replace(event, booking=replace(event.booking, parts=parts))
            emit(event)

        book(rows, record, *more[:-1], booked)

    return [(take_paid, "_book", by_today)]


@bug("a file that comes late posts twice what it finds paid")
def late_file_posts_twice() -> list[Patch]:
    decide = apply_night.decide

    def again(rows: Any, command: Any, setting: Any, at_ms: int, emit: Any) -> Any:
        found = [one.record_id for one in command.proposals if isinstance(one, apply_night.Recover)]
        held = [one for one in found if rows.want(Record, one).state == "HELD"]
        answer = decide(rows, command, setting, at_ms, emit)
        for record_id in held:
            record = rows.want(Record, record_id)
            for happening in (Happening.HOLD_PLACED, Happening.RECORD_BOOKED):
                booking = Booking(happening, record.year, record.parts, record.pool)
                emit(_BookedAgain(record_id=record_id, booking=booking))
        return answer

    return [(apply_night, "decide", again)]


@bug("a person's grants are counted in the own programme only")
def person_unique_per_programme_only() -> list[Patch]:
    def of_the_own(connection: Any, database: Any, wanted: Any, rows: Any) -> None:
        whose = next(
            name
            for name, one in sharing().centres.items()
            if database in one.registers.databases  # type: ignore[union-attr]
        )
        c, keys = taken.c, {shared.written(key): key for of, key in wanted if of is Quota}
        lines = connection.execute(
            select(c.what, func.count())
            .where(c.programme == whose, c.what.in_(keys), c.kind == PERSON)
            .group_by(c.what)
        )
        for what, count in lines:
            rows.loaded_row(Quota(*keys[what], count))
        rows.loaded_none(Quota, keys.values())

    return [(one, "read_taken", of_the_own) for one in (shared, tries)]


@bug("no row with a sale's number ends its hold, where the acquirer has never heard the number", "relay")
def absence_without_number_ends_a_hold() -> list[Patch]:
    return [(place, "may_be_paid", lambda *_: None) for place in (hold_ends, propose)]
