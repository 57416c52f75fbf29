"""The demo's story, told with real processes; each claim is checked as it is told.

python -m story.tell [--once] [--report FILE]      (run by scripts/demo.py)
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from story import at_night, returns
from story.at_the_till import Story
from story.cast import AGENT_PORT, CENTRE_PORT, Stage, product_of
from story.count import Counts, count, record_of
from story.processes import StoryBroken, end_on_signal, keep_clear_of_midnight


def figures(story: Story, night: dict[str, int], started: float) -> dict[str, Any]:
    """Count both sides' books and return the report. Raises StoryBroken when a claim does not hold."""
    stage = story.stage
    story.drained()
    records = {record_of(one.pay_ref) for one in story.movements()} | {one["record_id"] for one in story.paid}
    shown = {record_id: stage.ask_centre(f"/v1/records/{record_id}") for record_id in sorted(records)}
    postings = [
        {**line, "record_id": record_id}
        for record_id, one in shown.items()
        for line in one.get("postings", [])
    ]
    paid_fen = {record_id: one.get("paid_fen", 0) for record_id, one in shown.items()}
    counted = count(story.movements(), postings, paid_fen)
    balance = stage.ask_centre("/v1/ledger/trial-balance")
    _check(story, counted, balance)
    return {
        "sales_paid": counted.sales_paid,
        "sales_refused": story.refused,
        "returns": counted.returns,
        "granted_fen": counted.granted_fen,
        "returned_fen": counted.returned_fen,
        "records_lost": counted.records_lost,
        "records_doubled": counted.records_doubled,
        "charged_twice": counted.charged_twice,
        "ledger_sum_fen": balance["sum_fen"],
        **night,
        "seconds": round(time.monotonic() - started, 1),
        "example_sale": stage.sale(product_of("FRIDGE")),
    }


def _check(story: Story, counted: Counts, balance: dict[str, Any]) -> None:
    print("Counted from the acquirers' and WeChat Pay's own books and the fund's:", flush=True)
    told = {one["record_id"] for one in story.paid}
    fens = {name: _sum(balance, name) for name in ("payable", "held")}
    kept = counted.granted_fen - counted.returned_fen
    claims = (
        (
            counted.sales_paid == len(told),
            f"{counted.sales_paid} sales charged, as many as the till was told",
        ),
        (counted.records_lost == 0, "no record lost"),
        (counted.records_doubled == 0, "none booked twice"),
        (
            counted.charged_twice == counted.given_back_twice == 0,
            "nobody charged twice, nobody refunded twice",
        ),
        (
            counted.wrong_amounts == counted.granted_unpaid == 0,
            "every grant stands beside its charge, to the fen",
        ),
        (
            fens == {"payable": kept, "held": 0},
            f"{counted.granted_fen} fen granted, {counted.returned_fen} returned, the rest is payable",
        ),
        (balance["sum_fen"] == 0 and not balance["imbalance"], "the books sum to zero"),
    )
    for holds, what in claims:
        story.claim(holds, what)


def main() -> int:
    """Tell the story; return 0 only when every claim held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--once", action="store_true", help="stop when the story is told")
    arguments.add_argument("--report", type=Path, help="write the figures here, as JSON")
    chosen = arguments.parse_args()
    if chosen.report is not None and not (place := chosen.report.absolute().parent).is_dir():
        arguments.error(f"--report: {place} is no folder. Name a file in one that is there")
    end_on_signal()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tradein-demo-") as folder:
        stage = Stage(Path(folder))
        try:
            keep_clear_of_midnight()
            stage.set_up()
            story = Story(stage)
            story.tell()
            returns.tell(story)
            report = figures(story, at_night.tell(story), started)
            if chosen.report is not None:
                chosen.report.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
            print(
                f"Told in {report['seconds']} s (the terminals use the demo's own short time-outs).",
                flush=True,
            )
            if not chosen.once:
                _keep_serving(stage)
        except StoryBroken as wrong:
            print(f"THE STORY BROKE: {wrong}", file=sys.stderr)
            for process in (stage.centre, stage.agent):
                print(f"--- {process.name}\n{process.log()[-3000:]}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0 if not chosen.once else 130
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # impatience must not leave anything running
            stage.take_down()
    return 0


def _sum(balance: dict[str, Any], account: str) -> int:
    return sum(row["fen"] for row in balance["rows"] if row["account"] == account)


def _keep_serving(stage: Stage) -> None:
    print(
        f"\nServing until Ctrl-C:\n"
        f"    till API    http://127.0.0.1:{AGENT_PORT}/v1/status   (/openapi.json)\n"
        f"    centre      http://127.0.0.1:{CENTRE_PORT}/readyz      (/openapi.json)\n"
        f"    books       curl -H 'Authorization: Bearer {stage.token}' "
        f"http://127.0.0.1:{CENTRE_PORT}/v1/ledger/trial-balance",
        flush=True,
    )
    parent = os.getppid()
    while os.getppid() == parent:  # whoever started us may be killed without a word
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
