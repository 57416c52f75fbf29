"""Does no property test fail because the machine was busy? What an example may cost is held in CPU time."""

import re
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).resolve().parents[1]


def test_no_example_has_a_deadline():
    assert settings().deadline is None


def test_the_deadline_is_said_in_one_place():
    said = [
        file for file in TESTS.rglob("*.py") if re.search(r"\bdeadline\s*=\s*None", file.read_text("utf-8"))
    ]
    assert said == [TESTS / "conftest.py"]
