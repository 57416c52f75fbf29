"""Is this a resident identity number (GB 11643)?

6 digits of region, 8 of birth date, 3 of sequence, 1 check character. python-stdnum's
`cn.ric.validate` is not used: it asks that the county existed in the year of birth and so refuses
real people, among them everybody with a Taizhou code born before 1996 (python-stdnum issue 442).
The region is information, never a reason to refuse.
"""

import datetime
import re

from stdnum.cn import ric

from subsidy.codes import BadCode

_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]", re.ASCII)


def read(text: str, today: datetime.date) -> str:
    """Return the 18 characters, X in upper case. Raises BadCode, which never holds the number."""
    found = text.strip().upper() if text.isascii() else ""
    if _SHAPE.fullmatch(found) is None:
        raise BadCode("an identity number has 17 digits and a digit or X")
    try:
        born = datetime.datetime.strptime(found[6:14], "%Y%m%d").date()
    except ValueError:
        raise BadCode("the identity number's birth date does not exist") from None
    if not datetime.date(1870, 1, 1) <= born <= today:
        raise BadCode("the identity number's birth date cannot be")
    if ric.calc_check_digit(found) != found[17]:  # which itself leaves the last character out
        raise BadCode("the identity number's check character is wrong")
    return found
