"""Is anything lost or doubled when the agent is killed at any moment, again and again, while two tills sell?

A real agent, real terminals and a real centre, each a process. What tills were told, and what journal,
acquirers and centre say in the end, must agree.
"""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from audit import disagreements
from power.kinds import Piece
from real_centre import RealCentre
from shop import RETURN, Shop
from story.processes import StoryBroken, answers, wait_for

TILLS = ("01", "02")
_KILLS_A_PIECE = 25
_SERVED_WITHIN_S = 10
_AT_REST_WITHIN_S = 240
"""A refund that is refused after a restart counts as refused after two host time-outs, two minutes here."""
_SINCE = {
    "paid": {"PAID", "RETURNING", "RETURNED"},
    "refused": {"REFUSED"},
    "not_paid": {"HELD", "CLOSING", "CLOSED"},
}


class _Till:
    """A cashier who sells, stops and takes goods back, and remembers what the agent has said."""

    def __init__(self, shop: Shop, till: str, seed: int) -> None:
        self._shop, self._till = shop, till
        self._chance = random.Random(f"{seed} {till}")
        self.told: dict[str, str] = {}
        self.taken_back: list[str] = []
        self.not_taken_back = ""
        self.cut_off = 0
        self.served = 0
        self.wrong: list[str] = []

    def work(self, stop: threading.Event) -> None:
        """Serve shoppers until told to stop."""
        while not stop.is_set():
            # Nobody begins a sale with a dead agent: it would use up people and declined cards.
            if not answers(f"{self._shop.url}/v1/status"):
                time.sleep(0.05)
                continue
            try:
                self._serve()
            except requests.RequestException:
                self.cut_off += 1
            except AssertionError as wrong:
                if "used up everybody" in str(wrong):
                    return
                self.wrong.append(str(wrong))

    def _serve(self) -> None:
        shop, chance = self._shop, self._chance
        terminal = shop.terminal(self._till)
        # One at a time: those of sales that never came to the terminal would decline all that follow.
        if chance.random() < 0.3 and not terminal.call("GET", "/faults")["faults"]:
            terminal.fault("declined")
        sold = shop.sell(chance.choice(("FRIDGE", "AC", "PHONE")), till=self._till)
        self._hear(sold)
        if sold["state"] in ("held", "not_paid") and chance.random() < 0.7:
            self._hear(shop.stop(sold["record_id"]))
        elif sold["state"] == "paid" and chance.random() < 0.3:
            self.taken_back.append(sold["record_id"])
            self.take_back(sold["record_id"])

    def take_back(self, record_id: str) -> None:
        """Take the goods of a sale back; once begun, a cashier asks again until it is done."""
        back = self._shop.call(f"/v1/sales/{record_id}/return", RETURN)
        if back.status_code == 200:
            self._hear(back.json())
        else:
            self.not_taken_back = f"{record_id}: {back.status_code} {back.text[:300]}"

    def _hear(self, sale: dict[str, Any]) -> None:
        self.served += 1
        if sale["state"] in _SINCE:
            self.told[sale["record_id"]] = sale["state"]


def run(times: int, seed: int) -> dict[str, Any]:
    """Kill the agent `times` times and return the report; `wrong` names everything that did not hold."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kill-agent-"))
    chance = random.Random(seed)
    try:
        (folder / "centre").mkdir()
        (folder / "shop").mkdir()
        with RealCentre(folder / "centre") as centre, Shop.open(folder / "shop", centre, set()) as shop:
            tills = [_Till(shop, one, seed) for one in TILLS]
            over = threading.Event()
            threads = [threading.Thread(target=one.work, args=(over,)) for one in tills]
            for thread in threads:
                thread.start()
            try:
                for _ in range(times):
                    if chance.random() < 0.5:
                        _let_one_be_served(tills)
                    time.sleep(chance.choice((0.05, 0.3, 1.0, 2.0)) * chance.random())
                    shop.kill()
                    shop.restart()
                # A slow machine may have been killed each time before a sale had come to its end.
                wait_for("both tills are told something", lambda: all(one.told for one in tills))
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            for one in shop.terminals:
                one.clear_faults()
            parked = _come_to_rest(shop, tills)
            shop.agent.stop()
            journal = shop.journal()
            wrong = [wrong for one in tills for wrong in one.wrong] + disagreements(shop, journal)
            states = {one["record_id"]: one["state"] for one in journal.sales}
            for till in tills:
                for name, said in till.told.items():
                    if states.get(name) not in _SINCE[said]:
                        wrong.append(f"{name}: the till was told {said}, the journal says {states.get(name)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "kills": times,
        "sales": dict(Counter(states.values())),
        "told": sum(len(one.told) for one in tills),
        "cut_off": sum(one.cut_off for one in tills),
        "left_parked": parked,
        "wrong": wrong,
        "seconds": round(time.monotonic() - began, 1),
    }


def _let_one_be_served(tills: list[_Till]) -> None:
    """Wait until a till has had another answer: on a busy machine a sale takes longer than a kill waits."""
    before = sum(one.served for one in tills)
    until = time.monotonic() + _SERVED_WITHIN_S
    while sum(one.served for one in tills) == before and time.monotonic() < until:
        time.sleep(0.02)


def piece(seed: int) -> Piece:
    """Kill the agent again and again; a run in which nobody was able to pay has shown nothing."""
    found = run(_KILLS_A_PIECE, seed)
    sales = found["sales"]
    wrong = list(found["wrong"])
    if not {"PAID", "RETURNED"} & sales.keys():
        wrong.append(f"nobody paid: {sales}")
    saw = {
        "sales": sum(sales.values()),
        "paid": sales.get("PAID", 0) + sales.get("RETURNED", 0),
        "answers held against": found["told"],
        "cut off": found["cut_off"],
    }
    return Piece("any moment", found["kills"], wrong, saw)


def _come_to_rest(shop: Shop, tills: list[_Till]) -> int:
    """Wait until nothing more is under way but what stays parked for the night, and return how much does."""

    def at_rest() -> bool:
        for till in tills:
            for record_id in till.taken_back:
                # What was cut off before its refund, or did not come to it, waits for the cashier.
                if shop.sale(record_id)["next_action"] == "RETURN_AGAIN":
                    till.take_back(record_id)
        status = shop.get("/v1/status")
        busy = sum(one["open_attempts"] for one in status["terminals"]) - status["parked"]
        return bool(status["outbox"]["depth"] == 0 and busy <= 0 and status["returning"] == 0)

    try:
        wait_for("everything is at rest", at_rest, _AT_REST_WITHIN_S)
    except StoryBroken as wrong:
        back = [shop.sale(one) for till in tills for one in till.taken_back]
        open_ones = [(one["next_action"], one["return"]) for one in back if one["state"] != "paid"]
        refused = [till.not_taken_back for till in tills]
        raise AssertionError(f"{wrong}: {refused}, {shop.get('/v1/status')}, of {open_ones}") from None
    return int(shop.get("/v1/status")["parked"])
