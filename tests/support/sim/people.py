"""What do cashiers and shoppers do? They believe what the till shows, hurry, and come back with goods."""

import random
from typing import TYPE_CHECKING, Any

import reference_data as reference

from sim.cards.terminal import CardTerminal
from sim.cards.wishes import LOST, LOST_ANSWER
from sim.cash import ACTIONS as CASH_ACTIONS
from sim.cash import Hands
from sim.lend import PIN
from sim.old_copy import put_an_old_copy_back
from sim.phones import Phones
from sim.scheduler import Process
from sim.shop_host import BROKEN, ShopHost, Told
from sim.threads import Here

if TYPE_CHECKING:
    from sim.outcome import Buyer
    from sim.world import World

GOODS = (
    (reference.FRIDGE, "FRIDGE", 459_900),
    (reference.AC, "AC", 329_900),
    (reference.PHONE, "PHONE", 399_900),
)
_PATIENCE_LOOKS = 4
"""So often a cashier looks whether a shown code was paid, then stops the sale."""


class Cashier:
    """One till and who stands at it."""

    def __init__(self, world: "World", host: ShopHost, till_no: str, cable: CardTerminal) -> None:
        self.name = f"till {host.shop.shop}/{till_no}"
        self._world = world
        self._host = host
        self._till_no = till_no
        self._cable = cable
        self._chance: random.Random = world.plan.chance(self.name)
        self._process = Process(self.name)
        self._phones = Phones(world, self.name)
        self._hands = Hands(world, self.name)
        self._of_combined = world.plan.chance(f"{self.name}, faults that come together")
        self._of_silence = world.plan.chance(f"{self.name}, a long silence")
        self._of_copies = world.plan.chance(f"{self.name}, old copies")
        self._of_returns = world.plan.chance(f"{self.name}, goods that come back")
        self._of_wrong_ways = world.plan.chance(f"{self.name}, ways of paying that are not there")
        self._keys, self._came_ms = 0, Here.scheduler.now_ms
        self.sale_of: dict[str, str] = {}
        """Which sale it was told of under each of its keys."""
        self._last: Buyer | None = None
        self._sold: tuple[Buyer, str] | None = None
        self._is_away_s = 0.0

    def begin(self, sales: int) -> None:
        """Start to sell."""

        def work() -> None:
            for _ in range(sales):
                Here.scheduler.sleep(self._chance.uniform(2, 40))
                self._prepare()
                buyer = self._meet(self._world.next_buyer(self._chance, race=self._hits("race")))
                while not self._sell(buyer) and self._chance.random() < 0.4:
                    # No subsidy for now: some shoppers wait.
                    Here.scheduler.sleep(self._chance.uniform(20, 100))
            self._world.done()

        Here.scheduler.spawn(self._process, self.name, work)

    def _hits(self, name: str) -> bool:
        return self._world.hits(name, self._chance)

    def _key(self) -> str:
        self._keys += 1
        return f"{self.name.replace(' ', '-').replace('/', '-')}-{self._came_ms}-{self._keys:08d}"

    def _prepare(self) -> None:
        """Let something be wrong with the terminal for the next one."""
        if self._hits("terminal"):
            self._arm(self._chance.choice(self._cable.wishes.any))
            if self._chance.random() < 0.3:
                self._arm(self._cable.wishes.question)
        if self._hits("wallet") and self._world.wallets:
            self._phones.go_wrong()
        if self._hits("amount"):
            self._arm(self._chance.choice(self._cable.wishes.amount))
            if self._chance.random() < 0.4:
                self._arm(self._cable.wishes.undo_refused)
            if self._world.wallets:
                self._phones.take_another_amount()
        if self._hits("unplug"):
            seconds = self._chance.choice((3, 30, 200))
            self._world.later(self._chance.uniform(0, 10), lambda: self._cable.unplug_for(seconds))
        if self._hits("batch"):
            self._note(f"batch {self._cable.settle()} is closed")
        if self._hits("odd_tills"):
            self._cable.sell_plainly()
        if self._hits("clock"):
            self._world.set_clock(self._host, self._chance)

    def _tender(self) -> dict[str, Any]:
        """Return how the shopper pays."""
        usual = self._phones.tender() if self._hits("phone") else {"kind": "card"}
        return self._hands.tender() or usual

    def _meet(self, buyer: "Buyer") -> "Buyer":
        """Let faults come together that alone do no harm."""
        self._is_away_s = 0.0
        chance, last = self._of_combined, self._last
        lags, late = self._world.hits("lag", chance), self._world.hits("late_reverse", chance)
        if lags and self._world.wallets:
            self._phones.lag()
        if late and self._world.wallets:
            self._phones.reverse_late()
        if self._world.hits("power_cut", chance):
            self._arm(LOST)
            self._world.cut_power(self._host, chance.uniform(1, 8))
            self._is_away_s = chance.uniform(1000, 2000)
        if self._world.hits("stale_answer", chance) and last is not None:
            for wish in self._cable.wishes.stale:
                self._arm(wish)
            buyer = last._replace(person=buyer.person, serial_no=buyer.serial_no)
        may_copy = self._sold is not None and not self._world.has_old_copy
        if may_copy and self._world.hits("old_copy", self._of_copies):
            buyer = self._meet_in_doubt(buyer, *self._sold)
        self._last = buyer
        if self._world.hits("long_silence", self._of_silence):
            self._arm(LOST_ANSWER)
            seconds = self._of_silence.choice((150, 250))
            self._world.later(self._of_silence.uniform(2, 8), lambda: self._cable.unplug_for(seconds))
        return buyer

    def _meet_in_doubt(self, buyer: "Buyer", before: "Buyer", record_id: str) -> "Buyer":
        """Leave a payment in doubt, take goods of the same price back, and forget that it was done."""
        self._world.has_old_copy = True
        for wish in self._cable.wishes.stale:
            self._arm(wish)

        def give_back() -> None:
            self._world.begins()
            self.give_back(record_id)

        seconds = self._of_copies.uniform(5, 30)
        self._world.later(seconds, lambda: put_an_old_copy_back(self._world, self._host, give_back))
        return before._replace(person=buyer.person, serial_no=buyer.serial_no)

    def _arm(self, wish: dict[str, Any]) -> None:
        self._cable.arm(wish)
        self._note(f"terminal: {wish['fault']} is armed")

    def _sell(self, buyer: "Buyer") -> bool:
        """Sell to a shopper; return whether it is worth no other try."""
        gtin, category, price_fen = buyer.goods
        key = self._key()
        body = {
            "item": {
                "gtin": gtin,
                "initial_price_fen": price_fen,
                "merchant_discount_fen": buyer.discount_fen,
                "serial_no": buyer.serial_no,
                "trade_in_fen": buyer.trade_in_fen,
            },
            "qualification_code": reference.code(buyer.person, category),
            "operator": "cashier-1",
            "till_no": self._till_no,
            "tender": self._tender(),
        }
        self._note(f"sells {category} {buyer.serial_no} to person {buyer.person}")
        hurried = self._hits("hasty")
        if hurried:
            # The till's program does not wait for an answer: it asks at once again.
            self._world.later(self._chance.uniform(0, 3), lambda: self._call("sell", body, key))
        stopping = self._hits("stop")
        told = self._ask("sell", body, key, wait_s=self._chance.choice((0, 5, 25)) if stopping else 25)
        if hurried:
            self._call("sell", body, key)
        if told.status != 200:
            self._note(f"is told {told.status} {told.document.get('code', '')}: goes on without")
            self._hear_of_other_cash(told)
            return False
        document = told.document
        if document["already"]:
            self._note(f"is told that {document['record_id']} binds it")
            return True
        self._world.saw(self._host, document)
        if document["next_action"] == "TRY_LATER":
            return False
        if stopping and document["state"] == "paying":
            if document["next_action"] in CASH_ACTIONS:
                self._hands.attend(document)
            Here.scheduler.sleep(self._chance.uniform(0, 8))
            told = self._ask("stop", _BY, self._key(), document["record_id"])
            if told.status != 200:
                return True
            document = told.document
        self._see_through(document)
        return True

    def _see_through(self, document: dict[str, Any]) -> None:
        """Go on as the till says until the sale has ended, or patience has."""
        record_id = document["record_id"]
        for looks in range(12):
            self._world.saw(self._host, document)
            self._phones.see(document)
            state, action = document["state"], document["next_action"]
            if state == "paid":
                self._after(document)
                return
            self._do_by_hand(document)
            if action in CASH_ACTIONS:
                told = self._with_the_cash(document)
            elif action in ("PAY_AGAIN_OR_STOP", "PAY_ANOTHER_WAY"):
                if not self._hits("again") and not self._is_away_s:
                    if action == "PAY_ANOTHER_WAY" and self._chance.random() < 0.5:
                        return
                    told = self._ask("stop", _BY, self._key(), record_id)
                else:
                    if self._chance.random() < 0.15:
                        # The shopper goes to fetch another card.
                        Here.scheduler.sleep(self._chance.uniform(600, 1500))
                    Here.scheduler.sleep(self._is_away_s)
                    told = self._ask("pay", {**_BY, "tender": self._tender()}, self._key(), record_id)
            elif document["show"] is not None and looks > _PATIENCE_LOOKS:
                told = self._ask("stop", _BY, self._key(), record_id)
            elif state in ("paying", "unknown"):
                Here.scheduler.sleep(self._chance.uniform(2, 40))
                if self._world.hits("wrong_way", self._of_wrong_ways):
                    told = self._ask("pay", {**_BY, "tender": _NOT_HERE}, self._key(), record_id)
                else:
                    told = self._ask("show", {}, "", record_id)
            else:
                return
            if told.status != 200:
                self._hear_of_other_cash(told)
                return
            document = told.document

    def _with_the_cash(self, document: dict[str, Any], *, again: bool = False) -> Told:
        """Do with cash what the till says and tell it where it is, or nothing; return what it shows then."""
        record_id, key, told = document["record_id"], "", BROKEN
        words = self._hands.attend(document, again=again)
        for place in words:
            key = key if key and self._hands.repeats() else self._key()
            told = self._ask("cash", {**_BY, "cash": place}, key, record_id)
        if not words and (after_s := self._hands.comes_back_after_s()) is not None:
            self._world.begins()
            self._world.later(after_s, lambda: self._speak(record_id))
        return told if told.status == 200 else self._ask("show", {}, "", record_id)

    def _speak(self, record_id: str) -> None:
        """Look at a sale again about whose cash nothing was said."""
        told = self._ask("show", {}, "", record_id)
        if told.status == 200 and told.document["next_action"] in CASH_ACTIONS:
            told = self._with_the_cash(told.document, again=True)
        if told.status == 200:
            self._world.saw(self._host, told.document)
        self._world.done()

    def _hear_of_other_cash(self, told: Told) -> None:
        """Say where the cash of another sale is, when the till takes none before."""
        if told.document.get("code") == "CASH_NOT_ANSWERED" and self._hands.comes_back_after_s() is not None:
            self._world.begins()
            self._speak(told.document["record_id"])

    def _do_by_hand(self, document: dict[str, Any]) -> None:
        """Charge or void at the terminal where the till says so."""
        if document["next_action"] in ("CHARGE_AT_TERMINAL", "VOID_AT_TERMINAL"):
            Here.scheduler.sleep(self._chance.uniform(0.5, 5))
            # Goods may come back at another till than the one that sold them.
            cables, links = self._world.cables, [one["terminal_no"] for one in document["attempts"]]
            cables[next(link for link in reversed(links) if link in cables)].by_hand(document)

    def _after(self, document: dict[str, Any]) -> None:
        assert self._last is not None
        self._sold = (self._last, document["record_id"])
        if document["next_action"] == "ASK_HANDED_OVER_OR_REFUND" and self._chance.random() < 0.7:
            goods = self._chance.choice(("handed_over", "refund"))
            self._ask("answer", {**_BY, "answer": goods}, self._key(), document["record_id"])
            return
        if self._hits("returns") or self._world.hits("careless_shop", self._of_returns):
            self._world.begins()
            self._world.later(self._chance.uniform(1, 200), lambda: self.give_back(document["record_id"]))

    @property
    def shop(self) -> str:
        """The shop that it stands in."""
        return self._host.shop.shop

    def give_back(self, record_id: str) -> None:
        """Take goods back, as often as the till says to come again."""
        self._note(f"takes the goods of {record_id} back")
        if "terminal" in self._world.plan.on and self._chance.random() < 0.5:
            self._arm(self._cable.wishes.void_refused)
            self._arm(self._chance.choice(self._cable.wishes.back))
        if self._world.hits("late_refund", self._of_combined) and self._world.wallets:
            self._phones.refund_late()
        if self._world.hits("unplug", self._of_returns):
            self._cable.unplug_for(self._of_returns.choice((3, 30, 200)))
        if "terminal" in self._world.plan.on and not self._world.healed and self._of_returns.random() < 0.25:
            self._arm(self._cable.wishes.void_refused)
            self._arm(self._cable.wishes.back[0])
        body = {**_BY, "supervisor": "manager-1", "supervisor_pin": PIN, "reason": "changed their mind"}
        for _ in range(4):
            told = self._ask("return", body, self._key(), record_id)
            if told.status == 200 and told.document["next_action"] == "VOID_AT_TERMINAL":
                self._do_by_hand(told.document)
                told = self._ask("show", {}, "", record_id)
            if told.status == 200 and told.document["next_action"] in CASH_ACTIONS:
                told = self._with_the_cash(told.document)
            if told.status != 200 or told.document["next_action"] not in _COME_AGAIN:
                break
            Here.scheduler.sleep(self._chance.uniform(10, 120))
        self._world.done()

    def _ask(
        self, what: str, document: dict[str, Any], key: str, record_id: str = "", wait_s: int = 25
    ) -> Told:
        """Call the agent; when the line breaks, call again with the same key."""
        told = BROKEN
        for _ in range(5):
            told = self._call(what, document, key, record_id, wait_s)
            if told.status == 200 or not (told.status in (0, 500) or told.document.get("retryable")):
                break
            if self._hits("hasty") and what == "sell":
                key = self._key()
            Here.scheduler.sleep(self._chance.uniform(2, 40))
        return told

    def _call(
        self, what: str, document: dict[str, Any], key: str, record_id: str = "", wait_s: int = 25
    ) -> Told:
        told = self._host.call(what, document, key, record_id, wait_s)
        shown = told.document
        if what == "sell" and told.status == 200 and not shown["already"]:
            known = self.sale_of.setdefault(key, shown["record_id"])
            # An old backup that was put back does not know the key any more.
            if known != shown["record_id"] and not self._host.is_doubtful:
                self._world.violated("I25 the same key is the same sale", f"{known} {shown['record_id']}")
        said = f"{shown.get('state', shown.get('code', ''))} {shown.get('next_action', '')}".strip()
        reasons = ",".join(one["code"] for one in shown.get("reasons", ()))
        self._note(f"{what} {record_id}: {told.status or 'the line broke'} {said} {reasons}".rstrip())
        return told

    def _note(self, what: str) -> None:
        self._world.trace.note(self.name, what)


_COME_AGAIN = ("RETURN_LATER", "RETURN_AGAIN", "VOID_AT_TERMINAL")
_BY = {"operator": "cashier-1"}
_NOT_HERE = {"kind": "qr_scan", "pay_code": "999650193758201746"}
"""The code of a wallet that nobody takes."""
