"""How are a device's entries chained, so that none can be dropped or put in between unseen?"""

from subsidy.seal import sha256_hex

GENESIS = "0" * 64


def entry_hash(device: str, epoch: int, seq: int, prev: str, body: bytes) -> str:
    """Return the hash (hex) of entry `seq` of a device, over its body and the hash before it."""
    head = f"tradein.entry.v1\n{device}\n{epoch}\n{seq}\n{prev}\n"
    return sha256_hex(head.encode() + body)
