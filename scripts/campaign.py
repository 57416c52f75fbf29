"""Cut the power, fill the disk, change bytes and kill processes, on and on: does everything hold?

    python3 scripts/campaign.py --minutes 30
    python3 scripts/campaign.py --report

What was done is kept in a ledger, and a campaign is taken up where it ended; a change to what ships begins a
new one. Exit 0 when the campaign is whole and everything held, 4 when there is more to do, 1 when something
did not hold.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from venv_here import ROOT, python_with

LEDGER = ROOT / "docs" / "campaign" / "ledger.jsonl"


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="begin nothing new after that long")
    parser.add_argument(
        "--only", action="append", metavar="WORDS", help="only kinds with these words in their names"
    )
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="the file of what was done")
    parser.add_argument("--report", action="store_true", help="only print what was done, as a table")
    asked = parser.parse_args()
    python = python_with("dev")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606
    return run(asked.ledger, asked.only, asked.minutes, only_report=asked.report)


def run(ledger_file: Path, only: list[str] | None, minutes: float, *, only_report: bool) -> int:
    """Go on with the campaign for so long, or only report, and return the exit code."""
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "support")]
    from power import campaign
    from power.ledger import Ledger, Tried, report

    ledger = Ledger(ledger_file)
    if only_report:
        print(report(list(ledger.lines())))
        return 0

    # Told to end, end what was started: servers, agents, terminals.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))

    def tell(one: Tried) -> None:
        held = "held" if not one.wrong else f"{len(one.wrong)} DID NOT HOLD"
        print(f"{one.kind} {one.seed}: {one.count} in {one.seconds} s, {held}", flush=True)
        for each in one.wrong[:5]:
            print(f"    {each}", flush=True)

    kinds = [one for one in campaign.KINDS if only is None or any(words in one.name for words in only)]
    wrong, is_whole = campaign.run(ledger, kinds, minutes, tell)
    if wrong:
        return 1
    return 0 if is_whole else 4


if __name__ == "__main__":
    sys.exit(main())
