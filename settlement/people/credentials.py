"""Under which token does a command run, and whose account does it run under without one?

Whoever can read the centre's keys and database is the service's account: without a token a command runs as
that, and is audited as `os:` and its name.
"""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from subsidy.strict.yaml_text import FileError

TOKEN_VARIABLE = "SETTLEMENT_TOKEN"  # noqa: S105  # a name, not a token
TOKEN_FILE_VARIABLE = "SETTLEMENT_TOKEN_FILE"  # noqa: S105


def token_given(file: Path | None, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the token in `file`, else in the environment, else None. Raises FileError."""
    if file is None:
        return (os.environ if environment is None else environment).get(TOKEN_VARIABLE) or None
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as wrong:
        raise _wrong(file, f"cannot be read ({wrong.strerror})") from None
    except UnicodeDecodeError:
        raise _wrong(file, "is not a token") from None
    if not token:
        raise _wrong(file, "is empty")
    return token


def name_of_account() -> str:
    """Return the name of the account that this process runs under."""
    number = os.getuid()
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"os:{number}"


def _wrong(file: Path, problem: str) -> FileError:
    return FileError(str(file), 1, "", problem, "Put a token in it, one line, or leave --token-file out")
