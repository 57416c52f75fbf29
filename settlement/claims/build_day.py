"""How are the claims of a day built, for every merchant or one?"""

import datetime
from collections.abc import Callable

from sqlalchemy import Engine

from settlement.claims.build import BuildClaim
from settlement.claims.read_claims import merchants_to_claim
from settlement.db.connection import reading
from settlement.writer.step import Answer, Claimed
from subsidy import calendar


def build_day(
    engine: Engine, day: datetime.date, merchant: str | None, ask: Callable[[BuildClaim], Answer], again: bool
) -> list[Claimed]:
    """Ask for the claims of `day`, each committed on its own, and return what became of each merchant.

    Args:
        engine: where the merchants are looked up.
        day: the day, in Shanghai, up to whose end sales are claimed.
        merchant: the one merchant, or None for all.
        ask: gives a command to the writer; it raises what is denied.
        again: whether to go on while a merchant has more than one claim takes; not for a dry run.
    """
    if merchant is not None:
        merchants = [merchant]
    else:
        with reading(engine) as connection:
            merchants = merchants_to_claim(connection, calendar.end_ms(day))
    built = []
    for one in merchants:
        more = True
        while more:
            answer = ask(BuildClaim(one, day))
            assert isinstance(answer, Claimed)
            built.append(answer)
            more = answer.more and again
    return built
