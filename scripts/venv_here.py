"""How does a checkout get its own Python environment? Standard library only, on any Python 3.11.

`.venv` is made once; what is installed is remembered by a mark that names setup.cfg's content, so
that a changed dependency is noticed and an unchanged one costs nothing.
"""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
_installing = threading.Lock()
"""apt refuses a second one beside it."""


def python_with(extra: str) -> Path:
    """Return the Python of `.venv` with this project and `extra` installed; install what is missing."""
    if sys.version_info[:2] < (3, 11):  # noqa: UP036 (this file is what runs on a wrong one)
        sys.exit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}")
    python = VENV / "bin" / "python"
    wanted = hashlib.sha256((ROOT / "setup.cfg").read_bytes()).hexdigest()
    for installed in (extra, "dev"):  # the developers' set has everything in it
        mark = VENV / f".installed-{installed}"
        if python.exists() and mark.exists() and mark.read_text() == wanted:
            return python
    if not python.exists():
        _make(python)
    print(f"installing tradein-subsidy[{extra}] into {VENV.name} ...", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-e", f"{ROOT}[{extra}]"], check=False)
    if done.returncode != 0:
        sys.exit("The packages could not be installed. Is a package registry reachable?")
    (VENV / f".installed-{extra}").write_text(wanted)
    return python


def _make(python: Path) -> None:
    for maker in _makers():
        made = subprocess.run([maker, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True)
        if made.returncode == 0 and python.exists():
            return
    # A bare Debian has Python without venv.
    if os.geteuid() == 0:
        install_system("python3-venv")
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
    if made.returncode != 0 or not python.exists():
        sys.exit("Python cannot make a virtual environment. Install it: apt-get install python3-venv")


def _makers() -> list[str]:
    """Return the Pythons that may make the environment, the better one first.

    The distribution's build of the running version is what hosts have, and one that was built by hand, as
    version managers do, mostly lacks its optimization: the same work took it 1.2 to 1.4 times as long.
    """
    of_the_distribution = f"/usr/bin/python3.{sys.version_info[1]}"
    if sys.executable == of_the_distribution or not os.path.exists(of_the_distribution):
        return [sys.executable]
    return [of_the_distribution, sys.executable]


def install_system(*packages: str) -> None:
    """Install Debian packages; needs root."""
    quiet = {
        "check": True,
        "stdout": subprocess.DEVNULL,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    with _installing:
        subprocess.run(["apt-get", "update", "-q"], **quiet)
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], **quiet)
