"""What of a whole campaign is still to do? It is done, told, and its report written into its page.

A piece that is in the ledger for this code is not done again, so a campaign may be ended at any time and is
taken up where it was.
"""

import itertools
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from power.kinds import KINDS, Kind, Piece
from power.ledger import ROOT, Ledger, Tried, code, commit, now
from power.report import into_page, report

LEDGER = ROOT / "docs" / "campaign" / "ledger.jsonl"
PAGE = ROOT / "docs" / "reliability-campaign.md"
BROKEN_OFF = "broken off"
_WHOLE, _DID_NOT_HOLD, _USAGE, _MORE_TO_DO = 0, 1, 2, 4


def command(ledger_file: Path, only: Sequence[str], minutes: float) -> int:
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
    wrong: list[str] = []
    is_whole = True
    try:
        wrong, is_whole = run(ledger, kinds, minutes, _tell)
    finally:
        lines = list(ledger.lines())
        print(report(lines, KINDS))
        if ledger_file.resolve() == LEDGER and lines:
            PAGE.write_text(into_page(PAGE.read_text(), report(lines, KINDS)))
    if wrong:
        return _DID_NOT_HOLD
    return _WHOLE if is_whole else _MORE_TO_DO


def run(
    ledger: Ledger, kinds: Sequence[Kind], minutes: float, tell: Callable[[Tried, str], None]
) -> tuple[list[str], bool]:
    """Do pieces of each kind in turn until all is done or the time is over.

    `tell` hears of each piece, and how far its kind is. Returns everything that did not hold on this code,
    and whether all is done.
    """
    until = time.monotonic() + minutes * 60
    done: Counter[str] = Counter()
    taken: dict[str, set[int]] = {one.name: set() for one in kinds}
    wrong: list[str] = []
    for one in ledger.lines():
        # What was broken off is tried again.
        if one.code == code() and one.kind in taken and one.point != BROKEN_OFF:
            done[one.kind] += one.count
            taken[one.kind].add(one.seed)
            wrong += one.wrong
    while time.monotonic() < until and (left := [one for one in kinds if _is_open(one, done, taken)]):
        for kind in left:
            if time.monotonic() > until:
                break
            seed = next(one for one in itertools.count() if one not in taken[kind.name])
            tried = _try(kind, seed)
            ledger.add(tried)
            done[kind.name] += tried.count
            taken[kind.name].add(seed)
            wrong += tried.wrong
            tell(tried, _so_far(kind, done, taken))
    return wrong, not any(_is_open(one, done, taken) for one in kinds)


def _is_open(kind: Kind, done: Counter[str], taken: dict[str, set[int]]) -> bool:
    if kind.goal is None:
        return not taken[kind.name].issuperset(range(kind.pieces()))
    return done[kind.name] < kind.goal


def _so_far(kind: Kind, done: Counter[str], taken: dict[str, set[int]]) -> str:
    if kind.goal is None:
        return f"{len(taken[kind.name])} of {kind.pieces()} pieces"
    return f"{done[kind.name]:,} of {kind.goal:,}"


def _try(kind: Kind, seed: int) -> Tried:
    began = time.monotonic()
    try:
        piece = kind.do(seed)
    except Exception as failed:
        # What breaks the trial itself has to be looked at too, and the others go on.
        piece = Piece(BROKEN_OFF, 0, [f"{type(failed).__name__}: {failed}"])
    return Tried(
        kind=kind.name,
        seed=seed,
        point=piece.point,
        count=piece.count,
        wrong=tuple(piece.wrong),
        saw=piece.saw,
        seconds=round(time.monotonic() - began, 1),
        code=code(),
        commit=commit(),
        at=now(),
    )


def _tell(one: Tried, so_far: str) -> None:
    held = "held" if not one.wrong else f"{len(one.wrong)} DID NOT HOLD"
    print(f"{one.kind}, {one.point}: {one.count:,} in {one.seconds:.0f} s, {held} ({so_far})", flush=True)
    for each in one.wrong[:5]:
        print(f"    {each}", flush=True)
