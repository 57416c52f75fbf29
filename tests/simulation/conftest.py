"""Each test of worlds runs in a process that knows nothing but worlds."""

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from sim import apart, command


@functools.cache
def pool():
    """Return the one process that all of them share."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=command.begin)


def pytest_pyfunc_call(pyfuncitem):
    names = pyfuncitem._fixtureinfo.argnames
    if "monkeypatch" in names:
        return None  # it starts processes of its own
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    wrong = pool().submit(apart.run, str(pyfuncitem.path), pyfuncitem.originalname, arguments).result()
    if wrong:
        pytest.fail(wrong, pytrace=False)
    return True


def pytest_unconfigure():
    if pool.cache_info().currsize:
        pool().shutdown()
