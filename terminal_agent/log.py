"""What does the agent write to its log?

JSON lines on standard error: an event's name and fields. Every text passes `masking.scrub`, so that
a card, identity or phone number that slipped into a field does not stay there. What libraries warn of
goes the same way: by themselves they would write it as it is. A log that cannot be written stops nobody.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from subsidy.masking import scrub

Log = Callable[..., None]

_LIBRARIES = ("apscheduler", "asyncio", "litestar", "urllib3", "uvicorn")


def make_log() -> Log:
    """Return the function that writes one event."""
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrub_all,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )

    def log(event: str, **fields: Any) -> None:
        # A full disk, or a pipe that nobody reads any more: no worker may end of it, and unseen at that.
        with suppress(OSError, ValueError):
            logger.info(event, **fields)

    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers = [_FromLibraries(log)]
        library.propagate = False
        library.setLevel(logging.WARNING)
    return log


class _FromLibraries(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            self._log(record.name, message=record.getMessage(), exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


def _scrub_all(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: scrub(value) if isinstance(value, str) else value for key, value in event.items()}
