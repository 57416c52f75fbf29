"""Whose is the last transaction that a MIS client tells, when it names neither nonce nor order number?

It tells the last one that went through, and of refused ones nothing, though each uses up a voucher number. So
a transaction is ours when its number is one of the next few, and amount, terminal and time fit as well; when
nothing went through since, its number is the one from before. Pure.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from subsidy.calendar import SHANGHAI
from terminal_agent.terminals.last_transaction import differ, is_trace
from terminal_agent.terminals.mis_record import Slip
from terminal_agent.terminals.read_answer import NO_TRACE

_MARK = re.compile(r"([0-9]{6}) (-|[0-9A-Za-z]{8}) ([0-9]{1,12})", re.ASCII)
_TRACES = 999_999
_MOST_REFUSED = 8


class Mark(msgspec.Struct, frozen=True):
    """What was the last thing at a terminal when something began.

    `shown` is the voucher number of the last transaction that went through, `wall_s` the host's time.
    """

    shown: str
    terminal_no: str
    wall_s: int

    def write(self) -> str:
        """Return the mark as it is stored."""
        return f"{self.shown} {self.terminal_no or '-'} {self.wall_s}"


def read_mark(text: str | None) -> Mark | None:
    """Return a stored mark, None when there is none, or another driver's at this terminal before."""
    found = _MARK.fullmatch(text or "")
    return None if found is None else Mark(found[1], found[2] if found[2] != "-" else "", int(found[3]))


class Window(msgspec.Struct, frozen=True):
    """Within which time after a mark a transaction may have been done, in seconds."""

    before_s: float
    after_s: float


def is_as_before(last: Slip | None, mark: Mark | None) -> bool:
    """Whether nothing has gone through at the terminal since `mark`. No slip: nothing ever."""
    if mark is None:
        return False
    return mark.shown == (NO_TRACE if last is None else last.evidence.trace)


def is_next(last: Slip, mark: Mark, fen: int, window: Window) -> bool:
    """Whether `last` is the transaction of `fen` that was begun at `mark`."""
    return (
        follows(last, mark.shown)
        and last.amount_fen == fen
        and not differ(last.evidence.terminal_no, mark.terminal_no)
        and _is_within(last, mark, window)
    )


def follows(last: Slip, trace: str) -> bool:
    """Whether `last` came after `trace` with nothing but a few refused ones between them."""
    return 1 <= _steps(trace, last.evidence.trace) <= 1 + _MOST_REFUSED


def full_date(mmdd: str, wall_ms: int) -> str:
    """Return a day with its year: the one that is nearest to now."""
    now = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(SHANGHAI)
    found = []
    for year in (now.year - 1, now.year, now.year + 1):
        try:
            found.append(datetime(year, int(mmdd[:2]), int(mmdd[2:]), 12, tzinfo=SHANGHAI))
        except ValueError:  # 29 February of another year, or no day at all
            continue
    return min(found, key=lambda day: abs(day - now)).strftime("%Y%m%d") if found else ""


def _is_within(last: Slip, mark: Mark, window: Window) -> bool:
    date, time = last.evidence.host_date, last.evidence.host_time
    try:
        at = datetime.strptime(f"{date} {time}", "%Y%m%d %H%M%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return False
    began = datetime.fromtimestamp(mark.wall_s, SHANGHAI)
    return began - timedelta(seconds=window.before_s) <= at <= began + timedelta(seconds=window.after_s)


def _steps(earlier: str, later: str) -> int:
    """Return how many numbers lie from one to the other, going on with 1 after 999999; 0: unknown or none."""
    if not is_trace(later) or not (is_trace(earlier) or earlier == NO_TRACE):
        return 0
    return (int(later) - int(earlier)) % _TRACES
