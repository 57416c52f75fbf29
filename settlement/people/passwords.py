"""Is this the password? And what is kept of one?

argon2id makes each guess slow for whoever has the database. Who has no password, or does not exist,
costs as much.
"""

from collections.abc import Callable

from argon2 import low_level
from argon2.exceptions import VerificationError

LEAST, MOST = 12, 128
_SALT_BYTES = 16
# Above OWASP's least (19 MiB, 2 times): logins are rare, and one is checked at a time.
_MEMORY_KIB, _TIMES, _LANES = 47_104, 2, 1
_NOBODYS = f"$argon2id$v=19$m={_MEMORY_KIB},t={_TIMES},p={_LANES}$" + "A" * 22 + "$" + "A" * 43


def problem_of(password: str, name: str) -> str | None:
    """Return why this cannot be somebody's password, or None."""
    if not LEAST <= len(password) <= MOST:
        return f"a password has {LEAST} to {MOST} characters"
    if not password.isprintable():
        return "a password has no control or unseen characters"
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        return "this password is among the first that are tried"
    return None


def hash_of(password: str, random_bytes: Callable[[int], bytes]) -> str:
    """Return what is kept of a password."""
    raw, salt = password.encode(), random_bytes(_SALT_BYTES)
    return low_level.hash_secret(raw, salt, _TIMES, _MEMORY_KIB, _LANES, 32, low_level.Type.ID).decode()


def fits(known: str, password: str) -> bool:
    """Whether `password` is the one that `known` was made of; `known` is empty when there is none."""
    try:
        # Replaced, not refused: half a surrogate pair is a wrong password like any other.
        raw = password.encode(errors="replace")
        right = low_level.verify_secret((known or _NOBODYS).encode(), raw, low_level.Type.ID)
    except VerificationError:
        return False
    return right and bool(known)
