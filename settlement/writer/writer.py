"""How do commands become committed books, and when is a caller answered?

One writer takes what is waiting, loads the rows it needs, runs the commands one by one in memory, writes
everything in one transaction, and only then answers. If that fails, each command is run again on its own, so
that one cannot spoil the others; when it is unsure whether a commit went through, nobody is answered, and
asking again finds out.

Rows are remembered from batch to batch, as long as nobody else has written in between: every transaction
that writes counts itself in the row of `writer`, which is taken first.

Rows that lie in registers are taken there first, and the books are committed last (`registers/tries.py`).
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine, RootTransaction, text
from sqlalchemy.exc import DBAPIError

from settlement.db.connection import checkpoint, connect_writer, is_away, writing
from settlement.registers.database import RegisterDown
from settlement.registers.shared import Registers, empty_rows
from settlement.registers.tries import TRY_AGAIN_MS, Tries
from settlement.system import Inbox, Promised, Thread, Ticks, start_thread
from settlement.writer import apply, store
from settlement.writer.batch import Rows, Wanted
from settlement.writer.numbers import Numbers
from settlement.writer.step import Answer, Happened, Setting

MOST_AT_ONCE = 64
MOST_WAITING = 256
ANSWER_WITHIN_S = 30
CHECKPOINT_EVERY_S = 0.5


class Busy(Exception):
    """So many commands wait that this one would wait too long. It was not taken: ask again soon."""


class Unsure(Exception):
    """The database went away while it committed. Asking the same again tells, and is safe."""


class Fenced(Exception):
    """Another process has become the writer of these books, or they were moved. This one writes no more."""


class Waiter(Protocol):
    """Who waits for an answer."""

    def give(self, answer: Answer, /) -> None:
        """Give the answer."""

    def fail(self, wrong: BaseException, /) -> None:
        """Say that there will be none."""


Waiting = tuple[apply.Command, Waiter]
Committed = Callable[[int, Sequence[Happened], int, int], None]
"""Told of each batch that is on disk: its last event, what happened, how many commands, microseconds."""
Load = Callable[[Connection, Iterable[Wanted], Rows], None]


class Writer:
    """The one writer of a programme."""

    def __init__(
        self,
        engine: Engine,
        setting: Callable[[], Setting],
        now_ms: Callable[[], int],
        failed: Callable[[BaseException], None],
        clock_us: Callable[[], int] = lambda: 0,
        most_at_once: int = MOST_AT_ONCE,
        committed: Committed | None = None,
        registers: Registers | None = None,
    ) -> None:
        self._engine = engine
        self._setting = setting
        self._now_ms = now_ms
        self._failed = failed
        self._clock_us = clock_us
        self._most_at_once = most_at_once
        self._committed = committed
        self._inbox: Inbox[Waiting] = Inbox()
        self._registers = registers
        self._tries = None if registers is None else Tries(registers)
        self._rows = empty_rows(registers)
        self._turn: tuple[int, int] | None = None
        self._epoch: int | None = None
        self._connection: Connection | None = None
        self._thread: Thread | None = None
        self._checkpoints: Ticks | None = None
        self._stopping = False
        # When each command that is not answered was asked, in order.
        self._asked_us: deque[int] = deque()
        self.numbers = Numbers()

    def start(self) -> None:
        """Become the writer of these books, and start taking commands."""
        with writing(self._engine) as connection:
            take_over = text("UPDATE writer SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch")
            self._epoch = connection.execute(take_over).scalar_one()
        if self._engine.dialect.name == "sqlite":
            self._checkpoints = Ticks("checkpoints", CHECKPOINT_EVERY_S, self._checkpoint)
        self._thread = start_thread("writer", self._run)

    def stop(self) -> None:
        """Answer what was taken, take nothing more, and let go of the database."""
        self._stopping = True
        if self._thread is not None:
            self._inbox.close()
            self._thread.join(ANSWER_WITHIN_S)
            self._thread = None
        if self._checkpoints is not None:
            self._checkpoints.stop()
            self._checkpoints = None

    def submit(self, command: apply.Command) -> Answer:
        """Queue `command` and return its answer once it is committed.

        Raises what made it fail, or TimeoutError; then it may or may not be committed, and asking
        again is safe.
        """
        answer: Promised[Answer] = Promised()
        self._put(command, answer)
        return answer.wait(ANSWER_WITHIN_S)

    def submit_soon(self, command: apply.Command, waiter: Waiter) -> None:
        """Queue `command`; `waiter` is told from the writer's thread. Raises Busy."""
        if self._stopping or self._inbox.waiting() >= MOST_WAITING:
            self.numbers.busy += 1
            raise Busy
        self._put(command, waiter)

    def _put(self, command: apply.Command, waiter: Waiter) -> None:
        self._asked_us.append(self._clock_us())
        self._inbox.put((command, waiter))

    def waiting(self) -> int:
        """Return how many commands wait."""
        return self._inbox.waiting()

    def oldest_waiting_us(self) -> int:
        """Return for how long the oldest command has waited for its answer; 0 when none does."""
        try:
            return max(self._clock_us() - self._asked_us[0], 0)
        except IndexError:
            return 0

    def write_now(self, commands: Sequence[apply.Command], dry_run: bool = False) -> list[Answer]:
        """Run and commit `commands` in one transaction in this thread, and return their answers.

        A `dry_run` gives the same answers and commits nothing.
        """
        # What the writer's thread remembers is its own.
        rows, happened = empty_rows(self._registers), list[Happened]()
        if self._registers is None:
            with writing(self._engine) as connection:
                answers = self._run_on(connection, commands, rows, happened, store.load)
                if not dry_run:
                    store.write(connection, rows, happened)
            return answers
        with contextlib.closing(Tries(self._registers)) as tries:
            with writing(self._engine) as connection:
                answers = self._run_on(connection, commands, rows, happened, tries.load)
                if not dry_run:
                    store.write(connection, rows, happened)
                    tries.commit(connection, rows)
            if rows.frees() and not dry_run:
                # What it was cannot fail any more; the service tells the registers when they can be asked.
                with contextlib.suppress(RegisterDown), writing(self._engine) as connection:
                    tries.begin(connection)
                    tries.commit(connection, empty_rows(self._registers))
        return answers

    def _checkpoint(self) -> None:
        try:
            checkpoint(self._engine)
        except DBAPIError as wrong:
            # The next one copies it too; until then the log only grows.
            self._failed(wrong)

    def _run_on(
        self,
        connection: Connection,
        commands: Sequence[apply.Command],
        rows: Rows,
        happened: list[Happened],
        load: Load,
    ) -> list[Answer]:
        # Only now: another process may have held the database for long, and no hold may be placed later
        # than its device waits for it.
        setting, at_ms = self._setting(), self._now_ms()
        asking = [apply.asks(command, rows, setting, at_ms) for command in commands]
        while asking:
            missing, unready = [], []
            for asked in asking:
                if (found := next(asked, None)) is not None:
                    missing += found
                    unready.append(asked)
            load(connection, missing, rows)
            asking = unready
        answers = []
        for command in commands:
            if not apply.is_settled(command):
                # An earlier command of the batch may have changed what this one needs.
                for found in apply.asks(command, rows, setting, at_ms):
                    load(connection, found, rows)
            answers.append(apply.run(command, rows, setting, at_ms, happened.append))
        return answers

    def _run(self) -> None:
        self._tell_registers()
        while (batch := self._inbox.take_up_to(self._most_at_once, self._patience_s())) != []:
            if batch is not None:
                self._take(batch)
                for _ in batch:
                    self._asked_us.popleft()
            self._tell_registers()
        self._forget()
        if self._tries is not None:
            self._tries.close()

    def _patience_s(self) -> float | None:
        """Return how long to wait for commands; without end when no register has to be told anything."""
        return TRY_AGAIN_MS / 1000 if self._tries is not None and self._tries.owes else None

    def _tell_registers(self) -> None:
        """When there is nothing else to do, let the registers know what they have not heard."""
        if self._tries is None or not self._tries.owes or self._inbox.waiting():
            return
        try:
            self._commit([])
        except Exception as wrong:
            self._forget()
            if not isinstance(wrong, RegisterDown) or wrong.is_new:
                self._failed(wrong)

    def _take(self, batch: list[Waiting]) -> None:
        try:
            answers, happened, us = self._commit([command for command, _ in batch])
        except Exception as wrong:
            self._forget()
            if len(batch) > 1 and not _is_final(wrong):
                # Whatever it was, nothing of the batch is committed.
                for one in batch:
                    self._take([one])
                return
            self.numbers.failed += len(batch)
            # While a register is down every hold fails: that is said once.
            if not isinstance(wrong, RegisterDown) or wrong.is_new:
                self._failed(wrong)
            for _, waiter in batch:
                waiter.fail(wrong)
            return
        for (_, waiter), answer in zip(batch, answers, strict=True):
            waiter.give(answer)
        if self._committed is not None and happened:
            # Nobody waits for this any more.
            assert self._rows.last_event is not None
            self._committed(self._rows.last_event[0], happened, len(batch), us)

    def _commit(self, commands: list[apply.Command]) -> tuple[list[Answer], list[Happened], int]:
        """Run a batch on what is remembered and commit it; also return what happened, and microseconds."""
        began_us = self._clock_us()
        if self._connection is None:
            self._connection = connect_writer(self._engine)
        connection = self._connection
        transaction = connection.begin()
        try:
            self._take_turn(connection, commands)
            happened: list[Happened] = []
            answers = self._run_on(connection, commands, self._rows, happened, self._load)
            told = False
            if self._tries is not None:
                # The registers come first, and they only when the books have taken everything.
                if happened:
                    store.write(connection, self._rows, happened)
                told = self._commit_registers(self._tries, connection, commands)
        except BaseException:
            transaction.rollback()
            raise
        before_us = self._clock_us()
        if happened or told:
            self._keep(connection, transaction, happened if self._tries is None else [])
        else:
            # Nothing to keep: no disk is waited for, and the turn was not taken.
            transaction.rollback()
            self._turn = None if self._turn is None else (self._turn[0], self._turn[1] - 1)
        if self._tries is not None and self._rows.frees():
            self._tries.owes = True
        self._rows.written()
        if not commands:
            return answers, happened, 0
        after_us = self._clock_us()
        self.numbers.count(len(commands), after_us - before_us, after_us - began_us)
        return answers, happened, after_us - began_us

    def _keep(self, connection: Connection, transaction: RootTransaction, happened: list[Happened]) -> None:
        """Write what has happened and commit. Raises Unsure when it may or may not be committed."""
        try:
            if happened:
                # Nothing can be asked on the way.
                store.know_last_event(connection, self._rows)
            with store.at_once(connection):
                if happened:
                    store.write(connection, self._rows, happened)
                transaction.commit()
        except DBAPIError as wrong:
            if self._tries is None and not is_away(wrong):
                # What was written is refused, and so was not committed.
                raise
            raise Unsure from wrong

    def _load(self, connection: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
        (store.load if self._tries is None else self._tries.load)(connection, wanted, rows)

    def _commit_registers(self, tries: Tries, connection: Connection, commands: list[apply.Command]) -> bool:
        """Commit the registers before the books, and return whether the books have to be committed for it."""
        if not commands:
            tries.begin(connection)
        return tries.commit(connection, self._rows)

    def _take_turn(self, connection: Connection, commands: Sequence[apply.Command]) -> None:
        """Take the writer's row, and forget what is remembered when somebody has written in between.

        What the commands are sure to need comes with it: one way to the database less.
        """
        wanted: list[Wanted] = []
        if self._tries is None:
            setting, at_ms = self._setting(), self._now_ms()
            for command in commands:
                wanted += next(apply.asks(command, self._rows, setting, at_ms), ())
        turn = store.take_turn(connection, wanted, self._rows)
        if turn is None or self._epoch not in (None, turn[0]):
            raise Fenced
        epoch, batch_no = turn
        if (epoch, batch_no - 1) != self._turn:
            self._rows = empty_rows(self._registers)
        self._turn = (epoch, batch_no)

    def _forget(self) -> None:
        self._rows = empty_rows(self._registers)
        if self._tries is not None:
            self._tries.rollback()
        self._turn = None
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _is_final(wrong: BaseException) -> bool:
    """Whether running the commands one by one would end the same: the database is gone, or another's."""
    gone = isinstance(wrong, DBAPIError) and wrong.connection_invalidated
    return gone or isinstance(wrong, Unsure | Fenced)
