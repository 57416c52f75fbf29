"""How does a centre come up to be served: its writer, its nights, its web application?

Apart from the centre itself, which every command opens: what serves takes longer to load than most commands.
"""

from settlement.app import Centre
from settlement.db.place import DatabaseDown
from settlement.logs import make_log, stderr_lines
from settlement.reconcile import schedule
from settlement.trail import Trail
from settlement.web.app import build_web
from settlement.web.edge import Edge
from settlement.web.quick_hold import HoldsFirst


def start_web(centre: Centre) -> HoldsFirst:
    """Start the writer, and the nights when they have an hour, and return the web application."""
    lines = stderr_lines()
    log, trail = make_log(centre.now_ms, lines), Trail(centre.now_ms, lines)
    writer = centre.writer(lambda wrong: log.error("writer.failed", exc_info=wrong), trail.committed)
    if (item := centre.restored()) is not None:
        log.warning("books.restored", detail=item.detail, next_step=item.next_step)
    if centre.registers is not None:
        try:
            centre.enter_registers()
        except DatabaseDown as wrong:
            # Entered it was; what is paid meanwhile must still be taken in.
            log.error("register.down", why=str(wrong))
    night_at = centre.settings.night_at
    parts = None if night_at is None else centre.night_parts(writer.submit)
    writer.start()
    if parts is not None and night_at is not None:
        hour = night_at
        schedule.start(hour, lambda: schedule.run_due_nights(parts, hour, log))
    setting = centre.setting()
    return build_web(
        Edge(
            engine=centre.engine,
            keys=centre.keys,
            setting=lambda: setting,
            writer=writer,
            now_ms=centre.now_ms,
            packs=centre.packs(),
            log=log,
            trail=trail,
            night_at=night_at,
            holds_per_device_s=centre.settings.holds_per_device_s,
            sources=centre.sources(),
            registers=centre.registers,
        )
    )
