"""Run every check and test, on a machine that has Python 3.11 and nothing else of ours.

    python3 scripts/test.py [pytest arguments]

Without arguments: ruff, mypy --strict, the import contracts, then all tests; ends in pytest's own
summary. With arguments they go to pytest alone.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from venv_here import ROOT, install_system, python_with

CHECKS = (
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("lint", ["-m", "ruff", "check", "."]),
    ("types", ["-m", "mypy"]),
    ("contracts", ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]),
    # The workers find compiled what this has compiled: each would do it for itself.
    ("collection", ["-m", "pytest", "--collect-only", "-q"]),
)
# A file's tests share a shop or a centre, so they stay on one worker; which file begins when is decided in
# tests/support/slow_first.py. Half of the time tests wait, so there are more workers than processors.
EVERYTHING = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
ROOM = 8 << 30


def main() -> int:
    """Return pytest's exit code, or 1 when a check before it failed."""
    # Programs that tests start again and again are compiled once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    arguments, failed = sys.argv[1:], []
    missing = _missing_packages()
    # To fetch them is mostly to wait; no check needs them.
    with ThreadPoolExecutor(1) as beside:
        fetched = beside.submit(install_system, *missing) if missing else None
        python = str(python_with("dev"))
        if not arguments:
            failed = _failed_checks(python)
        if fetched is not None:
            fetched.result()
    if arguments:
        return _run_tests(python, arguments)
    print("== tests", flush=True)
    with _place_for_files() as place:
        os.environ["TMPDIR"] = str(place)
        tests = _run_tests(python, EVERYTHING)
    if failed:
        print(f"failed before the tests: {', '.join(failed)}", file=sys.stderr)
        return 1
    return tests


def _run_tests(python: str, arguments: list[str]) -> int:
    return subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode


def _failed_checks(python: str) -> list[str]:
    """Run the checks beside each other, show what those say that fail, and return which they are."""
    begun = {
        name: subprocess.Popen(
            [python, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name, command in CHECKS
    }
    failed = []
    for name, check in begun.items():
        print(f"== {name}", flush=True)
        said, _ = check.communicate()
        if check.returncode != 0:
            print(said, end="", flush=True)
            failed.append(name)
    return failed


@contextlib.contextmanager
def _place_for_files() -> Iterator[Path]:
    """Give a folder for whatever tests write, in memory when there is room.

    Databases wait for the disk at every commit, and what a test writes need not outlive its run.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    with tempfile.TemporaryDirectory(prefix="tests-", dir=MEMORY if has_room else None) as place:
        os.chmod(place, 0o711)  # noqa: S103 (PostgreSQL, another user, has its own folder in it)
        yield Path(place)


def _missing_packages() -> list[str]:
    """Return what Debian has to install for the tests, or exit where only somebody else may."""
    missing = []
    # The centre's books are tested on it too.
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and not shutil.which("initdb"):
        missing += ["postgresql", "postgresql-contrib"]
    # Pages are tested as their users see them.
    if not shutil.which("chromium"):
        missing += ["chromium"]
    if missing and os.geteuid() != 0:
        sys.exit(f"The tests need PostgreSQL 15 or later and Chromium: apt-get install {' '.join(missing)}")
    if missing:
        print(f"installing {', '.join(missing)} ...", flush=True)
    return missing


if __name__ == "__main__":
    sys.exit(main())
