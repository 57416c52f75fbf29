"""Ask the centre what nobody would ask: requests made up from its own description, on both databases.

    python3 scripts/fuzz_centre.py --examples 300

Every run of the tests asks a few; this asks as many of each address, right ones and wrong ones. It ends in
pytest's own summary, and with 1 when an answer was a fault of ours, was not described, or said no and changed
something. What it finds stands there as a request that can be sent again.
"""

import argparse
import os
import subprocess
import sys

from venv_here import ROOT, python_with


def main() -> int:
    """Return pytest's exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--examples", type=int, default=100, help="of each address, right and wrong")
    chosen = arguments.parse_args()
    environment = {**os.environ, "FUZZ_EXAMPLES": str(chosen.examples)}
    command = [str(python_with("dev")), "-m", "pytest", "-q", "tests/settlement/web/test_fuzz.py"]
    return subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
