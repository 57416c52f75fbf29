"""The loggers of libraries, which a program's log takes over, as they were before."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = ("apscheduler", "asyncio", "litestar", "urllib3", "uvicorn")


@contextmanager
def libraries_as_before() -> Iterator[None]:
    """Let libraries speak for themselves again at the end of the block."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    try:
        yield
    finally:
        for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
