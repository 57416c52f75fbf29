"""Planted in how a record ends at the centre: returns, claims, and what people settle."""

from typing import Any

from settlement.claims import build, pay, settle_record
from settlement.funds import holds
from settlement.intake import accept, take_paid
from settlement.ledger import post
from settlement.ledger.accounts import Account
from settlement.ledger.post import Happening
from settlement.returns import follow
from settlement.writer import writer
from settlement.writer.rows import ClaimLine, Record
from sim.bugs import Patch, bug
from sim.bugs.at_the_centre import without_trigger


@bug("quota and serial number are free as soon as a return begins")
def return_frees_before_refunded() -> list[Patch]:
    from settlement.returns.events import GoodsFreed

    go_on = follow.follow

    def at_once(rows: Any, record_id: str, setting: Any, at_ms: int, emit: Any) -> None:
        go_on(rows, record_id, setting, at_ms, emit)
        record = rows.want(Record, record_id)
        known = rows.get(follow.GoodsReturn, record_id)
        if (
            known is not None
            and known.state == follow.RETURNING
            and not known.freed
            and record.state == "BLOCKED"
        ):
            emit(GoodsFreed(record_id=record_id, restores_quota=True))

    return [(accept, "follow", at_once), (take_paid, "follow", at_once)]


@bug("a return that was refused frees the serial number all the same")
def refused_return_frees_the_serial_number() -> list[Patch]:
    from settlement.returns.events import GoodsFreed

    go_on = follow.follow

    def careless(rows: Any, record_id: str, setting: Any, at_ms: int, emit: Any) -> None:
        go_on(rows, record_id, setting, at_ms, emit)
        known = rows.get(follow.GoodsReturn, record_id)
        if known is not None and known.state == "REFUSED" and not known.freed:
            emit(GoodsFreed(record_id=record_id, restores_quota=True))

    return [(accept, "follow", careless), (take_paid, "follow", careless)]


@bug("goods that come back after payout give the money to the pool at once")
def return_after_payout_credits_the_pool() -> list[Patch]:
    goes_back = {**follow._GOES_BACK, "PAID_OUT": Happening.RETURNED_UNCLAIMED}
    return [(follow, "_GOES_BACK", goes_back)]


@bug("a claim takes the records of a device that has not stated its holds since the day was over")
def claim_of_an_unstated_device() -> list[Patch]:
    why_not = build._why_not

    def trusting(*what: Any) -> str:
        why = why_not(*what)
        return "" if "has not stated" in why else why

    return [(build, "_why_not", trusting)]


@bug("a record that is in a claim goes into the next one as well")
def record_in_two_claims() -> list[Patch]:
    def put_line(self: Any, rows: Any) -> None:
        record = rows.want(Record, self.record_id)
        rows.put(ClaimLine(self.claim, self.record_id, record.subsidy_fen, "SUBMITTED"))

    return [
        (build.LineClaimed, "fold", put_line),
        # Else the account of what is payable would be overdrawn, and the claim refused.
        (post, "NEVER_OVERDRAWN", frozenset()),
        (writer.Writer, "start", without_trigger("balance", writer.Writer.start)),
    ]


@bug("a claim takes what no night has matched")
def claim_does_not_wait_for_the_night() -> list[Patch]:
    return [(build, "waits_for", lambda record: ""), (pay, "waits_for", lambda record: "")]


@bug("the money of a kept record that people reject is taken out of what is payable")
def rejected_out_of_the_wrong_account() -> list[Patch]:
    gives_back = {**settle_record._GIVES_BACK, Account.HELD.value: Happening.BLOCKED_REJECTED}
    return [(settle_record, "_GIVES_BACK", gives_back)]


@bug("rejecting a record frees its serial number, whatever people say of the sale")
def rejecting_frees_what_was_sold() -> list[Patch]:
    fold = settle_record.RecordRejected.fold

    def careless(self: Any, rows: Any) -> None:
        record = rows.want(Record, self.record_id)
        if not self.frees_goods:
            holds.give_back(rows, record, with_quota=False)
        fold(self, rows)

    return [(settle_record.RecordRejected, "fold", careless)]
