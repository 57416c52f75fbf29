"""What does the centre write to its log? JSON lines on stderr, with nothing personal in them.

Every value passes `subsidy.masking.scrub`. Bodies, codes and headers are never handed to a log.
"""

import contextlib
import logging
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from settlement.system import Lock
from subsidy import calendar
from subsidy.masking import scrub

Log = structlog.typing.FilteringBoundLogger


class Lines:
    """Writes lines to a stream, and never fails: what was asked for must not depend on its log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def msg(self, line: str) -> None:
        """Write one line."""
        # A closed or broken stream: there is nobody to tell.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    info = warning = error = msg


def make_log(now_ms: Callable[[], int], lines: Lines) -> Log:
    """Return the log that writes `lines`, and send what libraries log through it too."""

    def stamp(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"ts": calendar.from_ms(now_ms()).isoformat(timespec="milliseconds"), **event}

    processors: list[Any] = [
        structlog.processors.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
        scrub_values,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    log: Log = structlog.wrap_logger(
        lines,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = _FromLibraries(log)
    for name in ("uvicorn", "uvicorn.error"):
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False
        library.setLevel(logging.INFO)
    return log


def scrub_values(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out what looks personal, in every value and at any depth."""
    return {key: _scrubbed(value) for key, value in event.items()}


def _scrubbed(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, dict):
        return {_scrubbed(str(key)): _scrubbed(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(one) for one in value]
    text = scrub(str(value))
    return value if isinstance(value, int) and text == str(value) else text


class _FromLibraries(logging.Handler):
    """Hands the lines of libraries that use `logging` to our log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        level = "info" if record.levelno < logging.WARNING else level
        getattr(self._log, level)(record.name, message=record.getMessage(), exc_info=record.exc_info)
