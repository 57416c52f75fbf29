"""Is this a unified social credit code (GB 32100), the number of a legal merchant?"""

from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from subsidy.codes import BadCode


def read(text: str) -> str:
    """Return the 18 characters in upper case. Raises BadCode.

    >>> read("91110000600037341L")
    '91110000600037341L'
    """
    if not text.isascii() or not text.isalnum():
        raise BadCode("a unified social credit code has 18 digits and letters")
    try:
        return str(uscc.validate(text))
    except ValidationError:
        raise BadCode("the unified social credit code's check character or length is wrong") from None
