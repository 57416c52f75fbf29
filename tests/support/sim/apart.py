"""How does a test of worlds run in a process of its own?

Other tests leave real threads running, a centre's checkpoints for one; they would ask a world's clock.
"""

import functools
import importlib.util
import traceback
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def run(path: str, name: str, arguments: Mapping[str, Any]) -> str:
    """Run a function of a file, and return what went wrong as text, or nothing."""
    try:
        getattr(_module(path), name)(**arguments)
    except BaseException:
        return traceback.format_exc()
    return ""


@functools.cache
def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("worlds_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
