"""What does the night find? Nothing on the day as it was, and afterwards exactly what has been planted."""

import json
import shutil
from pathlib import Path
from typing import Any

from story import plant
from story.at_the_till import Story
from story.processes import run


def tell(story: Story) -> dict[str, int]:
    """Reconcile the day twice, with its files as they came and with planted ones; return the figures."""
    stage = story.stage
    day = story.paid[0]["opened_at"][:10]
    story.drained()
    as_they_came, planted_in = stage.folder / "files", stage.folder / "files-planted"
    _fetch(story, day, as_they_came)
    print("The night holds the day's files against the records and the ledger, dry:", flush=True)
    # The day is not over: a night says so, and ends with 4, whatever it finds.
    clean = _night(stage.folder, day, as_they_came, 4, "--dry-run")
    story.claim(
        clean["differences"] == [],
        f"{clean['matched']} matched, no difference, reversed orders and returns included",
    )
    shutil.copytree(as_they_came, planted_in)
    planted = plant.plant(planted_in)
    print(f"{len(planted)} differences are planted into copies of the files, and the night runs:", flush=True)
    found = _night(stage.folder, day, planted_in, 4)
    for one in found["differences"]:
        print(f"    {one['kind']:<24}{_yuan(one['fen']):>10}  {one['zh']}", flush=True)
    triples = sorted((one["kind"], one["pay_ref"], one["fen"]) for one in found["differences"])
    story.claim(triples == sorted(planted), "exactly those are found, to the fen")
    again = _night(stage.folder, day, planted_in, 4)
    story.claim(again == found, "run a second time it says the same, byte for byte")
    return {
        "night_matched": found["matched"],
        "night_differences": len(found["differences"]),
        "night_planted": len(planted),
    }


def _fetch(story: Story, day: str, folder: Path) -> None:
    """Get the files of the day from the acquirers and from WeChat Pay."""
    folder.mkdir()
    for number, terminal in story.stage.terminals.items():
        (folder / f"acquirer-{number}-{day}.csv").write_bytes(terminal.file(day))
    (folder / f"wechat-{day}.csv").write_bytes(story.stage.wechat.file(day))


def _night(folder: Path, day: str, files: Path, expected: int, *more: str) -> dict[str, Any]:
    command = ["settlement", "night", "run", "--config", "settlement.yaml", "--date", day]
    printed = run(folder, [*command, "--files", str(files), "--json", *more], expected)
    return dict(json.loads(printed))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
