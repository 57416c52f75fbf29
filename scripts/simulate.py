"""Try seeds: whole worlds of shops, centre and terminals in one process, with faults, on their own time.

    python3 scripts/simulate.py --seeds 2000 [--from S] [--workers 2]
    python3 scripts/simulate.py --seed S --trace       one seed again, exactly, told line by line
    python3 scripts/simulate.py --seed S --shrink      the least of it that still goes wrong

What a world is, and how something new joins it: tests/support/sim/README.md. Standard library only, like
the other scripts: the work is done by the Python of `.venv`.
"""

import os
import subprocess
import sys

from venv_here import ROOT, python_with


def main() -> int:
    """Return 0 when no claim was broken, else 4."""
    python = python_with("dev")
    paths = os.pathsep.join(str(ROOT / one) for one in ("tests/support", "scripts", "."))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [str(python), "-m", "sim.command", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
