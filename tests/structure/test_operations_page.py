"""The operators' page names what they will meet: every kind of difference, every wait, every alarm."""

from pathlib import Path

import pytest
import typer.main

from settlement.alarms.kinds import AlarmCode
from settlement.cli import app
from settlement.reconcile.kinds import Kind, Wait

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "for-operations.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("kind", Kind)
def test_every_difference_is_explained_with_what_to_do(kind):
    assert f"| `{kind}` | {kind.zh} | {kind.en} | {kind.next_en} |" in PAGE


@pytest.mark.parametrize("wait", Wait)
def test_every_wait_is_explained(wait):
    assert f"| `{wait}` | {wait.zh} | {wait.en} |" in PAGE


@pytest.mark.parametrize("code", AlarmCode)
def test_every_alarm_is_explained_with_what_to_do(code):
    assert f"| `{code}` | {code.severity} | {code.zh} | {code.en} | {code.next_en} |" in PAGE


@pytest.mark.parametrize("group", ["claims", "night", "year", "holds", "devices", "entries", "freeze"])
def test_every_command_of_the_operators_is_on_the_page(group):
    assert [one for one in COMMANDS[group].commands if f"settlement {group} {one}" not in PAGE] == []
