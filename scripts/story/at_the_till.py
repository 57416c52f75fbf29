"""What happens at the two tills? Each scene claims what shopper, cashier and acquirer then see."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from story.cast import Stage, product_of
from story.count import Movement, of_acquirer, of_wechat, record_of
from story.processes import StoryBroken, wait_for

_BY_CARD = ("FRIDGE", "WASHER", "TV", "AC", "WATER_HEATER", "COMPUTER", "PHONE", "FRIDGE")
_BY_PHONE = ("PHONE", "AC", "WASHER", "TV", "FRIDGE", "COMPUTER", "WATER_HEATER", "PHONE")
_CARD = {"kind": "card"}
_ALIPAY_PREFIX = "28"


class Story:
    """What has been told so far."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.refused = 0
        self.paid: list[dict[str, Any]] = []
        self.by_card: list[dict[str, Any]] = []
        self.by_phone: list[dict[str, Any]] = []

    def claim(self, holds: object, what: str) -> None:
        """Say what was seen; the story ends when it was not."""
        if not holds:
            raise StoryBroken(what)
        print(f"    {what}", flush=True)

    def sell(self, category: str, **more: Any) -> dict[str, Any]:
        """Sell one item of a category to the next person."""
        sold = self.stage.post("/v1/sales", self.stage.sale(product_of(category), **more))
        if sold["state"] == "paid":
            self.paid.append(sold)
        return sold

    def movements(self) -> list[Movement]:
        """Return all money that has moved, by the books of the acquirers and of WeChat Pay."""
        return [*of_acquirer(self.stage.acquirer()), *of_wechat(self.stage.wechat.lines())]

    def moved(self, sold: dict[str, Any]) -> list[int]:
        """Return what was taken from (+) and given back to (-) the shopper of a sale, in fen."""
        return [one.fen for one in self.movements() if record_of(one.pay_ref) == sold["record_id"]]

    def drained(self) -> None:
        """Wait until the centre has acknowledged everything."""
        wait_for("the outbox drains", lambda: self.stage.get("/v1/status")["outbox"]["depth"] == 0)

    # The scenes, in order.

    def tell(self) -> None:
        """Tell what happens at the tills."""
        self._by_card()
        self._by_phone()
        self._refusals()
        self._double_click()
        self._second_card_and_stop()
        self._second_tender()
        self._reversed_order()
        self._lost_answer()
        self._parked()
        self._killed()
        self._outage()

    def _by_card(self) -> None:
        print("A queue at two tills, paying by card:", flush=True)
        first = self.sell(_BY_CARD[0])
        self.claim(first["state"] == "paid", f"{_BY_CARD[0]}: {amounts(first)}")
        print(_indented(first["receipt"]), flush=True)
        self.by_card.append(first)
        for number, category in enumerate(_BY_CARD[1:]):
            sold = self.sell(category, till=("01", "02")[number % 2])
            self.claim(sold["state"] == "paid", f"{category}: {amounts(sold)}")
            self.by_card.append(sold)

    def _by_phone(self) -> None:
        print("The next ones pay by phone; WeChat Pay asks each for a password:", flush=True)
        for number, category in enumerate(_BY_PHONE):
            sold = self.sell(category, till=("01", "02")[number % 2], tender=self.stage.by_phone())
            self.claim(
                sold["state"] == "paid" and self.moved(sold) == [sold["to_pay_fen"]],
                f"{category}: {amounts(sold)}",
            )
            self.by_phone.append(sold)

    def _refusals(self) -> None:
        print("No subsidy, and why:", flush=True)
        stage, fridge = self.stage, product_of("FRIDGE")
        too_dear = stage.sale(fridge)
        too_dear["item"]["initial_price_fen"] += 10_000
        unknown_code = stage.sale(fridge, qualification_code="NOBODY-KNOWS-THIS")
        wrong_category = stage.sale(
            fridge, qualification_code=stage.sale(product_of("TV"))["qualification_code"]
        )
        no_serial = stage.sale(product_of("TV"))
        no_serial["item"]["serial_no"] = ""
        other_wallet = stage.sale(fridge, tender=stage.by_phone(_ALIPAY_PREFIX))
        for body, code in (
            (too_dear, "PRICE_ABOVE_FILING"),
            (unknown_code, "QUALIFICATION_UNKNOWN"),
            (wrong_category, "QUALIFICATION_WRONG_CATEGORY"),
            (no_serial, "SERIAL_MISSING"),
            (other_wallet, "TENDER_NOT_ALLOWED"),
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
            records == {sold["record_id"]} and sold["state"] == "paid" and len(self.moved(sold)) == 1,
            "one record, one charge",
        )

    def _second_card_and_stop(self) -> None:
        print("The first card is declined:", flush=True)
        terminal = self.stage.terminals["EMU00001"]
        terminal.arm("declined", code="51")
        sold = self.sell("AC")
        self.claim(sold["state"] == "not_paid", f"not paid, {sold['next_action']}: the hold stays")
        sold = self._pay(sold, _CARD)
        self.claim(
            sold["state"] == "paid" and len(sold["attempts"]) == 2, "a second card pays under the same hold"
        )
        terminal.arm("declined", code="51")
        sold = self.sell("WASHER")
        stopped = self._stop(sold)
        self.claim(
            stopped["state"] == "not_paid" and not self.moved(sold), "the next shopper walks off: stopped"
        )
        self._released(sold)

    def _second_tender(self) -> None:
        print("The phone has too little money on it:", flush=True)
        self.stage.wechat.arm("declined", code="NOT_ENOUGH")
        sold = self.sell("WATER_HEATER", tender=self.stage.by_phone())
        self.claim(sold["state"] == "not_paid", f"not paid: {sold['attempts'][0]['said']['text']}")
        sold = self._pay(sold, _CARD)
        tenders = [one["tender"] for one in sold["attempts"]]
        self.claim(
            sold["state"] == "paid" and tenders == ["qr_scan", "card"] and len(self.moved(sold)) == 1,
            "the card pays under the same hold",
        )

    def _reversed_order(self) -> None:
        print("WeChat Pay's answer is late, and the shopper walks off meanwhile:", flush=True)
        stage = self.stage
        stage.wechat.arm("late_answer", on="pay", ms=1000)
        body = stage.sale(product_of("FRIDGE"), tender=stage.by_phone())
        with ThreadPoolExecutor(1) as till:
            paying = till.submit(stage.post, "/v1/sales", body)
            sold = wait_for("the payment is under way", self._under_way)
            stage.post(f"/v1/sales/{sold['record_id']}/stop", {"operator": "cashier-1"})
            sold = paying.result(30)
        taken_and_back = [sold["to_pay_fen"], -sold["to_pay_fen"]]
        self.claim(
            sold["state"] == "not_paid" and self.moved(sold) == taken_and_back,
            "the phone was charged after all: reversed, nobody has paid",
        )
        self._released(sold)

    def _lost_answer(self) -> None:
        print("The terminal charges the card, and its answer is lost:", flush=True)
        self.stage.terminals["EMU00002"].arm("lost_answer")
        sold = self.sell("COMPUTER", till="02")
        self.claim(
            sold["state"] == "paid" and len(self.moved(sold)) == 1,
            "asked what became of it, not charged again: paid",
        )

    def _parked(self) -> None:
        print("The terminal charges the card and then answers no question at all:", flush=True)
        stage, terminal = self.stage, self.stage.terminals["EMU00002"]
        terminal.arm("lost_answer")
        with ThreadPoolExecutor(1) as till:
            body = stage.sale(product_of("TV"), till="02")
            paying = till.submit(stage.post, "/v1/sales", body)
            wait_for("the terminal is at work", terminal.is_struck)
            terminal.arm("silent_query", times=1000)
            sold = paying.result(30)
        self.claim(
            sold["state"] == "unknown" and stage.get("/v1/status")["parked"] == 1,
            f"parked, {sold['next_action']}: the till is free for the next shopper",
        )
        terminal.mend()
        path = f"/v1/sales/{sold['record_id']}"
        sold = wait_for("the parked sale is settled", lambda: self._now_paid(path))
        self.claim(len(self.moved(sold)) == 1, f"it answers again: {amounts(sold)}")

    def _killed(self) -> None:
        print("The agent is killed (SIGKILL) after the card was approved, before it hears of it:", flush=True)
        stage = self.stage
        stage.terminals["EMU00001"].arm("kill", point="after_approval", pid=stage.agent.pid)
        body = stage.sale(product_of("PHONE"))
        with suppress(OSError):
            stage.post("/v1/sales", body, key="killed-in-mid-payment")
        stage.agent.wait_dead()
        self.claim(not stage.agent.is_running(), "the agent is dead")
        stage.start_agent()
        again = stage.post("/v1/sales", body, key="killed-in-mid-payment")
        sold = wait_for("the sale is resumed", lambda: self._now_paid(f"/v1/sales/{again['record_id']}"))
        self.claim(len(self.moved(sold)) == 1, f"started again, it asked the terminal: {amounts(sold)}")

    def _outage(self) -> None:
        print("The network to the centre is cut while a card is in the terminal:", flush=True)
        stage = self.stage
        stage.terminals["EMU00001"].arm("progress", n=8, every_ms=250)
        body = stage.sale(product_of("WATER_HEATER"))
        with ThreadPoolExecutor(1) as till:
            paying = till.submit(stage.post, "/v1/sales", body)
            wait_for("the payment is under way", self._under_way)
            stage.cable.cut()
            sold = paying.result(30)
        self.paid.append(sold)
        self.claim(sold["state"] == "paid", "the promise was given: paid and recorded without the network")
        offline = stage.post("/v1/sales", stage.sale(product_of("TV"), till="02"))
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

    # Parts of a scene.

    def _pay(self, sold: dict[str, Any], tender: dict[str, str]) -> dict[str, Any]:
        body = {"operator": "cashier-1", "tender": tender}
        sold = self.stage.post(f"/v1/sales/{sold['record_id']}/pay", body)
        self.paid.append(sold)
        return sold

    def _stop(self, sold: dict[str, Any]) -> dict[str, Any]:
        return self.stage.post(f"/v1/sales/{sold['record_id']}/stop", {"operator": "cashier-1"})

    def _under_way(self) -> dict[str, Any] | None:
        """Return a sale of the first till for which a payment is under way."""
        open_sales = self.stage.get("/v1/sales?till_no=01&open=1")["sales"]
        paying = (one for one in open_sales if any(a["state"] == "INTENDED" for a in one["attempts"]))
        return next(paying, None)

    def _released(self, sold: dict[str, Any]) -> None:
        """Wait until the centre has the money of a stopped sale back."""
        path = f"/v1/records/{sold['record_id']}"
        wait_for("the hold is released", lambda: self.stage.ask_centre(path).get("state") == "RELEASED")
        self.claim(True, "its money is available again at the centre")

    def _now_paid(self, path: str) -> dict[str, Any] | None:
        sold = self.stage.get(path)
        if sold["state"] != "paid":
            return None
        self.paid.append(sold)
        return sold


def amounts(sold: dict[str, Any]) -> str:
    """Return what was granted, to be paid and paid, in yuan."""

    def yuan(name: str) -> str:
        return f"{sold[name] // 100}.{sold[name] % 100:02d}"

    return f"granted {yuan('subsidy_fen')}, to pay {yuan('to_pay_fen')}, paid {yuan('paid_fen')}"


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.splitlines())
