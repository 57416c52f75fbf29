"""With which keys and MACs does the emulated acquirer host work, in each way that acquirers ask for?

Written from the protocol and from nothing else, as `host_wire.py` is. Keys travel under the terminals' master
key in triple DES, whatever they are for. A check value is the beginning of a block of zeros under the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

_CHECK = 4
_HEX_MAC = 8
SIGN_INS: Mapping[str, tuple[int, ...]] = {"001": (8, 8), "003": (16, 16), "004": (16, 16, 16)}
"""How many bytes the slots for the PIN key, the MAC key and the track key have, by what field 60 asks for."""

MAC_KEYS: Mapping[str, int] = {"cup": 8, "cup_3des": 16, "cup_sm4": 16, "x919": 16}
"""The MACs by their names in our profiles, and how many bytes their keys have."""

NO_MAC = "none"
"""Terminals need not sign in, and whatever stands in field 64 is taken: for one whose MAC is made up."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What one terminal was given at its sign-in: the MAC's name, its key, PIN key and track key, if any."""

    kind: str
    mak: bytes
    pik: bytes = b""
    tdk: bytes = b""

    def mac(self, data: bytes) -> bytes:
        """Return the 8 bytes of field 64."""
        return mac(self.mak, data, self.kind)

    def take(self, said: str, data: bytes) -> bool:
        """Whether these hex digits are the MAC of `data`."""
        return self.kind == NO_MAC or bytes.fromhex(said) == self.mac(data)

    def block(self, tmk: bytes, *, wrong_check: bool = False) -> str:
        """Return field 62 of the sign-in: each key under the master key, with its check value."""
        slot = max(len(self.mak), len(self.pik))
        check = _block_under(self.mak, self.kind, bytes(16 if self.kind == "cup_sm4" else 8))[:_CHECK]
        if wrong_check:
            check = bytes(one ^ 0xFF for one in check)
        text = _with_check(tmk, self.pik) + encipher(tmk, self.mak.ljust(slot, b"\0")) + check
        return (text + (_with_check(tmk, self.tdk) if self.tdk else b"")).hex().upper()

    def why_not(self, card_no: str, track: str, pin_block: str) -> str:
        """Return the code for card data that these keys do not explain, else nothing."""
        if self.pik and pin_block and not _is_pin(decipher(self.pik, bytes.fromhex(pin_block)), card_no):
            return "99"
        clear = _clear_track(self.tdk, track) if self.tdk else track
        return "" if not self.pik or not track or clear.startswith(f"{card_no}D") else "30"


def mac(key: bytes, data: bytes, kind: str = "cup") -> bytes:
    """Return the MAC of `data` that goes by this name."""
    if kind == NO_MAC:
        return bytes(_HEX_MAC)
    if kind == "x919":
        return _retail_mac(key, data)
    size = 16 if kind == "cup_sm4" else 8
    mixed = 0
    for at in range(0, len(data), size):
        mixed ^= int.from_bytes(data[at : at + size].ljust(size, b"\0"))
    text = f"{mixed:0{2 * size}X}".encode()
    first = int.from_bytes(_block_under(key, kind, text[:size])) ^ int.from_bytes(text[size:])
    return _block_under(key, kind, first.to_bytes(size)).hex().upper().encode()[:_HEX_MAC]


def encipher(key: bytes, data: bytes) -> bytes:
    """Return whole blocks under a DES key of 8 or 16 bytes, each by itself."""
    step = Cipher(TripleDES((key * 3)[:24]), modes.ECB()).encryptor()  # noqa: S305
    return step.update(data) + step.finalize()


def decipher(key: bytes, data: bytes) -> bytes:
    """Return what `encipher` was given."""
    step = Cipher(TripleDES((key * 3)[:24]), modes.ECB()).decryptor()  # noqa: S305
    return step.update(data) + step.finalize()


def _retail_mac(key: bytes, data: bytes) -> bytes:
    chain = bytes(8)
    for at in range(0, len(data), 8):
        block = data[at : at + 8].ljust(8, b"\0")
        chain = encipher(key[:8], bytes(one ^ other for one, other in zip(chain, block, strict=True)))
    return encipher(key[:8], decipher(key[8:], chain))


def _block_under(key: bytes, kind: str, block: bytes) -> bytes:
    if kind != "cup_sm4":
        return encipher(key, block)
    step = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305
    return step.update(block) + step.finalize()


def _with_check(tmk: bytes, key: bytes) -> bytes:
    return encipher(tmk, key) + encipher(key, bytes(8))[:_CHECK]


def _clear_track(tdk: bytes, track: str) -> str:
    """Return a track of which the 16 digits before the last two came under a key."""
    if len(track) < 18:
        return ""
    return track[:-18] + decipher(tdk, bytes.fromhex(track[-18:-2])).hex().upper() + track[-2:]


def _is_pin(block: bytes, card_no: str) -> bool:
    """Whether a clear block holds a PIN of 4 to 12 digits for this card."""
    account = bytes.fromhex("0000" + card_no[-13:-1].rjust(12, "0"))
    text = bytes(one ^ other for one, other in zip(block, account, strict=True)).hex().upper()
    size = int(text[1], 16)
    pin, rest = text[2 : 2 + size], text[2 + size :]
    return text[0] == "0" and 4 <= size <= 12 and pin.isdigit() and rest == "F" * len(rest)
