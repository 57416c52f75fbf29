"""Is this a serial number (SN) as a maker prints it?

Makers are free in their choice, so little can be asked: letters, digits and a few marks. It is
unique per brand, not in the world. O and 0 are left as they are: both occur.
"""

import re

from subsidy.codes import BadCode

_SERIAL = re.compile(r"[0-9A-Z][0-9A-Z./_-]{3,39}", re.ASCII)


def read(text: str) -> str:
    """Return the number trimmed and in upper case. Raises BadCode.

    >>> read(" ab-12345 ")
    'AB-12345'
    """
    found = text.strip(" \t\r\n")
    # Upper case is for ASCII letters only: "ß".upper() is two letters that nobody printed.
    if not found.isascii() or _SERIAL.fullmatch(found.upper()) is None:
        raise BadCode("a serial number has 4 to 40 letters, digits or . / _ -")
    return found.upper()
