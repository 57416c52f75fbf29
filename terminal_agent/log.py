"""What does the agent write to its log?

JSON lines on standard error: an event's name and fields. Every text passes `masking.scrub`, so that
a card, identity or phone number that slipped into a field does not stay there.
"""

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from subsidy.masking import scrub

Log = Callable[..., None]


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
        logger.info(event, **fields)

    return log


def _scrub_all(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: scrub(value) if isinstance(value, str) else value for key, value in event.items()}
