"""How is the MAC of a message made, in each way that acquirers ask for?

A MAC is made over the bytes from the MTI to the last field before field 64, in whose bitmap bit 64 is set
already, without TPDU and header. All functions take (key, data) and return the 8 bytes of field 64. Ciphers
and modes are the acquirers' choice, not ours.
"""

import hmac
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from terminal_agent.iso8583.faults import KeyFault, MessageFault

MacOf = Callable[[bytes, bytes], bytes]

Seal = Callable[[bytes], bytes]
"""Make the 8 bytes of field 64 from what the MAC is made over, with a key that only it knows."""

_MAC_BYTES = 8
_FIRST_BYTE_OF_64, _BIT_64 = 9, 1  # the last byte of the bitmap, and the bit in it


def cup(key: bytes, data: bytes) -> bytes:
    """UnionPay's MAC with a single DES key of 8 bytes: the blocks are XORed, then enciphered as hex text."""
    _expect(key, 8)
    return _of_hex_text(lambda block: _des(key, block), data, 8)


def cup_3des(key: bytes, data: bytes) -> bytes:
    """The same with a triple DES key of 16 bytes."""
    _expect(key, 16)
    return _of_hex_text(lambda block: _des(key, block), data, 8)


def cup_sm4(key: bytes, data: bytes) -> bytes:
    """The same with an SM4 key of 16 bytes, over blocks of 16 bytes."""
    _expect(key, 16)

    def sm4(block: bytes) -> bytes:
        step = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305
        return step.update(block) + step.finalize()

    return _of_hex_text(sm4, data, 16)


def x919(key: bytes, data: bytes) -> bytes:
    """ANSI X9.19 (ISO 9797-1 algorithm 3) with a key of 16 bytes: the last block of a chain, then D and E."""
    _expect(key, 16)
    left, right = key[:8], key[8:]
    chain = Cipher(_triple(left), modes.CBC(bytes(8))).encryptor()
    last = (chain.update(_padded(data, 8)) + chain.finalize())[-8:]
    back = Cipher(_triple(right), modes.ECB()).decryptor()  # noqa: S305
    return _des(left, back.update(last) + back.finalize())


MACS: Mapping[str, MacOf] = {"cup": cup, "cup_3des": cup_3des, "cup_sm4": cup_sm4, "x919": x919}


def cut_mac(body: bytes) -> tuple[bytes, bytes]:
    """Return what the MAC of a message is made over, and the MAC it carries. Raises MessageFault."""
    if len(body) < 10 + _MAC_BYTES or not body[_FIRST_BYTE_OF_64] & _BIT_64:
        raise MessageFault("field 64", "the message carries no MAC")
    return body[:-_MAC_BYTES], body[-_MAC_BYTES:]


def fits(seal: Seal, body: bytes) -> bool:
    """Whether the MAC that a message carries is the one that `seal` makes. Raises MessageFault."""
    data, mac = cut_mac(body)
    return hmac.compare_digest(seal(data), mac)


def _of_hex_text(encipher: Callable[[bytes], bytes], data: bytes, size: int) -> bytes:
    padded = _padded(data, size)
    blocks = (int.from_bytes(padded[at : at + size]) for at in range(0, len(padded), size))
    text = reduce(xor, blocks).to_bytes(size).hex().upper().encode()
    first = encipher(text[:size])
    mixed = int.from_bytes(first) ^ int.from_bytes(text[size:])
    return encipher(mixed.to_bytes(size)).hex().upper().encode()[:_MAC_BYTES]


def _padded(data: bytes, size: int) -> bytes:
    """Return `data`, which is never empty, filled up with zero bytes to whole blocks."""
    assert data
    return data + bytes(-len(data) % size)


def _des(key: bytes, block: bytes) -> bytes:
    step = Cipher(_triple(key), modes.ECB()).encryptor()  # noqa: S305
    return step.update(block) + step.finalize()


def _triple(key: bytes) -> TripleDES:
    """Return the cipher for a key of 8 bytes, which is single DES, or 16."""
    return TripleDES((key * 3)[:24])


def _expect(key: bytes, size: int) -> None:
    if len(key) != size:
        raise KeyFault("key", f"{len(key)} bytes, where this MAC takes {size}")
