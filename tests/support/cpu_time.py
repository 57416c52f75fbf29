"""What does a piece of work cost its processor?"""

import contextlib
import gc
import time
from collections.abc import Iterator


class Cost:
    """The cost of a piece of work, in seconds of this thread's processor time. Known when it has ended."""

    s = 0.0


@contextlib.contextmanager
def cpu_time() -> Iterator[Cost]:
    """Measure what is done within.

    Neither what other threads do meanwhile counts, nor a look through all that earlier tests have left: the
    collector may begin one at any allocation, and it takes longer than what is measured.
    """
    cost = Cost()
    was_on = gc.isenabled()
    gc.disable()
    before = time.thread_time()
    try:
        yield cost
    finally:
        cost.s = time.thread_time() - before
        if was_on:
            gc.enable()
