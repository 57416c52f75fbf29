"""Does an administrative division (GB/T 2260) lie in another?

Six digits in three segments: province, city, county. A code whose later segments are 00 stands for
the whole province or city.
"""

from subsidy.codes import BadCode
from subsidy.strict.digits import is_digits


def read(text: str) -> str:
    """Return the six digits. Raises BadCode. Withdrawn codes are valid: people and shops keep them."""
    if not is_digits(text, 6, 6) or text.startswith("0"):
        raise BadCode("a division code has 6 digits, as in 321202")
    return text


def covers(area: str, region: str) -> bool:
    """Whether `region` is `area` or lies in it, compared segment by segment.

    What is no division code lies nowhere.

    >>> covers("321200", "321202"), covers("321202", "321200"), covers("321200", "3212")
    (True, False, False)
    """
    if not is_digits(region, 6, 6):
        return False
    for segment in (slice(0, 2), slice(2, 4), slice(4, 6)):
        if area[segment] == "00":
            return True
        if area[segment] != region[segment]:
            return False
    return True
