"""What came out of each scenario on one link?"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

import msgspec

from terminal_agent.certify.control import Control
from terminal_agent.certify.link_side import LinkSide
from terminal_agent.certify.plan import Trial
from terminal_agent.certify.side import Broken, NotThere, Silent


class Verdict(StrEnum):
    """What came out of a scenario. Only what was tried and seen is passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"
    DOES_NOT_APPLY = "does not apply"


class Result(msgspec.Struct, frozen=True):
    """One scenario: what was done, what had to be seen, what was seen.

    `why` says what was broken, or why it was not tried. `orders` are our numbers of its payments.
    """

    name: str
    verdict: Verdict
    done: str
    must: str
    saw: tuple[str, ...] = ()
    why: str = ""
    orders: tuple[str, ...] = ()
    other_side_is_silent: bool = False


def run_all(
    trials: Sequence[Trial],
    side_of: Callable[[], LinkSide],
    control: Control | None,
    begins: Callable[[Trial], None],
) -> Iterator[Result]:
    """Yield what came out of each, one after the other, until the other side is silent."""
    silent = ""
    for trial in trials:
        if trial.does_not_apply:
            yield _result(trial, Verdict.DOES_NOT_APPLY, why=trial.does_not_apply)
        elif trial.not_tried or silent:
            yield _result(trial, Verdict.NOT_TRIED, why=trial.not_tried or silent, is_silent=bool(silent))
        else:
            begins(trial)
            result = _run(trial, side_of, control)
            silent = result.why if result.other_side_is_silent else ""
            yield result


def _run(trial: Trial, side_of: Callable[[], LinkSide], control: Control | None) -> Result:
    try:
        if control is not None:
            control.clear()
        side = side_of()
    except NotThere as nobody:
        return _result(trial, Verdict.NOT_TRIED, why=str(nobody), is_silent=True)
    try:
        trial.run(side)
    except Broken as broken:
        return _result(trial, Verdict.FAILED, side, str(broken))
    except NotThere as missing:
        return _result(trial, Verdict.NOT_TRIED, side, str(missing), is_silent=isinstance(missing, Silent))
    except Exception as bug:
        # Its words may hold anything.
        return _result(trial, Verdict.FAILED, side, f"a link must answer and raised {type(bug).__name__}")
    return _result(trial, Verdict.PASSED, side)


def _result(
    trial: Trial, verdict: Verdict, side: LinkSide | None = None, why: str = "", *, is_silent: bool = False
) -> Result:
    return Result(
        trial.name,
        verdict,
        trial.done,
        trial.must,
        tuple(side.seen) if side is not None else (),
        why,
        tuple(ask.pay_ref for ask in side.asks) if side is not None else (),
        is_silent,
    )
