"""What the documents say is there, is there; and what is there is said."""

import re
from pathlib import Path

import pytest
import typer.main

from catalog_sync.cli import app as catalog_sync
from settlement.cli import app as settlement
from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal
from terminal_agent.cli import app as terminal_agent

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(
        page
        for package in ("subsidy", "terminal_agent", "settlement", "catalog_sync")
        for page in sorted((ROOT / package).rglob("README.md"))
    ),
]
TEXT = "\n".join(page.read_text() for page in PAGES)


def commands(name, group):
    """Yield every command of a program, as one types it."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(f"{name} {word}", command)
        else:
            yield f"{name} {word}"


ALL_COMMANDS = [
    command
    for name, app in (
        ("terminal-agent", terminal_agent),
        ("settlement", settlement),
        ("catalog-sync", catalog_sync),
    )
    for command in commands(name, typer.main.get_command(app))
]


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_every_command_is_in_the_docs(command):
    assert command in TEXT


def test_no_command_has_two_rows():
    """Two that change a row side by side may leave both behind, one of them old."""
    page = (ROOT / "docs" / "commands.md").read_text()
    rows = re.findall(r"^\| (`[^`]+`)", page, re.MULTILINE)
    assert sorted({*rows}) == sorted(rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_named_file_exists(page):
    text = page.read_text()
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    missing = [link for link in linked if not (page.parent / link).exists()]
    named = re.findall(
        r"`((?:subsidy|terminal_agent|settlement|catalog_sync|config|scripts|docs|tests)/[\w./-]+)`", text
    )
    missing += [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_every_script_is_in_the_docs():
    scripts = {path.name for path in (ROOT / "scripts").glob("*.py")} - {"venv_here.py"}
    assert {name for name in scripts if name not in TEXT} == set()


def table():
    """Return the page of refusals and next actions as it must stand in docs/refusals.md."""
    lines = [
        "# Refusals, and what the cashier can do next",
        "",
        "A refusal is an answer, not a fault. Every reason that applies is given, most decisive first, "
        "in this order.",
        "Codes are stored and printed: none is ever renamed or reused.",
        "",
        "| code | 中文 | English | next | may change today |",
        "|---|---|---|---|---|",
        *(
            f"| {one} | {one.zh} | {one.en} | {one.next_action} | {'yes' if one.may_change_today else 'no'} |"
            for one in Refusal
        ),
        "",
        "## Next actions",
        "",
        "| code | 中文 | English |",
        "|---|---|---|",
        *(f"| {one} | {one.zh} | {one.en} |" for one in NextAction),
        "",
    ]
    return "\n".join(lines)


def test_the_page_of_refusals_is_what_the_code_says():
    assert (ROOT / "docs" / "refusals.md").read_text() == table()


def test_every_next_action_is_in_the_cashiers_page_with_its_sentence():
    page = (ROOT / "docs" / "for-cashiers.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    assert [(cells[1].strip(" `"), cells[2].strip()) for cells in rows] == [
        (one.value, one.zh) for one in sorted(NextAction, key=list(NextAction).index)
    ]
    assert all(cells[3].strip() for cells in rows)


def test_every_command_of_the_shop_is_in_the_page_for_its_people():
    page = (ROOT / "docs" / "for-shop-it.md").read_text()
    assert [one for one in ALL_COMMANDS if one.startswith("terminal-agent") and one not in page] == []


def test_every_key_of_the_agents_configuration_is_in_the_page_for_its_people():
    page = (ROOT / "docs" / "for-shop-it.md").read_text()
    example = (ROOT / "config" / "agent.example.yaml").read_text()
    keys = re.findall(r"(?m)^([a-z_]+):", example)
    assert [key for key in keys if f"`{key}`" not in page] == []
    assert len(keys) > 8


def test_every_test_that_the_reliability_page_names_is_there():
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    assert named - there == set()
    rows = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 45))
