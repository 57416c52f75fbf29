"""How do tests run `catalog-sync policy`, and of which purchases do they ask it?"""

import os
import subprocess
import sys

import policy_cases
from typer.testing import CliRunner

from catalog_sync.cli import app

SHIPPED = str(policy_cases.POLICIES)
FACTS = {
    "sold_at": "2026-03-01T10:00:00+08:00",
    "programme": "JS-321200",
    "region": "321202",
    "category": "FRIDGE",
    "energy_level": 1,
    "initial_price_fen": 459900,
    "merchant_discount_fen": 60000,
    "filed_price_fen": 459900,
    "used_in_category": 0,
    "fund_left_fen": 100000000,
}
PHONE = {
    "sold_at": "2026-03-01T10:00:00+08:00",
    "programme": "JS-321200",
    "category": "PHONE",
    "initial_price_fen": 600001,
}


def run(*arguments: str):
    """Run a command in this process."""
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


def program(
    *arguments: str | bytes, sent: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process of its own, `sent` to its stdin."""
    return subprocess.run(
        [sys.executable, "-c", "from catalog_sync.cli import main; main()", "policy", *arguments],
        capture_output=True,
        input=sent,
        cwd=policy_cases.ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )
