"""Tell the story of a subsidised sale with real programs on this machine.

    python3 scripts/demo.py                        installs into .venv, tells it, serves until Ctrl-C
    python3 scripts/demo.py --once --report FILE   the same without serving; FILE gets the figures

Standard library only: everything else is in `scripts/story/`, run by the Python of `.venv`.
"""

import os
import signal
import subprocess
import sys

from venv_here import ROOT, python_with


def main() -> int:
    """Return the story's exit code: 0 only when every claim held."""
    python = python_with("agent,settlement")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    # Where the caller is, whose paths are from there: -P keeps what lies there from being imported.
    # In a session of its own, so that Ctrl-C reaches it once, through us, and it can clean up in peace.
    story = subprocess.Popen(
        [str(python), "-P", "-m", "story.tell", *sys.argv[1:]], env=environment, start_new_session=True
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: story.terminate())
    return story.wait()


if __name__ == "__main__":
    sys.exit(main())
