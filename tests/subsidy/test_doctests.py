"""Do the examples in the docstrings of `subsidy` say the truth?"""

import doctest
import importlib
import pkgutil

import pytest

import subsidy

MODULES = sorted(one.name for one in pkgutil.walk_packages(subsidy.__path__, "subsidy."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert sum(len(one.examples) for tests in found for one in tests) >= 6
