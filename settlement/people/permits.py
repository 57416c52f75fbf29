"""How does a person come to a password that two administrators have agreed on?

The proposer gives the person a code, whose hash stands in the proposal; the approver, and nobody else, lets
the person in, who says the code and types the password. So neither of the two can take the person's place.
It counts once, for as long as a proposal lasts, and not after another password was set.
"""

import base64
import hmac
from collections.abc import Callable

from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.keys import Keys
from settlement.people import users
from settlement.people.agreed import AddUser, ResetCredentials
from settlement.people.users import UserRefused
from settlement.proposals import two_people
from settlement.proposals.approve import LASTS_MS
from subsidy.seal import sha256_hex

_CODE_BYTES = 10
_NONE = "no such proposal lets this person set a password now, under this token and with this code"


def new_code(random_bytes: Callable[[int], bytes]) -> str:
    """Return a code that nobody can guess, in four groups."""
    text = base64.b32encode(random_bytes(_CODE_BYTES)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def hash_of_code(code: str) -> str:
    """Return what a proposal says of a code, however it was typed."""
    return sha256_hex("".join(code.split()).replace("-", "").upper().encode(errors="replace"))


def use(
    connection: Connection,
    proposal: str,
    name: str,
    approver: str,
    code: str,
    password: str,
    keys: Keys,
    random_bytes: Callable[[int], bytes],
    at_ms: int,
) -> bytes:
    """Set a person's password and return the secret of the new second factor. Raises UserRefused.

    It does not say which of all that must fit does not.
    """
    found = connection.execute(select(tables.proposal).where(tables.proposal.c.proposal == proposal)).first()
    c = tables.centre_user.c
    user = connection.execute(select(c.disabled_ms, c.credentials_ms).where(c.name == name)).first()
    if found is None or found.state != "APPROVED" or user is None or user.disabled_ms is not None:
        raise UserRefused(_NONE)
    command = two_people.read(found.command)
    if not isinstance(command, AddUser | ResetCredentials) or (command.name, found.decided_by) != (
        name,
        approver,
    ):
        raise UserRefused(_NONE)
    if not hmac.compare_digest(hash_of_code(code), command.code_hash):
        raise UserRefused(_NONE)
    if at_ms >= found.decided_ms + LASTS_MS or user.credentials_ms >= found.decided_ms:
        raise UserRefused(f"{proposal} has been used, is too old, or another password was set since")
    return users.set_password(connection, name, password, keys, random_bytes, proposal, at_ms)
