"""Which keys does a merchant sign with at WeChat Pay, and whose signatures does it believe, at present?

A certificate is known by the serial number that stands in it, a bare public key (PUB_KEY_ID_...) by its name
in the profile. Files are read again when they change, and so is the part of the profile that names them: keys
and certificates rotate without a restart. Our key counts only together with its own certificate.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from terminal_agent.channels.certificates import Certificates
from terminal_agent.channels.key_files import (
    CERTIFICATE,
    Reread,
    certificates_in,
    content_of,
    private_key,
    public_key,
    rsa_key_of,
    stamps_of,
    trouble_with,
)


class Keys(msgspec.Struct, frozen=True):
    """Our private key with its certificate's serial number, and the other side's keys by their ids."""

    serial: str
    private: RSAPrivateKey
    platform: Mapping[str, RSAPublicKey]

    def __repr__(self) -> str:
        return f"Keys(serial={self.serial!r}, platform={sorted(self.platform)})"


class KeyPlaces(msgspec.Struct, frozen=True):
    """Where one merchant's keys are, by its profile. The names in `platform` count for bare keys only."""

    private_key: Path
    certificate: Path
    platform: Mapping[str, Path]

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.private_key, self.certificate, *self.platform.values())

    @property
    def certificates(self) -> Certificates:
        """Those of them that may run out. Of WeChat Pay's, an old one may stand beside a new one."""
        theirs = {f"platform key {name}": file for name, file in self.platform.items()}
        return Certificates({"certificate": self.certificate}, (theirs,))


class KeyFiles(Reread[Keys]):
    """The keys of one merchant, whose files are where `places` says at present."""

    def __init__(self, places: Reread[KeyPlaces]) -> None:
        self._places = places
        super().__init__(lambda: (places.current(), stamps_of(places.current().files)), self._read_all)

    def current(self) -> Keys:
        """Return what the files hold now. Raises KeyTrouble when they were never usable."""
        found = super().current()
        self.problem = self.problem or self._places.problem
        return found

    def _read_all(self) -> Keys:
        places = self._places.current()
        private, own = private_key(places.private_key), certificates_in(places.certificate)[0]
        if own.public_key() != private.public_key():
            # One of the two was replaced and the other not yet.
            raise trouble_with(places.private_key, "does not belong to the certificate beside it")
        return Keys(serial_of(own.serial_number), private, _believed(places.platform))


def serial_of(number: int) -> str:
    """Return a certificate's serial number as WeChat Pay writes it."""
    return f"{number:X}"


def _believed(files: Mapping[str, Path]) -> dict[str, RSAPublicKey]:
    """Return WeChat Pay's keys by their ids, in the order in which they stand there."""
    found: dict[str, RSAPublicKey] = {}
    for name, file in files.items():
        if CERTIFICATE in content_of(file):
            for one in certificates_in(file):
                found[serial_of(one.serial_number)] = rsa_key_of(one, file)
        else:
            found[name] = public_key(file)
    return found
