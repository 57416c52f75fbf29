"""When is the outbox looked at, when are overdue holds closed, and when is the journal looked at?

APScheduler only triggers. A late trigger is run, once: its default drops jobs that are a second late.
"""

from collections.abc import Callable
from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler

HOUSEKEEPING_EVERY_S = 1.0
CHECK_EVERY_S = 600.0


def start(
    sync_every_s: float,
    nudge_sync: Callable[[], None],
    housekeeping: Callable[[], None],
    check: Callable[[], None],
) -> None:
    """Start the triggers; they end with the process."""
    scheduler = BackgroundScheduler(
        timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )
    scheduler.add_job(nudge_sync, "interval", seconds=sync_every_s)
    scheduler.add_job(housekeeping, "interval", seconds=HOUSEKEEPING_EVERY_S)
    scheduler.add_job(check, "interval", seconds=CHECK_EVERY_S)
    scheduler.start()
