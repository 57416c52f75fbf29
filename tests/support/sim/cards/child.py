"""What is a child process in a world, and what does it hear and say?

Stands for `subprocess` where the driver calls a vendor's client, and for `sys` in the shipped child, which
runs here as a process of its own: it is killed when its time is over, may end by itself, and outlives the
agent that has started it.
"""

import io
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from sim.scheduler import Process
from sim.threads import Here, threading
from terminal_agent.terminals import mis_child

_ITS_ARGUMENTS = 3  # after the interpreter, its option and the program


class subprocess:
    """Stands for the module of this name."""

    PIPE = DEVNULL = -1

    class TimeoutExpired(Exception):
        """It did not end in time, and was killed."""

    @staticmethod
    def run(command: Sequence[str], *, input: bytes, timeout: float, **_: object) -> Any:
        task = Here.scheduler.current
        assert task is not None
        Here.at_port("a child is started")
        child = Process(f"child of {command[_ITS_ARGUMENTS + 1]}")
        child.pay_ref = task.pay_ref
        child.hears, child.says = io.BytesIO(input), io.BytesIO()
        ended = threading.Event()
        child.when_dead.append(ended.set)

        def work() -> None:
            mis_child.main(list(command[_ITS_ARGUMENTS:]))
            ended.set()

        Here.scheduler.spawn(child, "call", work)
        in_time = ended.wait(timeout)
        Here.at_port("what a child has said")
        if not in_time:
            Here.scheduler.kill(child)
            raise subprocess.TimeoutExpired
        return SimpleNamespace(stdout=child.says.getvalue())


class _Sys:
    """Stands for `sys` in the child."""

    @property
    def stdin(self) -> Any:
        return SimpleNamespace(buffer=_own().hears)

    @property
    def stdout(self) -> Any:
        return SimpleNamespace(buffer=_own().says)


sys = _Sys()


def saying_whose(take: Callable[..., Any]) -> Callable[..., Any]:
    """Return the driver's `take`, of which the world knows for which payment it is."""

    def taking(self: Any, ask: Any) -> Any:
        task = Here.scheduler.current
        assert task is not None
        task.pay_ref = ask.pay_ref
        try:
            return take(self, ask)
        finally:
            task.pay_ref = ""

    return taking


def _own() -> Any:
    task = Here.scheduler.current
    assert task is not None
    return task.process
