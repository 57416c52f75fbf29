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
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from story.cast import AGENT_PORT, CENTRE_PORT, Stage, product_of
from story.count import Counts, count, record_of
from story.processes import StoryBroken, end_on_signal, wait_for

_PLAIN_SALES = ("FRIDGE", "WASHER", "TV", "AC", "WATER_HEATER", "COMPUTER", "PHONE", "FRIDGE")


class Story:
    """What has been told so far, and the figures of it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.refused = 0
        self.paid: list[dict[str, Any]] = []

    def claim(self, holds: object, what: str) -> None:
        """Say what was seen; the story ends when it was not."""
        if not holds:
            raise StoryBroken(what)
        print(f"    {what}", flush=True)

    def tell(self) -> None:
        """Tell it all."""
        self._sales()
        self._refusals()
        self._double_click()
        self._second_card_and_stop()
        self._lost_answer()
        self._killed()
        self._outage()

    def _sell(self, category: str, **more: Any) -> dict[str, Any]:
        sold = self.stage.post("/v1/sales", self.stage.sale(product_of(category), **more))
        if sold["state"] == "paid":
            self.paid.append(sold)
        return sold

    def _sales(self) -> None:
        print("A queue at two tills, paying by card:", flush=True)
        first = self._sell(_PLAIN_SALES[0])
        self.claim(first["state"] == "paid", f"{_PLAIN_SALES[0]}: {_amounts(first)}")
        print(_indented(first["receipt"]), flush=True)
        for number, category in enumerate(_PLAIN_SALES[1:]):
            sold = self._sell(category, till=("01", "02")[number % 2])
            self.claim(sold["state"] == "paid", f"{category}: {_amounts(sold)}")

    def _refusals(self) -> None:
        print("No subsidy, and why:", flush=True)
        stage, fridge = self.stage, product_of("FRIDGE")
        too_dear = stage.sale(fridge)
        too_dear["item"]["initial_price_fen"] += 10_000
        unknown_code = stage.sale(fridge, qualification_code="NOBODY-KNOWS-THIS")
        wrong_category = stage.sale(
            fridge, qualification_code=stage.sale(product_of("TV"))["qualification_code"]
        )
        sold_before = stage.sale(product_of("TV"))
        sold_before["item"]["serial_no"] = ""
        for body, code in (
            (too_dear, "PRICE_ABOVE_FILING"),
            (unknown_code, "QUALIFICATION_UNKNOWN"),
            (wrong_category, "QUALIFICATION_WRONG_CATEGORY"),
            (sold_before, "SERIAL_MISSING"),
        ):
            answer = stage.post("/v1/sales", body)
            reason = answer["reasons"][0]
            self.claim(
                answer["state"] == "refused" and reason["code"] == code,
                f"{reason['code']}: {reason['zh']} ({reason['next_action']})",
            )
            self.refused += 1

    def _double_click(self) -> None:
        print("The cashier's finger slips: one sale posted five times at once with one key:", flush=True)
        body, key = self.stage.sale(product_of("TV")), "five-times-the-same-key"

        def post(_number: int) -> str:
            try:
                return str(self.stage.post("/v1/sales", body, key=key)["record_id"])
            except StoryBroken as wrong:
                if "IN_PROGRESS" in str(wrong):
                    return ""  # told to ask again in a moment
                raise

        with ThreadPoolExecutor(5) as fingers:
            records = {record for record in fingers.map(post, range(5)) if record}
        sold = self.stage.post("/v1/sales", body, key=key)
        self.paid.append(sold)
        self.claim(
            records == {sold["record_id"]} and sold["state"] == "paid" and self._charges(sold) == 1,
            "one record, one charge",
        )

    def _second_card_and_stop(self) -> None:
        print("The first card is declined:", flush=True)
        self.stage.emulators["EMU00001"].arm("declined", code="51")
        sold = self._sell("AC")
        self.claim(sold["state"] == "not_paid", f"not paid, {sold['next_action']}: the hold stays")
        again = {"operator": "cashier-1", "tender": {"kind": "card"}}
        sold = self.stage.post(f"/v1/sales/{sold['record_id']}/pay", again)
        self.paid.append(sold)
        self.claim(
            sold["state"] == "paid" and len(sold["attempts"]) == 2, "a second card pays under the same hold"
        )
        self.stage.emulators["EMU00001"].arm("declined", code="51")
        sold = self._sell("WASHER")
        stopped = self.stage.post(f"/v1/sales/{sold['record_id']}/stop", {"operator": "cashier-1"})
        self.claim(
            stopped["state"] == "not_paid" and self._charges(sold) == 0, "the next shopper walks off: stopped"
        )
        self._released(sold)

    def _lost_answer(self) -> None:
        print("The terminal charges the card, and its answer is lost:", flush=True)
        self.stage.emulators["EMU00002"].arm("lost_answer")
        sold = self._sell("COMPUTER", till="02")
        self.claim(
            sold["state"] == "paid" and self._charges(sold) == 1,
            "asked what became of it, not charged again: paid",
        )

    def _killed(self) -> None:
        print("The agent is killed (SIGKILL) after the card was approved, before it hears of it:", flush=True)
        stage = self.stage
        stage.emulators["EMU00001"].arm("kill", point="after_approval", pid=stage.agent.pid)
        body = stage.sale(product_of("PHONE"))
        with suppress(OSError):
            stage.post("/v1/sales", body, key="killed-in-mid-payment")
        stage.agent.wait_dead()
        self.claim(not stage.agent.is_running(), "the agent is dead")
        stage.start_agent()
        sold = wait_for("the sale is resumed", lambda: self._as_it_stands(body, "paid"))
        self.paid.append(sold)
        self.claim(self._charges(sold) == 1, f"started again, it asked the terminal: {_amounts(sold)}")

    def _outage(self) -> None:
        print("The network to the centre is cut while a card is in the terminal:", flush=True)
        stage = self.stage
        stage.emulators["EMU00001"].arm("progress", n=8, every_ms=250)
        body = stage.sale(product_of("WATER_HEATER"))
        with ThreadPoolExecutor(1) as till:
            paying = till.submit(stage.post, "/v1/sales", body)
            wait_for("the payment is under way", lambda: self._under_way())
            stage.cable.cut()
            sold = paying.result(30)
        self.paid.append(sold)
        self.claim(sold["state"] == "paid", "the promise was given: paid and recorded without the network")
        offline = self.stage.post("/v1/sales", stage.sale(product_of("TV"), till="02"))
        reason = offline["reasons"][0]
        self.claim(
            reason["code"] == "CENTRE_UNREACHABLE",
            f"the next shopper: {reason['zh']} ({reason['next_action']})",
        )
        self.refused += 1
        waiting = stage.get("/v1/status")["outbox"]["depth"]
        self.claim(waiting >= 1, f"{waiting} record waits in the outbox")
        stage.cable.mend()
        self.drained()
        self.claim(True, "the network is back: the outbox is empty")

    def drained(self) -> None:
        """Wait until the centre has acknowledged everything."""
        wait_for("the outbox drains", lambda: self.stage.get("/v1/status")["outbox"]["depth"] == 0)

    def _under_way(self) -> bool:
        """Whether a card is being charged: the hold is placed and the terminal at work."""
        open_sales = self.stage.get("/v1/sales?till_no=01&open=1")["sales"]
        return any(attempt["state"] == "INTENDED" for sale in open_sales for attempt in sale["attempts"])

    def _released(self, sold: dict[str, Any]) -> None:
        """Wait until the centre has the money of a stopped sale back."""
        path = f"/v1/records/{sold['record_id']}"
        wait_for("the hold is released", lambda: self.stage.ask_centre(path).get("state") == "RELEASED")
        self.claim(True, "its money is available again at the centre")

    def _as_it_stands(self, body: dict[str, Any], state: str) -> dict[str, Any] | None:
        sold = self.stage.post("/v1/sales", body, key="killed-in-mid-payment")
        return sold if sold["state"] == state else None

    def _charges(self, sold: dict[str, Any]) -> int:
        lines = self.stage.acquirer()
        return sum(one["kind"] == "sale" and record_of(one["pay_ref"]) == sold["record_id"] for one in lines)


def figures(story: Story, seconds: float) -> dict[str, Any]:
    """Count both sides' books and return the report. Raises StoryBroken when a claim does not hold."""
    stage = story.stage
    story.drained()
    records = {record_of(one["pay_ref"]) for one in stage.acquirer()} | {
        one["record_id"] for one in story.paid
    }
    shown = {record_id: stage.ask_centre(f"/v1/records/{record_id}") for record_id in sorted(records)}
    postings = [
        {**line, "record_id": record_id}
        for record_id, one in shown.items()
        for line in one.get("postings", [])
    ]
    paid_fen = {record_id: one.get("paid_fen", 0) for record_id, one in shown.items()}
    counted = count(stage.acquirer(), postings, paid_fen)
    balance = stage.ask_centre("/v1/ledger/trial-balance")
    payable = sum(row["fen"] for row in balance["rows"] if row["account"] == "payable")
    held = sum(row["fen"] for row in balance["rows"] if row["account"] == "held")
    _check(story, counted, balance, payable, held)
    return {
        "sales_paid": counted.sales_paid,
        "sales_refused": story.refused,
        "returns": 0,
        "granted_fen": counted.granted_fen,
        "returned_fen": 0,
        "records_lost": counted.records_lost,
        "records_doubled": counted.records_doubled,
        "charged_twice": counted.charged_twice,
        "ledger_sum_fen": balance["sum_fen"],
        "night_matched": 0,
        "night_differences": 0,
        "night_planted": 0,
        "seconds": round(seconds, 1),
        "example_sale": stage.sale(product_of("FRIDGE")),
    }


def _check(story: Story, counted: Counts, balance: dict[str, Any], payable: int, held: int) -> None:
    print("Counted from the acquirer's own books and the fund's:", flush=True)
    told = {one["record_id"] for one in story.paid}
    claims = (
        (
            counted.sales_paid == len(told),
            f"{counted.sales_paid} sales charged, as many as the till was told",
        ),
        (counted.records_lost == 0, "no record lost"),
        (counted.records_doubled == 0, "none booked twice"),
        (counted.charged_twice == 0, "nobody charged twice"),
        (
            counted.wrong_amounts == counted.granted_unpaid == 0,
            "every grant stands beside its charge, to the fen",
        ),
        (
            counted.granted_fen == payable and held == 0,
            f"{counted.granted_fen} fen granted, all of it payable",
        ),
        (balance["sum_fen"] == 0 and not balance["imbalance"], "the books sum to zero"),
    )
    for holds, what in claims:
        story.claim(holds, what)


def _amounts(sold: dict[str, Any]) -> str:
    def yuan(name: str) -> str:
        return f"{sold[name] // 100}.{sold[name] % 100:02d}"

    return f"granted {yuan('subsidy_fen')}, to pay {yuan('to_pay_fen')}, paid {yuan('paid_fen')}"


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.splitlines())


def main() -> int:
    """Tell the story; return 0 only when every claim held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--once", action="store_true", help="stop when the story is told")
    arguments.add_argument("--report", type=Path, help="write the figures here, as JSON")
    chosen = arguments.parse_args()
    end_on_signal()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tradein-demo-") as folder:
        stage = Stage(Path(folder))
        try:
            stage.set_up()
            story = Story(stage)
            story.tell()
            report = figures(story, time.monotonic() - started)
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
