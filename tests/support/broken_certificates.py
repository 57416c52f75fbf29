"""Certificates that can be opened, or nearly, and hold what none may hold."""

import base64

_BEGIN, _END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
_VERSION = b"\xa0\x03\x02\x01\x02"  # 3, as every one has it


def der_of(pem: str) -> bytes:
    """Return the bytes of the first certificate in a PEM text."""
    return base64.b64decode(pem.partition(_BEGIN)[2].partition(_END)[0])


def pem_of(der: bytes) -> str:
    """Return a certificate in PEM."""
    return _BEGIN + base64.encodebytes(der).decode("ascii") + _END


def of_no_known_version(pem: str) -> str:
    """Return a certificate that says to be of version 111."""
    assert _VERSION in der_of(pem)
    return pem_of(der_of(pem).replace(_VERSION, _VERSION[:-1] + b"\x6e", 1))


def with_a_broken_name(pem: str) -> str:
    """Return a certificate whose names are no text."""
    # The type of each text in the names, UTF-8, becomes one that no name has.
    return pem_of(der_of(pem).replace(b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x05"))
