"""What do the entries of an upload say, and which of them cannot be read?

A poison entry must not block the ones behind it, so reading never fails: what cannot be taken
becomes an entry with a problem.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from subsidy import seal
from subsidy.ids import is_record_id
from subsidy.policy.facts import Facts
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1
from subsidy.wire.chain import entry_hash

MOST_ENTRY_BYTES = 256 << 10
_KIND = re.compile(r"[a-z_]{1,20}", re.ASCII)


class TakenEntry(msgspec.Struct, frozen=True):
    """One entry as read. `entry` is None when it is poison, and `problem` says why.

    `promise` is the verified promise of a paid entry, and `facts` the facts the entry itself brings.
    """

    seq: int
    prev: str
    hash: str
    body: bytes
    record_id: str | None
    kind: str
    entry: v1.Entry | None = None
    problem: str = ""
    promise: v1.Promise | None = None
    promise_payload: bytes = b""
    facts: Facts | None = None


class _Head(msgspec.Struct):
    """What is looked for in an entry that cannot be read whole."""

    record_id: str = ""
    kind: str = ""


def read_entry(
    device: str, epoch: int, chained: v1.ChainedEntry, keys: Mapping[str, Ed25519PublicKey]
) -> TakenEntry:
    """Read one entry of `device`. Never raises for what the device wrote."""
    try:
        body = base64.b64decode(chained.body, validate=True)
    except (binascii.Error, ValueError):
        body = chained.body.encode()
    digest = entry_hash(device, epoch, chained.seq, chained.prev, body)
    try:
        entry: v1.Entry = json_bytes.decode(body, cast(Any, v1.Entry), MOST_ENTRY_BYTES)
        promise, payload, facts = _of_paid(entry, keys)
    except (NotStrict, seal.NotSealed) as wrong:
        head = _head(body)
        return TakenEntry(
            seq=chained.seq,
            prev=chained.prev,
            hash=digest,
            body=body,
            record_id=head.record_id if is_record_id(head.record_id) else None,
            # A database may not keep whatever stands there, and then nothing of the shop's could come in.
            kind=head.kind if _KIND.fullmatch(head.kind) else "unreadable",
            problem=str(wrong)[:300],
        )
    return TakenEntry(
        seq=chained.seq,
        prev=chained.prev,
        hash=digest,
        body=body,
        record_id=entry.record_id,
        kind=str(entry.__struct_config__.tag),
        entry=entry,
        promise=promise,
        promise_payload=payload,
        facts=facts,
    )


def _of_paid(
    entry: v1.Entry, keys: Mapping[str, Ed25519PublicKey]
) -> tuple[v1.Promise | None, bytes, Facts | None]:
    if not isinstance(entry, v1.Paid):
        return None, b"", None
    payload = seal.unseal(entry.promise, v1.PROMISE, keys)
    promise = json_bytes.decode(payload, v1.Promise, MOST_ENTRY_BYTES)
    return promise, payload, json_bytes.decode(bytes(entry.facts), Facts)


def _head(body: bytes) -> _Head:
    try:
        return msgspec.json.decode(body, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Head()
