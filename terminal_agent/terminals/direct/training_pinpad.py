"""How does the pinpad for training behave, which stands in for a real one where no money moves?

It holds a published test key and one made-up card, "reads" that at once, and is refused outside training. Its
counter is on disk like a real one's: a number given out is never given out again, not even after a power cut.
"""

import os
from functools import partial
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from subsidy.strict.digits import read_count
from terminal_agent.iso8583.mac import MACS
from terminal_agent.terminals.direct.pinpad import CardData, PinpadFault, Read, Use

_MASTER_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_CARD = "6299998473651209384"
_PIN = "246810"
_LAST_TRACE = 999_999
_STEP = 50  # so many numbers are set aside on disk at once
_DOUBLE_BLOCK, _CHECK = 40, 4
_SINGLE_DES = 8


class TrainingPinpad:
    """Fits `Pinpad`. `memory` is the file of its counter, made when it is not there."""

    def __init__(self, memory: Path, mac: str) -> None:
        self._memory = memory
        self._mac = mac
        self._mak: bytes | None = None
        self._pik: bytes | None = None
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
        """Take a PIN key of 16 bytes and a MAC key, each with its check value, from a block of 40."""
        self._mak = self._pik = None
        if len(block) != _DOUBLE_BLOCK:
            return False
        half = _DOUBLE_BLOCK // 2
        pik, mak = (_decipher(part[:-_CHECK]) for part in (block[:half], block[half:]))
        mak = mak[:_SINGLE_DES] if self._mac == "cup" else mak
        checks = (_encipher(key, bytes(8))[:_CHECK] for key in (pik, mak))
        if tuple(checks) != (block[half - _CHECK : half], block[-_CHECK:]):
            return False
        self._pik, self._mak = pik, mak
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
        return CardData(
            {
                "2": _CARD,
                "14": "3012",
                "22": "021",
                "26": "12",
                "35": f"{_CARD}D3012520100000000",
                "52": _encipher(self._pik, _pin_block()).hex().upper(),
                "53": "2600000000000000",
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


def _decipher(data: bytes) -> bytes:
    step = Cipher(TripleDES((_MASTER_KEY * 2)[:24]), modes.ECB()).decryptor()  # noqa: S305
    return step.update(data) + step.finalize()


def _encipher(key: bytes, data: bytes) -> bytes:
    step = Cipher(TripleDES((key * 3)[:24]), modes.ECB()).encryptor()  # noqa: S305
    return step.update(data) + step.finalize()
