"""How are PostgreSQL's own programs run: pg_dump for a backup, pg_restore to put it back?

The password goes through the environment, where other users of the machine do not see it.
"""

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy.engine import make_url

from settlement.db.place import DatabaseDown, Postgres


def dump(place: Postgres, snapshot: str, file: Path) -> None:
    """Write what a snapshot of the database shows into `file`. Raises DatabaseDown."""
    _run(place, "pg_dump", "--format=custom", f"--snapshot={snapshot}", "--no-owner", f"--file={file}")


def put_back(file: Path, place: Postgres) -> None:
    """Put a dump into an empty database, all of it or nothing. Raises DatabaseDown."""
    _run(place, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", str(file))


def _run(place: Postgres, program: str, *words: str) -> None:
    url = make_url(place.url)
    secret = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    shown = url.set(password=None, drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(  # noqa: S603
        [_find(program), "--no-password", f"--dbname={shown}", *words],
        env=os.environ | secret,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise DatabaseDown(f"{program} failed: {said}. Nothing was kept")


def _find(program: str) -> str:
    """Return where a program lies: on the path, or where PostgreSQL says that its programs are."""
    if found := shutil.which(program):
        return found
    if pg_config := shutil.which("pg_config"):
        asked = subprocess.run(  # noqa: S603
            [pg_config, "--bindir"], capture_output=True, text=True, check=False
        )
        if found := shutil.which(program, path=asked.stdout.strip()):
            return found
    raise DatabaseDown(
        f"{program} is not installed. Install PostgreSQL's client programs (Debian: postgresql-client)"
    )
