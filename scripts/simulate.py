"""Try seeds, each a whole world of shops, centre and terminals; or every kind of harm, one after another.

    python3 scripts/simulate.py --seeds 2000 [--start S] [--json] [--workers 2]
    python3 scripts/simulate.py --seed S --trace       one seed again, exactly, told line by line
    python3 scripts/simulate.py --seed S --shrink      the least of it that still goes wrong
    python3 scripts/simulate.py --campaign --minutes 30    all kinds of harm, taken up where they were left

What a world is, and how something new joins it: tests/support/sim/README.md. Standard library only, like
the other scripts: the work is done by the Python of `.venv`.
"""

import os
import sys

from venv_here import ROOT, python_with


def main() -> None:
    """Exit 0 when no claim was broken, 4 when one was; a campaign has exit codes of its own, see `--help`."""
    python = python_with("dev")
    paths = os.pathsep.join(str(ROOT / one) for one in ("tests/support", "scripts", "."))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [str(python), "-m", "sim.command", *sys.argv[1:]]
    os.chdir(ROOT)
    # In the place of this process: who ends it ends what it has started.
    os.execve(python, command, environment)  # noqa: S606


if __name__ == "__main__":
    main()
