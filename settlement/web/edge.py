"""What do the handlers work with?"""

import datetime
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from settlement.keys import Keys
from settlement.logs import Log
from settlement.reconcile.config import NightConfig
from settlement.registers.database import RegisterDown
from settlement.registers.shared import Registers
from settlement.sources.pack_files import PackFiles
from settlement.trail import Trail
from settlement.web.problems import busy, no_register, problem_of, unsure
from settlement.writer.apply import Direct
from settlement.writer.step import Answer, Denied, Setting, Signed
from settlement.writer.writer import MOST_WAITING, Fenced, Unsure, Waiter, Writer
from subsidy import seal
from subsidy.seal import Sealed


class TurnedAway(msgspec.Struct):
    """How many were told to ask later since the service began: the queue was full, the device too fast."""

    busy: int = 0
    device: int = 0


class Edge(msgspec.Struct, frozen=True):
    """The centre as the handlers see it. `night_at` is None when nights are not run by the service.

    `sources` are the night's, None when none are named or they cannot be read.
    """

    engine: Engine
    keys: Keys
    setting: Callable[[], Setting]
    writer: Writer
    now_ms: Callable[[], int]
    packs: Mapping[str, PackFiles]
    log: Log
    trail: Trail
    night_at: datetime.time | None = None
    holds_per_device_s: int = 50
    sources: NightConfig | None = None
    turned_away: TurnedAway = msgspec.field(default_factory=TurnedAway)
    registers: Registers | None = None

    def submit_soon(self, command: Direct, waiter: Waiter) -> None:
        """Queue `command`; `waiter` is told once it is committed. Raises Busy."""
        self.writer.submit_soon(command, waiter)

    def refuse_when_full(self) -> None:
        """Raise Problem when so many commands wait that another would wait too long."""
        if self.is_full():
            self.turned_away.busy += 1
            raise busy()

    def is_full(self) -> bool:
        """Whether so many commands wait that another would wait too long."""
        return self.writer.waiting() >= MOST_WAITING

    def problem_of_failure(self, wrong: BaseException) -> Exception:
        """Return what a caller is told of a command that the writer could not carry out."""
        if isinstance(wrong, RegisterDown):
            return no_register()
        known = isinstance(wrong, Unsure | Fenced | TimeoutError | DBAPIError)
        return unsure() if known else AssertionError(f"the writer failed: {wrong}")


def ask_writer(edge: Edge, command: Direct) -> Answer:
    """Return the writer's answer once it is committed. Raises Problem."""
    edge.refuse_when_full()
    try:
        answer = edge.writer.submit(command)
    except RegisterDown:
        raise no_register() from None
    except (TimeoutError, Unsure, Fenced, DBAPIError):
        raise unsure() from None
    if isinstance(answer, Denied):
        raise problem_of(answer)
    return answer


def sealed(edge: Edge, signed: Signed) -> Sealed:
    """Seal a committed answer with the key that it names, so that a repeat is the same bytes."""
    return seal.seal(signed.typ, signed.payload, edge.keys.signing(signed.kid))
