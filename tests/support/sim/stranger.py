"""What does a program do that may talk to a shop's agent, or to its line, and means ill?

It has what the till has: the agent's address and token, the receipts, the keys that were used. Behind the
shop's line it has heard what agents have sent. It has neither a supervisor's PIN nor a device's key.
"""

import hashlib
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import reference_data as reference
import requests

from sim.lend import PIN
from sim.network import Came, Sent
from sim.people import GOODS, Cashier
from sim.scheduler import Process
from sim.shop_host import ShopHost
from sim.template import URL as CENTRE
from sim.threads import Here
from sim.watch import in_journal

if TYPE_CHECKING:
    from sim.world import World

_HEARD_AT_MOST = 30
_JUNK: tuple[dict[str, Any], ...] = (
    {"operator": "11010119900307781X"},
    {"tender": {"kind": "gold"}},
    {"tender": {"kind": "card", "approved": True}},
    {"item": None},
    {"till_no": "T1'; DROP TABLE sale; --\x00"},
    {"expected_paid_fen": -1},
    {"qualification_code": {"$gt": ""}},
    {"state": "paid"},
)
"""What is put into a sale's body instead of what stands there, or beside it."""


def come_in(world: "World") -> None:
    """Let somebody who means ill be in the shops, in the world of a plan that has it."""
    if "stranger" not in world.plan.on:
        return
    stranger = _Stranger(world)
    chance = world.plan.chance("when the stranger acts")
    for _ in range(chance.randint(4, 10)):
        world.later(chance.uniform(5, 500), stranger.act)


class _Stranger:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.plan.chance("stranger")
        self._keys = 0
        self._heard: list[Sent] = []
        self._process = Process("stranger")
        before = world.network.on_answer

        def listen(who: str, address: str, sent: Sent, came: Came) -> None:
            before(who, address, sent, came)
            if address == CENTRE and sent.body:
                self._heard = [*self._heard[1 - _HEARD_AT_MOST :], sent]

        world.network.on_answer = listen

    def act(self) -> None:
        """Do one of the things."""
        if self._world.healed:
            return
        host = self._chance.choice(self._world.hosts)
        self._chance.choice(
            (self._reuse_a_key, self._ask_all_at_once, self._meddle, self._guess, self._talk_nonsense)
            if self._chance.random() < 0.8
            else (self._send_again,)
        )(host)

    def _reuse_a_key(self, host: ShopHost) -> None:
        """Ask for another sale under a key that a till was answered under."""
        known = {key: sale for till in self._tills_of(host) for key, sale in till.sale_of.items()}
        if not known:
            return
        key = self._chance.choice(list(known))
        told = self._call(host, "sell", self._sale(host), key)
        if told[0] == 200 and not host.is_doubtful:
            self._world.violated("I25 a key stands for one sale and its words", f"{key} {told[1]}")

    def _ask_all_at_once(self, host: ShopHost) -> None:
        """Ask several times for a sale of one item to one person, each time under a new key."""
        body = self._sale(host)
        for _ in range(self._chance.randint(3, 6)):
            self._world.later(
                self._chance.uniform(0, 0.5), lambda: self._call(host, "sell", body, self._key())
            )

    def _meddle(self, host: ShopHost) -> None:
        """Pay, stop or settle what others sell, at times twice at once."""
        record_id = self._receipt(host)
        what, body = self._chance.choice(
            (
                ("pay", {**_BY, "tender": {"kind": "card"}}),
                ("stop", _BY),
                ("answer", {**_BY, "answer": "handed_over"}),
                ("answer", {**_BY, "answer": "refund"}),
            )
        )
        if record_id:
            for _ in range(self._chance.choice((1, 1, 2))):
                self._world.later(0.0, lambda: self._call(host, what, body, self._key(), record_id))

    def _guess(self, host: ShopHost) -> None:
        """Take goods back without knowing the supervisor's PIN."""
        record_id = self._receipt(host)
        for _ in range(self._chance.randint(1, 3) if record_id else 0):
            pin = f"{self._chance.randrange(10**6):06d}"
            body = {**_BY, "supervisor": "manager-1", "supervisor_pin": pin, "reason": "let me in"}
            told = self._call(host, "return", body, self._key(), record_id)
            if told[0] == 200 and pin != PIN:
                self._world.violated("goods come back on a supervisor's word", f"{record_id}: {told[1]}")

    def _talk_nonsense(self, host: ShopHost) -> None:
        """Send a sale of which one field is nonsense."""
        body = {**self._sale(host), **self._chance.choice(_JUNK)}
        told = self._call(host, "sell", body, self._key())
        if told[0] == 200:
            self._world.violated("what is no sale is refused", told[1])

    def _send_again(self, _host: ShopHost) -> None:
        """Send the centre what an agent has sent before, as it was or forged without the key."""
        if not self._heard:
            return
        sent = self._chance.choice(self._heard)
        if forged := self._chance.random() < 0.7:
            sent = self._forged(sent)

        def work() -> None:
            try:
                came = self._world.network.exchange(sent, CENTRE, 20.0)
            except requests.RequestException:
                return
            if forged and came.status == 200 and not came.body.startswith(b"<html"):
                self._world.violated("the centre takes what a device has signed", f"{sent.path}")

        Here.scheduler.spawn(self._process, "send again", work)

    def _forged(self, sent: Sent) -> Sent:
        """Return a request that says something else, as fresh as if it were signed now."""
        digits = [at for at, one in enumerate(sent.body) if 0x31 <= one <= 0x38]
        at = self._chance.choice(digits)
        body = sent.body[:at] + bytes([sent.body[at] + 1]) + sent.body[at + 1 :]
        digest = b64encode(hashlib.sha256(body).digest()).decode()
        headers = {name.lower(): value for name, value in sent.headers.items()}
        headers["content-digest"] = f"sha-256=:{digest}:"
        fresh = f"created={Here.scheduler.now_ms // 1000}"
        dated = re.sub(r"created=\d+", fresh, headers["signature-input"])
        nonce = f'nonce="{self._chance.getrandbits(128):032x}"'
        headers["signature-input"] = re.sub(r'nonce="[^"]*"', nonce, dated)
        return sent._replace(headers=headers, body=body)

    def _tills_of(self, host: ShopHost) -> list[Cashier]:
        return [till for till in self._world.tills if till.shop == host.shop.shop]

    def _receipt(self, host: ShopHost) -> str:
        if host.agent is None:
            return ""
        found = in_journal(host, "SELECT record_id FROM sale ORDER BY rowid DESC LIMIT 6")
        return self._chance.choice(found)[0] if found else ""

    def _sale(self, host: ShopHost) -> dict[str, Any]:
        gtin, category, price_fen = self._chance.choice(GOODS)
        buyer = self._world.somebody(self._chance)
        return {
            "item": {
                "gtin": gtin,
                "initial_price_fen": price_fen,
                "merchant_discount_fen": self._chance.choice((0, price_fen)),
                "serial_no": f"SN9{self._chance.randrange(10**6):06d}",
            },
            "qualification_code": reference.code(buyer.person, category),
            "operator": "cashier-1",
            "till_no": self._chance.choice(list(host.shop.tills)),
            "tender": {"kind": "card"},
        }

    def _key(self) -> str:
        self._keys += 1
        return f"stranger-{self._keys:08d}"

    def _call(
        self, host: ShopHost, what: str, body: dict[str, Any], key: str, record_id: str = ""
    ) -> tuple[int, str]:
        if self._world.healed:
            return 0, ""
        told = host.call(what, body, key, record_id, 0)
        shown = told.document
        said = f"{shown.get('record_id', '')} {shown.get('state', shown.get('code', ''))}".strip()
        self._world.trace.note("the stranger", f"{what} {record_id} at {host.name}: {told.status} {said}")
        return told.status, said


_BY = {"operator": "cashier-1"}
