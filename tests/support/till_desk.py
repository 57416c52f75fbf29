"""The till API of a shop whose centre takes returns in, and what a till sends it once a payment is over.

with Desk(tmp_path) as desk:
    sold = desk.paid()
    desk.give_back(sold)
    desk.refunded(sold)
"""

from pathlib import Path
from typing import Any

import msgspec
from httpx import Response
from quiet_till import PIN, SUPERVISOR, QuietTill
from unit_shop import ack_of

from subsidy.policy.next_action import NextAction
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.ports import CentreUnreachable
from terminal_agent.checkout.sale import FOUND_LATE_MS

CARD = Evidence(code="00", trace="000042", rrn="123456789012", masked_pan="629999*********9384")
SLIP = {
    "operator": "cashier-1",
    "voucher_no": "000042",
    "rrn": "123456789012",
    "amount_fen": 319_920,
    "approved": True,
}


def return_body(**changes: Any) -> dict[str, Any]:
    """Return the body of a return, with `changes`."""
    return {
        "operator": "cashier-1",
        "supervisor": SUPERVISOR,
        "supervisor_pin": PIN,
        "reason": "不喜欢颜色",
        **changes,
    }


class Desk(QuietTill):
    """A till whose centre takes returns in."""

    line_is_down = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.centre.block = self.block  # type: ignore[method-assign]
        asks = self.centre.facts
        self.centre.facts = lambda request, within_s: self._must_reach() or asks(request, within_s)  # type: ignore[method-assign]

    def block(self, record_id: str, within_s: float) -> None:
        """Be the centre, which is told of a return that begins."""
        self._must_reach()
        self.acknowledge()

    def acknowledge(self) -> None:
        """Let the centre take in everything that waits."""
        self.journal.acknowledge([(ack_of(one), "sealed") for one in self.journal.waiting(1000)])

    def _must_reach(self) -> None:
        if self.line_is_down:
            raise CentreUnreachable("down")

    def paid(self, late: bool = False) -> dict[str, Any]:
        """Return a sale that was paid by card, `late`: so late that people are asked about its goods."""
        sold = self.post("/v1/sales", self.sale_body()).json()
        if late:
            self.clock.at_ms += FOUND_LATE_MS + 1
        self.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], CARD)
        self.acknowledge()
        self.handed_over.clear()
        return self.sale(sold["record_id"])

    def unknown(self) -> dict[str, Any]:
        """Return a sale of which nobody knows whether it was paid."""
        sold = self.post("/v1/sales", self.sale_body()).json()
        self.journal.unknown(sold["record_id"], 1, Evidence())
        self.journal.park(sold["record_id"])
        return self.sale(sold["record_id"])

    def sale(self, record_id: str) -> dict[str, Any]:
        """Return a sale as the till sees it now."""
        found: dict[str, Any] = self.send("GET", f"/v1/sales/{record_id}").json()
        return found

    def do(self, sale: dict[str, Any], what: str, body: Any, **headers: str | None) -> Response:
        """Send a call about a sale: `return`, `answer`, `slip` or `reprint`."""
        return self.post(f"/v1/sales/{sale['record_id']}/{what}", body, **headers)

    def give_back(self, sale: dict[str, Any], *, key: str | None = None, **changes: Any) -> Response:
        """Take the goods of a sale back, with `changes` to what is said of that."""
        headers = {"Idempotency_Key": key} if key else {}
        return self.do(sale, "return", return_body(**changes), **headers)

    def refunded(self, sale: dict[str, Any]) -> dict[str, Any]:
        """Let the terminal have given the money back."""
        self.journal.send_refund(sale["record_id"], "000042")
        self.journal.refunded(sale["record_id"], Evidence(code="00", trace="000043", rrn="210987654321"))
        return self.sale(sale["record_id"])

    def entries(self, sale: dict[str, Any], kind: type[Any]) -> list[Any]:
        """Return the entries that the outbox has of a sale, of this kind."""
        rows = self._connection.execute("SELECT body FROM outbox WHERE record_id = ?", (sale["record_id"],))
        found = [msgspec.json.decode(one, type=v1.Entry) for (one,) in rows.fetchall()]
        return [one for one in found if isinstance(one, kind)]


def action(document: dict[str, Any]) -> str:
    """Return what a sale's document says is to be done next, once its sentences are those of the code."""
    sentences = document["next_action_text"]
    assert sentences == {
        "zh": NextAction(document["next_action"]).zh,
        "en": NextAction(document["next_action"]).en,
    }
    said: str = document["next_action"]
    return said
