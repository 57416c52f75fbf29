"""Run the night of yesterday, or of another day: for cron, and for operations at a desk.

    python3 scripts/nightly_reconcile.py --config settlement.yaml
    python3 scripts/nightly_reconcile.py --config settlement.yaml --date 2026-03-01 --dry-run

It calls `settlement night run` and leaves with its exit code: 0 all is well, 3 a file cannot be taken, 4
there are differences, or files that have not come or came before the day was over, 5 the database is down, 6
another night is under way or a file on record is another. Safe to repeat. Standard library only.
"""

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

from venv_here import python_with

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
NEXT = {
    0: "All is well. Nothing is to be done.",
    1: "The proof failed, or this is a bug of ours: pay nothing further, and call support with the above.",
    2: "See --help.",
    3: "Correct what is named above, then run it again: nothing of a wrong file was taken.",
    4: "Look at what is listed above; a late file closes its items when the night of that day is run again.",
    5: "Try again when the database can be used.",
    6: "Nothing was changed. Do what is said above, then run it again.",
}


def main() -> int:
    """Return the exit code of the night."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--config", type=Path, required=True, help="the centre's configuration")
    arguments.add_argument("--date", help="the day, as 2026-03-01; yesterday in Shanghai when left out")
    arguments.add_argument("--files", type=Path, help="look here, not in the configured folder")
    arguments.add_argument("--replace", action="append", default=[], metavar="SOURCE")
    arguments.add_argument("--dry-run", action="store_true", help="change nothing, and show all")
    arguments.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    chosen = arguments.parse_args()
    yesterday = datetime.datetime.now(SHANGHAI).date() - datetime.timedelta(days=1)
    words = ["night", "run", "--config", str(chosen.config), "--date", chosen.date or yesterday.isoformat()]
    words += [] if chosen.files is None else ["--files", str(chosen.files)]
    words += [word for source in chosen.replace for word in ("--replace", source)]
    words += ["--dry-run"] * chosen.dry_run + ["--json"] * chosen.json
    code = "from settlement.cli import main; main()"
    python = python_with("settlement")
    exit_code = subprocess.run([str(python), "-c", code, *words], check=False).returncode
    print(NEXT.get(exit_code, f"It ended with {exit_code}. Run it again: it is safe."), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
