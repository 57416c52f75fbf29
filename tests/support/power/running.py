"""How is a piece of a campaign started, heard and ended?"""

import contextlib
import os
import subprocess
import sys
import tempfile

import msgspec
from power.ledger import BROKEN_OFF, Tried, commit, now
from power.piece import Task
from power.shipped import ROOT

_END_WITHIN_S = 60


class Running:
    """A process that does a piece. What it says goes to files, so that it never waits to be heard."""

    def __init__(self, task: Task) -> None:
        self.task = task
        with contextlib.ExitStack() as opening:
            self._answer = opening.enter_context(tempfile.TemporaryFile())
            self._log = opening.enter_context(tempfile.TemporaryFile())
            self._files = opening.pop_all()
        # A session of its own: Ctrl-C comes to the campaign alone, which ends its pieces in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "power.piece", msgspec.json.encode(task).decode()],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
            start_new_session=True,
        )

    def came(self) -> Tried | None:
        """Return what came of the piece, None while it is under way."""
        ended = self._process.poll()
        if ended is None:
            return None
        self.let_go()
        with self._files:
            answer, log = (one.seek(0) or one.read() for one in (self._answer, self._log))
        try:
            return msgspec.json.decode(answer, type=Tried)
        except msgspec.MsgspecError:
            last = log.decode(errors="replace").strip()[-600:]
            return self._broken_off(f"its process ended with {ended}: {last}")

    def let_go(self) -> None:
        """Tell the process to end, which ends first what it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait_gone(self) -> None:
        """Wait until it has ended, and make it when that takes long."""
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._files.close()

    def _broken_off(self, why: str) -> Tried:
        task = self.task
        return Tried(task.kind.name, task.seed, BROKEN_OFF, 0, (why,), {}, 0, task.code, commit(), now())
