"""How does the pinpad for training behave, which stands in for a real one where no money moves?

It holds a published test key and one made-up card, "reads" that at once, and is refused outside training. It
takes the keys of each sign-in: DES, triple DES, and with a track key, under which the track then goes. Its
counter is on disk like a real one's: a number given out is never given out again, not even after a power cut.
"""

import os
from functools import partial
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from subsidy.strict.digits import read_count
from terminal_agent.iso8583.mac import MACS
from terminal_agent.terminals.direct.pinpad import CardData, PinpadFault, Read, Use

_MASTER_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_CARD = "6299998473651209384"
_TRACK = f"{_CARD}D3012520100000000"
_PIN = "246810"
_LAST_TRACE = 999_999
_STEP = 50  # so many numbers are set aside on disk at once
_CHECK = 4
_SLOTS = {24: (8, 8), 40: (16, 16), 60: (16, 16, 16)}  # PIN key, MAC key and track key, by the block's size
_MAC_KEYS = {"cup": 8, "cup_3des": 16, "cup_sm4": 16, "x919": 16}
_ONE_DES, _TWO_DES = "0", "6"  # in field 53


class TrainingPinpad:
    """Fits `Pinpad`. `memory` is the file of its counter, made when it is not there."""

    def __init__(self, memory: Path, mac: str) -> None:
        self._memory = memory
        self._mac = mac
        self._mak: bytes | None = None
        self._pik: bytes | None = None
        self._tdk: bytes | None = None
        self._next = 0
        self._set_aside = 0

    @property
    def is_ready(self) -> bool:
        """Whether it has session keys."""
        return self._mak is not None

    def next_trace(self) -> str:
        """Return the next number; it is set aside on disk before it is given out."""
        if self._next >= self._set_aside:
            self._next = self._recall()
            self._set_aside = self._next + _STEP
            self._store(self._set_aside)
        trace = self._next % _LAST_TRACE + 1
        self._next += 1
        return f"{trace:06d}"

    def load_keys(self, block: bytes) -> bool:
        """Take PIN key, MAC key and, from 60 bytes, track key, each with its check value after it."""
        self._mak = self._pik = self._tdk = None
        size = _MAC_KEYS[self._mac]
        slots = _SLOTS.get(len(block), ())
        if not slots or slots[1] < size:
            return False
        keys, checks, at = [], [], 0
        for slot in slots:
            keys.append(_decipher(block[at : at + slot]))
            checks.append(block[at + slot : at + slot + _CHECK])
            at += slot + _CHECK
        keys[1] = keys[1][:size]
        made = [_encipher(key, bytes(8)) for key in keys]
        if self._mac == "cup_sm4":
            made[1] = _sm4(keys[1], bytes(16))
        if [one[:_CHECK] for one in made] != checks:
            return False
        self._pik, self._mak, *more = keys
        self._tdk = more[0] if more else None
        return True

    def seal(self, data: bytes) -> bytes:
        """Return the MAC of `data`."""
        if self._mak is None:
            raise PinpadFault("The pinpad has no session keys. It must be signed in")
        return partial(MACS[self._mac], self._mak)(data)

    def read_card(self, amount_fen: int, wait_s: float) -> Read | None:
        """Read the made-up card."""
        return Read("training-1")

    def card_data(self, token: str, use: Use) -> CardData:
        """Return the made-up card, read from its stripe."""
        if use is Use.UNDO:
            return CardData({"2": _CARD, "14": "3012", "22": "021"})
        if self._pik is None:
            raise PinpadFault("The pinpad has no session keys. It must be signed in")
        algorithm = _ONE_DES if len(self._pik) == _SLOTS[24][0] else _TWO_DES
        return CardData(
            {
                "2": _CARD,
                "14": "3012",
                "22": "021",
                "26": "12",
                "35": _TRACK if self._tdk is None else _hidden_track(self._tdk),
                "52": _encipher(self._pik, _pin_block()).hex().upper(),
                "53": f"2{algorithm}{0 if self._tdk is None else 1}".ljust(16, "0"),
            }
        )

    def _recall(self) -> int:
        try:
            return read_count(self._memory.read_text("ascii"), 1 << 62)
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            raise PinpadFault(f"The training pinpad's memory {self._memory} is damaged. Delete it") from None

    def _store(self, count: int) -> None:
        beside = self._memory.with_suffix(".new")
        try:
            with beside.open("w", encoding="ascii") as file:
                file.write(str(count))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._memory)
        except OSError as wrong:
            raise PinpadFault(
                f"The training pinpad's memory {self._memory} cannot be written ({wrong.strerror}). "
                "Give the agent a folder it may write to"
            ) from None


def _pin_block() -> bytes:
    """Return the clear PIN block (ISO 9564 format 0) of the made-up card and PIN."""
    pin = bytes.fromhex(f"0{len(_PIN)}{_PIN}".ljust(16, "F"))
    card = bytes.fromhex("0000" + _CARD[-13:-1])
    return bytes(one ^ other for one, other in zip(pin, card, strict=True))


def _hidden_track(key: bytes) -> str:
    """Return the track with the 16 digits before its last two under `key`."""
    clear = bytes.fromhex(_TRACK[-18:-2])
    return _TRACK[:-18] + _encipher(key, clear).hex().upper() + _TRACK[-2:]


def _sm4(key: bytes, block: bytes) -> bytes:
    step = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305
    return step.update(block) + step.finalize()


def _decipher(data: bytes) -> bytes:
    step = Cipher(TripleDES((_MASTER_KEY * 2)[:24]), modes.ECB()).decryptor()  # noqa: S305
    return step.update(data) + step.finalize()


def _encipher(key: bytes, data: bytes) -> bytes:
    step = Cipher(TripleDES((key * 3)[:24]), modes.ECB()).encryptor()  # noqa: S305
    return step.update(data) + step.finalize()
