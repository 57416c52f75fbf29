"""What do other people's books say of a shop: acquirers', channels', the centre's, and its drawers?"""

import json
from pathlib import Path
from typing import Any

from alipay import MOVES, EmulatedAlipay
from emulator import EmulatedTerminal
from real_centre import RealCentre
from story import shop_files
from story.count import (
    Movement,
    of_acquirer,
    of_alipay,
    of_unionpay,
    of_wechat,
    record_of,
    standing_charges,
)
from story.processes import wait_for
from unionpay import EmulatedUnionPay
from wechat import EmulatedWechat

SALE_COMMAND = b"\x9f\x01\x00\x01\x02"  # tag 01, the transaction type, one byte: sale
_BY_PHONE = ("charge", "reversal", "refund")


class SeenByOthers:
    """A shop by what those keep who deal with it. `in_drawer` is what was moved there, by hand."""

    def __init__(
        self,
        folder: Path,
        centre: RealCentre,
        terminals: list[EmulatedTerminal],
        wechat: EmulatedWechat | None = None,
        alipay: EmulatedAlipay | None = None,
        unionpay: EmulatedUnionPay | None = None,
    ) -> None:
        self.folder = folder
        self.centre = centre
        self.terminals = terminals
        self.wechat = wechat
        self.alipay = alipay
        self.unionpay = unionpay
        self.in_drawer: list[Movement] = []

    def acquirer(self) -> list[dict[str, Any]]:
        """Return every line of the acquirers' books."""
        return [line for terminal in self.terminals for line in terminal.books()]

    def charges(self, record_id: str) -> int:
        """Return how many charges of a sale stand at the acquirers."""
        return len(self.standing().get(record_id, []))

    def standing(self) -> dict[str, list[int]]:
        """Return, by record, the amounts that were charged and never given back, whatever the way."""
        phones = self.wechat.books() if self.wechat else []
        ours = [one for one in self.acquirer() if one["pay_ref"]]
        others = self.alipay.books() if self.alipay else []
        charges, given_back_twice = standing_charges(
            [
                *of_acquirer(ours),
                *of_wechat(phones),
                *of_alipay(others),
                *of_unionpay(self.unionpay.books() if self.unionpay else []),
                *self.in_drawer,
            ]
        )
        assert given_back_twice == 0
        return charges

    def moved(self, record_id: str) -> list[str]:
        """Return what moved money for a sale at the terminals: "sale", "void" and "refund", in order."""
        lines = [one for one in self.acquirer() if one["kind"] in ("sale", "void", "refund")]
        return [one["kind"] for one in lines if record_of(one["pay_ref"]) == record_id]

    def moved_by_phone(self, record_id: str) -> list[str]:
        """Return what moved money for a sale at WeChat Pay: "charge", "reversal" and "refund", in order."""
        assert self.wechat is not None
        lines = [one for one in self.wechat.books() if one["kind"] in _BY_PHONE and one["fen"]]
        return [one["kind"] for one in lines if record_of(one["out_trade_no"]) == record_id]

    def moved_by_alipay(self, record_id: str) -> list[str]:
        """Return what moved money for a sale at Alipay: "pay", "cancel" and "refund", in order."""
        assert self.alipay is not None
        lines = [one for one in self.alipay.books() if one["kind"] in MOVES and one["fen"]]
        return [one["kind"] for one in lines if record_of(one["out_trade_no"]) == record_id]

    def moved_by_unionpay(self, record_id: str) -> list[str]:
        """Return what moved money for a sale at UnionPay: "charge", "reversal" and "refund", in order."""
        assert self.unionpay is not None
        lines = [one for one in self.unionpay.books() if one["kind"] in _BY_PHONE and one["fen"]]
        return [one["kind"] for one in lines if record_of(one["orig"] or one["order_id"]) == record_id]

    def sale_commands(self) -> int:
        """Return how often the terminals were told to take money, in bytes on the line.

        A terminal that knows a repeat by its nonce would not charge again; others would.
        """
        told = 0
        for one in shop_files.TERMINALS:
            with (self.folder / f"{one}.transcript").open(encoding="utf-8") as lines:
                notes = [json.loads(line) for line in lines]
            heard = b"".join(bytes.fromhex(note["hex"]) for note in notes if note["from"] == "till")
            told += heard.count(SALE_COMMAND)
        return told

    def centre_record(self, record_id: str) -> dict[str, Any] | None:
        """Return the centre's record of a sale, or None."""
        return self.centre.record(record_id)

    def wait_for_record(self, record_id: str, state: str) -> dict[str, Any]:
        """Wait until the centre's record of a sale stands so, and return it."""

        def look() -> dict[str, Any] | None:
            record = self.centre_record(record_id)
            return record if record and record["state"] == state else None

        found: dict[str, Any] = wait_for(f"the centre's record of {record_id} is {state}", look)
        return found
