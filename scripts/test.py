"""Run every check and test, on a machine that has Python 3.11 and nothing else of ours.

    python3 scripts/test.py [pytest arguments]

Without arguments: ruff, mypy --strict, the import contracts, then all tests; ends in pytest's own
summary. With arguments they go to pytest alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from venv_here import ROOT, install_system, python_with

CHECKS = (
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("lint", ["-m", "ruff", "check", "."]),
    ("types", ["-m", "mypy"]),
    ("contracts", ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]),
)
# A file's tests share a shop or a centre, so they stay on one worker.
EVERYTHING = ["-n", "2", "--dist", "loadfile"]


def main() -> int:
    """Return pytest's exit code, or 1 when a check before it failed."""
    python = str(python_with("dev"))
    _get_postgres()
    _get_browser()
    arguments = sys.argv[1:]
    failed = []
    if not arguments:
        for name, command in CHECKS:
            print(f"== {name}", flush=True)
            if subprocess.run([python, *command], cwd=ROOT, check=False).returncode != 0:
                failed.append(name)
    print("== tests", flush=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    asked = arguments or EVERYTHING
    tests = subprocess.run([python, "-m", "pytest", *asked], cwd=ROOT, check=False, env=environment)
    if failed:
        print(f"failed before the tests: {', '.join(failed)}", file=sys.stderr)
        return 1
    return tests.returncode


def _get_postgres() -> None:
    """Install PostgreSQL when it is not there: the centre's books are tested on it too."""
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb"):
        return
    if os.geteuid() != 0:
        sys.exit("PostgreSQL 15 or later is needed for the tests: apt-get install postgresql")
    print("installing PostgreSQL ...", flush=True)
    install_system("postgresql", "postgresql-contrib")


def _get_browser() -> None:
    """Install Chromium when it is not there: pages are tested as their users see them."""
    if shutil.which("chromium"):
        return
    if os.geteuid() != 0:
        sys.exit("Chromium is needed for the tests: apt-get install chromium")
    print("installing Chromium ...", flush=True)
    install_system("chromium")


if __name__ == "__main__":
    sys.exit(main())
