"""Run a bench and print one ratio, with both sides measured in the same run.

    python3 bench/run.py holds --json
    python3 bench/run.py --list

A bench never asserts a time: it prints `{"name", "ratio", "better", "against", "figures"}`.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

BENCHES = {
    "holds": "holds/s over HTTP on PostgreSQL, 32 in flight, against pgbench TPC-B at scale 50",
    "overload": "p99 of holds accepted at five times the rate that can be done, against the usual p99",
    "rebuild": "events/s of `settlement ledger rebuild` against how fast the same events were written",
    "relay": "ms that a frame arrives later at p99 through the relay than over a direct connection",
    "growth": "CPU time per hold at the largest history against the smallest",
    "iso8583": "the smaller of encode and decode rate against bare pyiso8583",
}
# Where a file of the bench's own name would stand in the way of a package.
FILES = {"iso8583": "iso8583_codec"}


def main() -> int:
    """Return 0, or 2 when there is no such bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--list", action="store_true", help="the benches")
    parser.add_argument("--quick", action="store_true", help="small enough for a look, too small to quote")
    parser.add_argument(
        "--sync-ms", type=float, default=0, help="holds: on memory, each sync taking this long, to repeat"
    )
    parser.add_argument("--most", type=int, default=0, help="growth: the largest history")
    asked = parser.parse_args()
    if asked.list or asked.name is None:
        for name, text in BENCHES.items():
            print(f"{name:<10}{text}")
        return 0
    in_venv()
    result = importlib.import_module(FILES.get(asked.name, asked.name)).run(asked)
    if asked.json:
        print(json.dumps(result))
    else:
        print(f"{result['name']}: {result['ratio']} of {result['against']} ({result['better']} is better)")
        for key, value in result["figures"].items():
            print(f"  {key:<40}{value}")
    return 0


def in_venv() -> None:
    """Go on in the checkout's own environment, which has what the benches need."""
    import os

    from venv_here import python_with

    python = python_with("dev")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
