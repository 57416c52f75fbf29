"""Does each program say which version is installed, before it looks at anything else?"""

import importlib.metadata
import subprocess

import pytest
import warm
from story.processes import BIN


@pytest.mark.parametrize("program", ["terminal-agent", "settlement", "catalog-sync"])
def test_a_program_says_its_version(program, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", warm.COLD)
    said = subprocess.run(
        [BIN / program, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    installed = importlib.metadata.version("tradein-subsidy")
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{program} {installed}\n", "")
