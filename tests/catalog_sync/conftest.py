"""Files for the policy commands, as the tests of this folder need them."""

import json

import pytest
import small_pack


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves what a command is to read, and returns its path."""

    def save(content, name="facts.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return save


@pytest.fixture
def folder(tmp_path):
    """A folder with the small pack of these tests, to be changed."""
    made = tmp_path / "packs"
    made.mkdir()
    for name, text in small_pack.texts().items():
        (made / name).write_text(text, encoding="utf-8")
    return made
