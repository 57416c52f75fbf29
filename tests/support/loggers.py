"""The loggers of libraries, which a program's log takes over: plain for a test, then as they were before."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = ("apscheduler", "asyncio", "litestar", "urllib3", "uvicorn", "uvicorn.access", "uvicorn.error")


@contextmanager
def libraries_as_before() -> Iterator[None]:
    """Let no other program's log speak for libraries within the block, and put all back at its end.

    In one process a centre of an earlier test may have taken a library's loggers over.
    """
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.handlers, one.propagate = [], True
        one.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
