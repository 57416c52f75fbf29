"""Who runs next, and what time is it?

Everything runs in one thread of the machine: each thread of the shipped code is a greenlet here, which runs
until it waits. Then the next one that is due runs, at its time; when nobody can run, time jumps. Who is due
at the same instant goes in an order that the seed draws, so that races are tried both ways round.
"""

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet


class Dead(BaseException):
    """The process that runs this was killed: nothing that it does counts any more."""


class Process:
    """One life of a program on a host. What is waiting in it when it dies never goes on."""

    def __init__(self, name: str, skew_ms: Callable[[], int] = lambda: 0, born_ms: int = 0) -> None:
        self.name = name
        self.alive = True
        self.born_ms = born_ms
        self.skew_ms = skew_ms
        self.till: Any = None
        self.kept_open: dict[Any, list[Any]] = {}
        """The connections to a database that nobody uses now, by the pool that they belong to."""
        self.version = 0
        self.pay_ref = ""
        """The payment that a child is about."""
        self.hears: Any = None
        self.says: Any = None
        self.tasks: dict[Task, None] = {}
        self.when_dead: list[Callable[[], None]] = []


class Task(greenlet):
    """One thread of a process."""

    def __init__(self, scheduler: "Scheduler", process: Process, name: str, run: Callable[[], None]) -> None:
        super().__init__(self._go, scheduler.hub)
        self.scheduler = scheduler
        self.process = process
        self.name = name
        self.turn = 0
        self.ended = False
        self.pay_ref = ""
        """The payment that it takes now, where a driver cannot say it on the line."""
        self.when_ended: list[Task] = []
        self._run = run

    def _go(self) -> None:
        try:
            if self.process.alive:
                self._run()
        except Dead:
            pass
        except BaseException as wrong:
            self.scheduler.failed(self, wrong)
        finally:
            self.ended = True
            self.process.tasks.pop(self, None)
            for waiting in self.when_ended:
                self.scheduler.wake(waiting)
            # One or two of a world stay behind in their process for good: the world shall not stay with them.
            del self._run, self.scheduler, self.process, self.when_ended


class Step:
    """Something that is done at its time and waits for nothing. It needs no thread of its own."""

    turn = 0
    ended = False

    def __init__(self, process: Process, name: str, run: Callable[[], None]) -> None:
        self.process = process
        self.name = name
        self.run = run


class Scheduler:
    """Runs tasks on a time of its own, in whole microseconds since 1970: any wait passes some."""

    def __init__(
        self, now_ms: int, order: random.Random, failed: Callable[[Task | Step, BaseException], None]
    ) -> None:
        self.hub = getcurrent()
        self.current: Task | None = None
        """The task that runs now; None when it is the scheduler itself."""
        self.now_us = now_ms * 1000
        self.failed = failed
        self.steps = 0
        self._order = order
        self._count = 0
        self._due: list[tuple[int, float, int, Task | Step, int]] = []
        self._killed: list[Process] = []
        self._begun: dict[Process, None] = {}

    @property
    def now_ms(self) -> int:
        """The time in milliseconds since 1970."""
        return self.now_us // 1000

    def spawn(self, process: Process, name: str, run: Callable[[], None], after_s: float = 0.0) -> Task:
        """Start a task of a process."""
        task = Task(self, process, name, run)
        process.tasks[task] = None
        self._begun[process] = None
        self._push(task, after_s)
        return task

    def step(self, process: Process, name: str, run: Callable[[], None], after_s: float) -> None:
        """Do something after so long that waits for nothing, in the name of a process that never dies."""
        self._push(Step(process, name, run), after_s)

    def sleep(self, seconds: float) -> None:
        """Let the running task wait so long. Raises Dead when its process has died meanwhile."""
        task = self._running()
        task.turn += 1
        self._push(task, seconds)
        self._switch(task)

    def park(self) -> None:
        """Let the running task wait until it is woken. Raises Dead."""
        task = self._running()
        task.turn += 1
        self._switch(task)

    def wake(self, task: Task) -> None:
        """Let a task that waits go on now."""
        if not task.ended:
            task.turn += 1
            self._push(task, 0.0)

    def kill(self, process: Process) -> None:
        """End a process at once: nothing of it goes on. Called in one of its own tasks this raises Dead."""
        if not process.alive:
            return
        process.alive = False
        self._killed.append(process)
        running = self.current
        if running is None:
            self._bury()
        elif running.process is process:
            raise Dead

    def end(self) -> None:
        """End every process. A greenlet that is left waiting would stay, and the world that it leads to."""
        for process in list(self._begun):
            self.kill(process)

    def check_alive(self) -> None:
        """Raise Dead when the running task's process has died."""
        task = self.current
        if task is not None and not task.process.alive:
            raise Dead

    def run(self, until: Callable[[], bool], until_ms: int) -> bool:
        """Run until `until`, asked after each step, or `until_ms`; return whether it came to be."""
        until_us = until_ms * 1000
        while not until():
            if not self._due or self._due[0][0] > until_us:
                self.now_us = max(self.now_us, until_us)
                return until()
            at_us, _, _, task, turn = heapq.heappop(self._due)
            if task.turn != turn or task.ended:
                continue
            if at_us > self.now_us:
                self.now_us = at_us
            self.steps += 1
            if type(task) is Task:
                self.current = task
                task.switch()
                self.current = None
            else:
                self._do(task)
            if self._killed:
                self._bury()
        return True

    def _do(self, step: Any) -> None:
        try:
            step.run()
        except BaseException as wrong:
            self.failed(step, wrong)

    def _push(self, task: Task | Step, after_s: float) -> None:
        self._count += 1
        at_us = self.now_us + (math.ceil(after_s * 1e6) if after_s > 0.0 else 0)
        heapq.heappush(self._due, (at_us, self._order.random(), self._count, task, task.turn))

    def _switch(self, task: Task) -> None:
        if not task.process.alive:
            raise Dead
        self.hub.switch()
        if not task.process.alive:
            raise Dead

    def _bury(self) -> None:
        """Unwind what the dead were in the middle of. Whatever they do meanwhile raises Dead again."""
        while self._killed:
            process = self._killed.pop()
            for task in list(process.tasks):
                if task.ended:
                    continue
                task.turn += 1
                # One that has not begun runs into its own check and ends.
                for _ in range(100):
                    if task.ended or task.dead:
                        break
                    self.current = task
                    task.throw(Dead) if task else task.switch()
                self.current = None
            process.tasks.clear()
            for note in process.when_dead:
                note()

    def _running(self) -> Task:
        task = self.current
        assert task is not None, "only a task can wait"
        return task
