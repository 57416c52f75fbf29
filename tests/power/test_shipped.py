"""What a kind of harm tries is what it names, so that a change elsewhere does not undo what was done."""

import os
import subprocess
import sys

import pytest
from power import shipped
from power.kinds import KINDS

SMALL = {
    "power.agent_cuts:piece": """
from power import agent_cuts
day = agent_cuts.record()
assert list(agent_cuts.cut(day, (9, 2000), (3,), agent_cuts.judge_in(folder))) == ["", ""]
""",
    "power.centre_cuts:piece": """
from power import centre_cuts
for stretch in centre_cuts.STRETCHES.values():
    day = stretch()
    judge = centre_cuts.judge_in(folder, day.database)
    came = list(centre_cuts.cut(day, range(0, len(day.log), len(day.log) // 30), (3,), judge))
    assert judge.different > 25 and not any(came)
""",
    "power.agent_faults:piece": """
from power import agent_faults
assert agent_faults.try_day("one error", 60).wrong == []
""",
    "power.centre_faults:piece": """
from power import centre_faults
assert centre_faults.try_books("one error", 200).wrong == []
""",
    "power.agent_flips:piece": """
from power import agent_flips
files = agent_flips.after_a_day(killed=True)
for name in files.content:
    assert agent_flips.flip(files, name, 1, folder, each=200_000)[1] == []
""",
}
"""A little of what pieces do, by what does them, of all kinds that do not try everything."""


def names_of(do):
    """Return what the kinds name whose pieces are done so."""
    (ships,) = {one.ships for one in KINDS if one.do == do}
    return ships


@pytest.mark.parametrize("do", SMALL)
def test_a_kind_of_harm_tries_nothing_that_it_does_not_name(do, tmp_path):
    program = (
        "from power.shipped import Reading\nreading = Reading()\n"
        f"from pathlib import Path\nfolder = Path({str(tmp_path)!r})\n{SMALL[do]}\n"
        f"assert len(reading.outside(())) > 5\nprint(reading.outside({names_of(do)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shipped.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_other_kind_names_everything_that_its_programs_are_made_of():
    others = {one.name: set(one.ships) for one in KINDS if one.do not in SMALL}
    both = {"subsidy", "catalog_sync", "config"}
    for name, ships in others.items():
        assert both | {"settlement"} <= ships
        assert "terminal_agent" in ships or name.startswith("centre")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    (tmp_path / "subsidy").mkdir()
    (tmp_path / "settlement").mkdir()
    (tmp_path / "setup.cfg").write_text(
        "[options]\ninstall_requires =\n  msgspec==1\n[options.extras_require]\n[mypy]\n"
    )
    (tmp_path / "subsidy" / "money.py").write_text("one")
    (tmp_path / "settlement" / "app.py").write_text("one")
    monkeypatch.setattr(shipped, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "content", "is_other"),
    [
        ("subsidy/money.py", "two", True),
        ("subsidy/new.sql", "", True),
        ("setup.cfg", "[options]\ninstall_requires =\n  msgspec==2\n[options.extras_require]\n", True),
        ("setup.cfg", "[options]\ninstall_requires =\n  msgspec==1\n[options.extras_require]\n[x]\n", False),
        ("settlement/app.py", "two", False),
        ("subsidy/README.md", "two", False),
    ],
)
def test_the_name_of_code_changes_with_what_is_tried_and_what_it_stands_on(tree, file, content, is_other):
    before = shipped.code(["subsidy"])
    (tree / file).write_text(content)
    assert (shipped.code(["subsidy"]) != before) is is_other


def test_a_folder_that_is_not_there_is_no_code(tree):
    with pytest.raises(AssertionError, match="nothing ships as agent"):
        shipped.code(["agent"])
