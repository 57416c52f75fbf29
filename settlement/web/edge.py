"""What do the handlers work with?"""

import datetime
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Engine

from settlement.keys import Keys
from settlement.logs import Log
from settlement.reconcile.config import NightConfig
from settlement.web.problems import problem_of
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Denied, Setting, Signed
from subsidy import seal
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem
from subsidy.seal import Sealed


class PackFiles(msgspec.Struct, frozen=True):
    """The files that a pack was read from, name to text."""

    programme: str
    files: dict[str, str]


class Edge(msgspec.Struct, frozen=True):
    """The centre as the handlers see it. `night_at` is None when nights are not run by the service.

    `sources` are the night's, None when none are named or they cannot be read.
    """

    engine: Engine
    keys: Keys
    setting: Callable[[], Setting]
    submit: Callable[[Command], Answer]
    now_ms: Callable[[], int]
    packs: Mapping[str, PackFiles]
    log: Log
    night_at: datetime.time | None = None
    sources: NightConfig | None = None


def ask_writer(edge: Edge, command: Command) -> Answer:
    """Return the writer's answer once it is committed. Raises Problem."""
    try:
        answer = edge.submit(command)
    except TimeoutError:
        raise Problem(
            503,
            "UNAVAILABLE",
            "The books are busy. Ask the same again: it is safe",
            next_action=NextAction.TRY_LATER,
            retryable=True,
        ) from None
    if isinstance(answer, Denied):
        raise problem_of(answer)
    return answer


def sealed(edge: Edge, signed: Signed) -> Sealed:
    """Seal a committed answer with the key that it names, so that a repeat is the same bytes."""
    return seal.seal(signed.typ, signed.payload, edge.keys.signing(signed.kid))
