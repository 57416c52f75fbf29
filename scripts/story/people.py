"""Who are the two people of the story: one proposes that money moves, another approves it?

The first is an administrator, who gives the roles and moves nothing. Each logs in with a password and the
code that a phone's app would show.
"""

import base64
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from story.processes import run


@dataclass
class People:
    """The tokens under which the two act."""

    proposer: str
    approver: str


def add_people(folder: Path, config: list[str]) -> People:
    """Add an administrator and the two, and let each make a token."""
    administrator = _add(folder, config, "wang", "--first", token="")
    proposer = _add(folder, config, "zhao", "--role", "operations", token=administrator)
    return People(proposer, _add(folder, config, "li", "--role", "approver", token=administrator))


def code(address: str) -> str:
    """Return what a phone's app shows now for an `otpauth:` address (RFC 6238)."""
    secret = parse_qs(urlsplit(address).query)["secret"][0]
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, (int(time.time()) // 30).to_bytes(8), "sha1")
    cut = int.from_bytes(mac[mac[-1] & 15 :][:4]) & 0x7FFF_FFFF
    return f"{cut % 1_000_000:06d}"


def _add(folder: Path, config: list[str], name: str, *words: str, token: str) -> str:
    # In letters in which no name here could stand by chance.
    password = secrets.token_hex(16)
    add = ["settlement", "users", "add", name, *words, *config, "--json"]
    made = json.loads(run(folder, add, typed=f"{password}\n", token=token))
    new = ["settlement", "token", "new", "demo", "--user", name, *config, "--json"]
    typed = f"{password}\n{code(made['second_factor'])}\n"
    return str(json.loads(run(folder, new, typed=typed))["token"])
