"""Kill the centre under load, again and again: is anything lost or doubled that it has acknowledged?

    python3 scripts/kill_centre.py --times 20 --database postgres --json

Shops sell, report and take goods back while the service is killed, or every process of its PostgreSQL server;
they ask again for what was not answered. Exit 0 when the books hold all that was acknowledged, once.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from venv_here import ROOT, python_with


def main() -> int:
    """Return 0 when everything held, 1 when not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="how often something is killed")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="of what is done and when it is killed")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    python = python_with("dev")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606
    sys.path.append(str(ROOT / "tests" / "support"))
    import killed_under_load

    found = killed_under_load.run(asked.times, asked.database, asked.seed)
    if asked.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:<22}{value}" for name, value in found.items()))
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
