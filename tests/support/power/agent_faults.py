"""What does the agent's journal do when the disk is full or broken at any operation?

It must say so, change nothing, and go on once the disk works again: in the same process, and after a restart.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from power.agent_cuts import digest
from power.agent_day import MOVES, AgentDay
from power.every_operation import Trial
from power.kinds import Piece
from power.recorded_disk import RecordedDisk
from power.scratch import fast_folder

from terminal_agent.journal.connection import JournalDown
from terminal_agent.journal.open import open_journal


class FaultyDay(AgentDay):
    """A day in which every call of the journal and every start fails at its operations first."""

    def __init__(self, folder: Path, disk: RecordedDisk, trial: Trial) -> None:
        self._disk, self._trial = disk, trial
        super().__init__(folder)

    def reopen(self) -> None:
        """End the agent, and start it again while the disk fails."""
        before = digest(self.connection)
        self.connection.close()
        self.connection = self._tried(lambda: open_journal(self.path), lambda: "")
        if digest(self.connection) != before:
            self._trial.wrong.append("after a restart the journal does not say what was acknowledged")
        self.restart()

    def _note_calls(self) -> None:
        super()._note_calls()
        for name in MOVES:
            setattr(self.real_journal, name, self._failing(getattr(self.real_journal, name)))

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*rest: Any, **more: Any) -> Any:
            before = digest(self.connection)

            def check() -> str:
                return "" if digest(self.connection) == before else "what failed has changed something"

            return self._tried(lambda: call(*rest, **more), check)

        return tried

    def _tried(self, act: Callable[[], Any], check: Callable[[], str]) -> Any:
        return self._trial.run(self._disk, act, JournalDown, check)


def try_day(kind: str, stride: int = 1, seed: int = 0) -> Trial:
    """Live a day with one kind of fault and return what came of it."""
    folder = fast_folder("agent-fault-")
    trial = Trial(kind, stride, seed)
    try:
        with RecordedDisk(folder) as disk:
            FaultyDay(folder, disk, trial).live()
    finally:
        shutil.rmtree(folder)
    return trial


def piece(seed: int, kind: str) -> Piece:
    """Meet one kind of fault at each operation of each act."""
    return try_day(kind, 1, seed).piece()
