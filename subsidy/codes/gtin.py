"""Is this a product's bar code number (GTIN; in China the 69-code)?

GS1 General Specifications: 8, 12, 13 or 14 digits, the last a mod-10 check digit. Goods made
elsewhere have other prefixes than 69: whether one is covered is the product library's word.
"""

from stdnum import ean

from subsidy.codes import BadCode
from subsidy.strict.digits import is_digits


def read(text: str) -> str:
    """Return the number as 13 digits (8 stay 8). Raises BadCode.

    >>> read("6901234567892")
    '6901234567892'
    >>> read("036000291452")
    '0036000291452'
    """
    if not is_digits(text, 8, 14) or len(text) not in (8, 12, 13, 14):
        raise BadCode("a bar code number has 8, 12, 13 or 14 digits")
    if not ean.is_valid(text):
        raise BadCode("the bar code's check digit is wrong; scan it again")
    if len(text) == 14:
        if not text.startswith("0"):
            raise BadCode("this is the bar code of a case, not of one item")
        return text[1:]
    return text.rjust(13, "0") if len(text) == 12 else text
