"""What of a whole campaign is still to do? It is done, told, and its report written into its page.

A piece that is in the ledger for this code is not done again, so a campaign may be ended at any time and is
taken up where it was. Only this process writes the ledger; each piece is done by one of its own.
"""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from power.kinds import KINDS, Kind, named
from power.ledger import CannotUse, Ledger, Tried
from power.piece import Task
from power.progress import Progress, next_of
from power.report import into_page, report
from power.running import Running
from power.shipped import ROOT, code

LEDGER = ROOT / "docs" / "campaign" / "ledger.jsonl"
PAGE = ROOT / "docs" / "reliability-campaign.md"
_WHOLE, _DID_NOT_HOLD, _USAGE, _MORE_TO_DO = 0, 1, 2, 4
_LOOK_EVERY_S = 0.05


def command(ledger_file: Path, only: Sequence[str], minutes: float, workers: int) -> int:
    """Go on with the campaign for so long; return 0 when it is whole, 4 when not yet, 1 when something broke.

    With 0 minutes it only reports. The project's own ledger has a page, into which the report is written.
    """
    ledger = Ledger(ledger_file)
    # Told to end, end what was started: servers, agents, terminals.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_MORE_TO_DO))
    kinds = [one for one in KINDS if not only or any(words in one.name for words in only)]
    if not kinds:
        print(f"No kind has these words in its name. There are: {'; '.join(one.name for one in KINDS)}")
        return _USAGE
    try:
        wrong, is_whole = run(ledger, kinds, minutes, workers, _tell)
    except CannotUse as why:
        print(f"Nothing was done: {why}.")
        return _USAGE
    except (SystemExit, KeyboardInterrupt):
        wrong, is_whole = [], False
    _show(ledger, ledger_file)
    if wrong:
        return _DID_NOT_HOLD
    return _WHOLE if is_whole else _MORE_TO_DO


def _show(ledger: Ledger, file: Path) -> None:
    """Print the report; that of the project's own ledger goes into its page too."""
    lines = list(ledger.lines())
    print(report(lines, KINDS))
    if file.resolve() == LEDGER and lines:
        PAGE.write_text(into_page(PAGE.read_text(), report(lines, KINDS)))


def run(
    ledger: Ledger, kinds: Sequence[Kind], minutes: float, workers: int, tell: Callable[[Tried, str], None]
) -> tuple[list[str], bool]:
    """Do pieces until all is done or the time is over, several at once; none is begun after that.

    `tell` hears of each piece, and how far its kind is. Returns everything that did not hold on this code,
    and whether all is done. Raises CannotUse.
    """
    until = time.monotonic() + minutes * 60
    lines = list(ledger.lines())
    progress = [Progress(one, code(one.ships), named(one.pieces)() if one.pieces else 0) for one in kinds]
    for one in progress:
        one.take_up(lines)
    if time.monotonic() < until:
        with ledger.alone():
            _do(ledger, progress, until, workers, tell)
    return [each for one in progress for each in one.wrong], all(one.is_whole for one in progress)


def _do(
    ledger: Ledger,
    progress: Sequence[Progress],
    until: float,
    workers: int,
    tell: Callable[[Tried, str], None],
) -> None:
    by_name = {one.kind.name: one for one in progress}
    running: list[Running] = []
    try:
        while True:
            while time.monotonic() < until and (one := next_of(progress, workers)):
                task = Task(one.kind, one.next_seed(), one.code)
                one.begin(task.seed)
                running.append(Running(task))
            if not running:
                return
            time.sleep(_LOOK_EVERY_S)
            for piece in list(running):
                if came := piece.came():
                    running.remove(piece)
                    ledger.add(came)
                    kind = by_name[came.kind]
                    kind.end(came)
                    tell(came, str(kind))
    finally:
        for piece in running:
            piece.let_go()
        for piece in running:
            piece.wait_gone()


def _tell(one: Tried, so_far: str) -> None:
    held = "held" if not one.wrong else f"{len(one.wrong)} DID NOT HOLD"
    took = f"{one.seconds:.0f} s, {one.processor_s:.0f} s of processor"
    print(f"{one.kind}, {one.point[:60]}: {one.count:,} in {took}, {held} ({so_far})", flush=True)
    for each in one.wrong[:5]:
        print(f"    {each}", flush=True)
