"""How do commands become committed books, and when is a caller answered?

One writer takes what is waiting, loads the rows it needs, runs the commands one by one in memory,
writes everything in one transaction, and only then answers. If that fails, each command is
run again on its own, so that one cannot spoil the others.
"""

from collections.abc import Callable

from sqlalchemy import Engine

from settlement.db.connection import writing
from settlement.system import Inbox, Promised, start_thread
from settlement.writer import apply, store
from settlement.writer.batch import Rows
from settlement.writer.step import Answer, Happened, Setting

MOST_AT_ONCE = 64
ANSWER_WITHIN_S = 30

Waiting = tuple[apply.Command, Promised[Answer]]


class Writer:
    """The one writer of a programme."""

    def __init__(
        self,
        engine: Engine,
        setting: Callable[[], Setting],
        now_ms: Callable[[], int],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._engine = engine
        self._setting = setting
        self._now_ms = now_ms
        self._failed = failed
        self._inbox: Inbox[Waiting] = Inbox()

    def start(self) -> None:
        """Start taking commands."""
        # When the last connection closes, SQLite copies its whole log into the database: one stays open, so
        # that this is not done after every batch.
        self._keeper = self._engine.raw_connection()
        start_thread("writer", self._run)

    def submit(self, command: apply.Command) -> Answer:
        """Queue `command` and return its answer once it is committed.

        Raises what made it fail, or TimeoutError; then it may or may not be committed, and asking
        again is safe.
        """
        answer: Promised[Answer] = Promised()
        self._inbox.put((command, answer))
        return answer.wait(ANSWER_WITHIN_S)

    def write_now(self, commands: list[apply.Command], dry_run: bool = False) -> list[Answer]:
        """Run and commit `commands` in one transaction in this thread, and return their answers.

        A `dry_run` gives the same answers and commits nothing.
        """
        rows = Rows()
        happened: list[Happened] = []
        answers: list[Answer] = []
        with writing(self._engine) as connection:
            # Only now: another process may have held the database for long, and no hold may be placed
            # later than its device waits for it.
            setting, at_ms = self._setting(), self._now_ms()
            for command in commands:
                while missing := apply.keys(command, rows, setting, at_ms):
                    store.load(connection, missing, rows)
            for command in commands:
                # An earlier command of the batch may have changed what this one needs.
                while missing := apply.keys(command, rows, setting, at_ms):
                    store.load(connection, missing, rows)
                answers.append(apply.run(command, rows, setting, at_ms, happened.append))
            if not dry_run:
                store.write(connection, rows, happened)
        return answers

    def _run(self) -> None:
        while True:
            self._take(self._inbox.take_up_to(MOST_AT_ONCE))

    def _take(self, batch: list[Waiting]) -> None:
        try:
            answers = self.write_now([command for command, _ in batch])
        except Exception as wrong:  # whatever it was, nothing of the batch is committed
            if len(batch) > 1:
                for one in batch:
                    self._take([one])
                return
            self._failed(wrong)
            batch[0][1].fail(wrong)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            waiting.give(answer)
