"""How is a sum asked for, so that both databases answer with a whole number?"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func


def total(of: Any) -> ColumnElement[int]:
    """Return the sum of `of`, 0 over no rows. PostgreSQL's own would be a decimal number."""
    return cast(func.coalesce(func.sum(of), 0), BigInteger)
