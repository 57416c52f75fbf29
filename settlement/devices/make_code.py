"""How does shop IT get the one-time code that makes a host a device?"""

import base64
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, insert

from settlement.db import tables
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Shop
from subsidy.seal import sha256_hex

_BYTES = 16


class MadeCode(msgspec.Struct, frozen=True):
    """A code as it is handed over, once: only its hash is stored."""

    code: str
    shop: str
    shop_name: str
    expires_ms: int


def make_code(
    connection: Connection,
    shop: str,
    kid: str,
    valid_ms: int,
    random_bytes: Callable[[int], bytes],
    now_ms: int,
) -> MadeCode | None:
    """Store a new code for `shop` and return it, or None when there is no such shop.

    The code ends with the id of the centre's key: the host takes no other centre's answer.
    """
    rows = Rows()
    store.load(connection, [(Shop, (shop,))], rows)
    found = rows.get(Shop, shop)
    if found is None:
        return None
    secret = base64.b32encode(random_bytes(_BYTES)).decode().rstrip("=")
    code = f"{secret}-{kid}"
    row = {
        "code_hash": sha256_hex(code.encode()),
        "shop": shop,
        "expires_ms": now_ms + valid_ms,
        "used_by": None,
    }
    connection.execute(insert(tables.enrol_code).values(row))
    return MadeCode(code, shop, found.name, now_ms + valid_ms)
