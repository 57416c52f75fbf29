"""Which command says what needs people now?"""

import msgspec

from settlement.alarms.kinds import Alarm
from settlement.alarms.look import alarms as look
from settlement.app import open_centre
from settlement.config import read_settings
from settlement.console import Config, Json, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.people.acting import Task
from settlement.people.roles import Permission
from subsidy import calendar


def alarms(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Say what needs people now, since when, and what to do. Exit 4 when anything does.

    Example:

        settlement alarms --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        now_ms = centre.now_ms()
        lag_target_s = centre.setting().lag_target_s(now_ms)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "alarms"), token_file),
            reading(centre.engine) as connection,
        ):
            night_at, sources = centre.settings.night_at, centre.sources()
            found = look(connection, centre.pack, night_at, lag_target_s, now_ms, sources)
        lines = [line for one in found for line in _told(one)] or ["nothing needs you"]
        return Shown({"alarms": msgspec.to_builtins(found)}, lines, 4 if found else 0)

    run(work, json)


def _told(one: Alarm) -> list[str]:
    since = ""
    if one.since_ms is not None:
        since = f", since {calendar.from_ms(one.since_ms).strftime('%Y-%m-%d %H:%M')}"
    more = ", ..." if one.count > len(one.about) else ""
    return [
        f"{one.severity.upper()} {one.code}  {one.zh} {one.en}",
        f"  {one.count}{since}: {', '.join(one.about)}{more}",
        f"  next  {one.next_zh} {one.next_en}",
    ]
