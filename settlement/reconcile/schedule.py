"""How are nights run beside the service?

APScheduler only triggers: at the hour, each hour after it, and when the service comes up; a late trigger is
run, once. Which nights are due is in the table.
"""

import datetime
from collections.abc import Callable

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from settlement.db.connection import reading
from settlement.logs import Log
from settlement.reconcile.due import NOT_LATE, due
from settlement.reconcile.lock import NightUnderWay
from settlement.reconcile.register import OtherBytes
from settlement.reconcile.run import NightParts, NightRefused, run_night
from subsidy.calendar import SHANGHAI
from subsidy.strict.yaml_text import FileError


def start(night_at: datetime.time, run_due: Callable[[], None]) -> None:
    """Start the triggers; they end with the process."""
    scheduler = BackgroundScheduler(
        timezone=SHANGHAI, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )
    at_the_hour = CronTrigger(hour=night_at.hour, minute=night_at.minute, timezone=SHANGHAI)
    again = IntervalTrigger(hours=1, timezone=SHANGHAI)
    scheduler.add_job(run_due)
    scheduler.add_job(run_due, OrTrigger([at_the_hour, again]))
    scheduler.start()


def run_due_nights(parts: NightParts, night_at: datetime.time, log: Log) -> None:
    """Run every night that is due, the oldest first. What fails is logged, and is due again."""
    with reading(parts.engine) as connection:
        days = due(connection, night_at, parts.now_ms(), NOT_LATE)
    for day in days:
        try:
            night = run_night(parts, day)
        # One bad day does not keep the others waiting.
        except (FileError, NightRefused, NightUnderWay, OtherBytes, TimeoutError) as wrong:
            log.error("night.refused", day=day, problem=str(wrong))
            continue
        except Exception as wrong:
            log.error("night.failed", day=day, exc_info=wrong)
            continue
        log.info(
            "night.run",
            day=day,
            exit_code=night.exit_code,
            complete=night.report.complete,
            matched=night.report.matched,
            differences=len(night.report.differences),
        )
