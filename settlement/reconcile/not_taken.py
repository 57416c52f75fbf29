"""Which files lie in their places that are not those on record?

No night takes another file by itself, and of a day whose night was complete none is run any more: people have
to be told of a corrected one.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from settlement.reconcile import register
from settlement.reconcile.config import NightConfig
from settlement.reconcile.incoming import lying


def not_taken(connection: Connection, config: NightConfig, days: Sequence[str]) -> Iterator[str]:
    """Yield each file of `days` (the oldest first) that is not the one on record: day, source and name."""
    on_record = register.counting(connection, since=days[0]) if days else {}
    for day in days:
        for source in config.sources.values():
            taken = on_record.get((source.name, day))
            here = None if taken is None else lying(config.files, source, day)
            if here is None or taken is None:
                continue
            if (here.sha256, here.is_none) != (taken.sha256, taken.is_none):
                yield f"{day} {source.name}: {here.name}"
