"""How does an operator's program get its API token, and what is kept of it?"""

import base64
from collections.abc import Callable

from sqlalchemy import Connection, func, insert, select

from settlement.db import tables
from subsidy.seal import sha256_hex

_BYTES = 32


def token_hash(token: str) -> str:
    """Return what is stored of a token."""
    return sha256_hex(token.encode())


def make_token(connection: Connection, name: str, random_bytes: Callable[[int], bytes], now_ms: int) -> str:
    """Store a new token's hash and return the token, which nobody can read again."""
    token = base64.urlsafe_b64encode(random_bytes(_BYTES)).decode().rstrip("=")
    row = {"token_hash": token_hash(token), "name": name, "made_ms": now_ms}
    connection.execute(insert(tables.api_token).values(row))
    return token


def has_any(connection: Connection) -> bool:
    """Whether a token has been made before."""
    return bool(connection.execute(select(func.count()).select_from(tables.api_token)).scalar_one())
