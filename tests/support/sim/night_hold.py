"""What must hold after the nights, when every file has come and people have done their work?

The acquirer's and WeChat's own books are the truth here, for shops that lie and hosts with two histories too.
"""

import json
from collections import Counter
from typing import TYPE_CHECKING

from settlement.reconcile.kinds import Wait
from sim import truth
from sim.cards.kinds import NAMELESS
from sim.cash import CASH, waiting_for_rows
from sim.rows import LISTED, RecordNow, records_now, sales_now
from sim.watch import in_books
from subsidy import ids

if TYPE_CHECKING:
    from sim.world import World

_MAY_BE_CLAIMED = ("PAYABLE", "IN_CLAIM", "PAID_OUT")
_KNOWN = (*_MAY_BE_CLAIMED, "BLOCKED", "KEPT", "AVAILABLE_AGAIN")


def check_at_rest(world: "World") -> None:
    """Ask every claim; what does not hold is noted."""
    records = {one.record_id: one for one in records_now(world)}
    for claim in _CLAIMS:
        for what in claim(world, records):
            world.violated((claim.__doc__ or "").split("\n")[0].rstrip("."), what)


def what_may_be_claimed_was_paid(world: "World", records: dict[str, RecordNow]) -> list[str]:
    """I10 what may be claimed or is paid out was paid by a shopper, whatever its shop says."""
    standing = truth.standing(world)
    blocked = {row[0] for row in in_books(world, "SELECT record_id FROM record WHERE blocks <> '[]'")}
    # What went back after payout can only be listed.
    differing = {
        row[0][:26] for row in in_books(world, "SELECT pay_ref FROM difference WHERE closed_ms IS NULL")
    }
    waiting, going_back = _waiting_for_files(world), _returns_after_payout(world)
    undone = _still_to_be_undone(world)
    found = []
    for one in records.values():
        if one.state not in _MAY_BE_CLAIMED or one.record_id in blocked:
            continue
        if one.state == "PAID_OUT" and ids.pay_ref(one.record_id, 1)[:26] in differing:
            continue
        if one.record_id in waiting or (one.record_id in going_back and _was_taken(world, one)):
            continue
        fen = sum(standing.get(ref, 0) for ref in _refs(one.record_id) if ref not in undone)
        if fen != one.to_pay_fen:
            found.append(f"{one.record_id} is {one.state} at {one.to_pay_fen} fen, of which {fen} stand")
    return found


def what_was_taken_is_granted_or_listed(world: "World", records: dict[str, RecordNow]) -> list[str]:
    """I9 what was taken from a shopper is of a granted record, or on a worklist."""
    unnamed = {
        one.pay_ref
        for terminal in world.cables.values()
        if terminal.kind in NAMELESS
        for one in terminal.charges()
    }
    listed = {row[0] for row in in_books(world, "SELECT subject FROM difference WHERE closed_ms IS NULL")}
    late = {
        row[0] for row in in_books(world, "SELECT record_id FROM record WHERE money = 'late_grants_claimed'")
    }
    maybe = in_books(
        world,
        "SELECT pay_ref FROM difference WHERE closed_ms IS NULL AND kind = 'may_be_this_payment'",
    )
    listed |= {read[0] for (ref,) in maybe if (read := ids.read_pay_ref(ref))}
    # No file has cash: what no cashier has told yet the till asks about.
    in_drawers = {one.pay_ref for one in world.drawers.charges()}
    found = []
    for ref, fen in truth.standing(world).items():
        read = ids.read_pay_ref(ref)
        if read is None or ref in in_drawers:
            continue
        record = records.get(read[0])
        if ref in unnamed and (record is None or record.to_pay_fen != fen):
            continue  # without a number only a known hold and its amount say whose it may be
        if (record is not None and record.state in _KNOWN) or read[0] in late:
            continue
        if ref not in listed and read[0] not in listed:
            found.append(
                f"{ref} stands with {fen} fen; its record is {record.state if record else 'unknown'}"
            )
    return found


def an_honest_shops_statement_ends_no_paid_hold(world: "World", _records: dict[str, RecordNow]) -> list[str]:
    """I16 a hold that its shop's statement ended was not paid, unless the shop lies or has two histories."""
    if not world.plan.on.isdisjoint(("liar", "false_statement")):
        return []
    doubtful = {world.template.devices[host.shop.shop] for host in world.hosts if host.is_doubtful}
    # People may have rejected the late grant since, and the record says why they did.
    ended = in_books(
        world,
        "SELECT record.record_id, record.device, event.body FROM record "
        "JOIN event ON event.record_id = record.record_id AND event.kind = 'hold_ended' "
        "WHERE record.state IN ('RELEASED', 'AVAILABLE_AGAIN') AND record.paid_fen > 0 ORDER BY 1",
    )
    return [
        f"{record_id} was paid, and ended by {why}"
        for record_id, device, body in ended
        if (why := json.loads(body)["why"]).startswith("statement") and device not in doubtful
    ]


def files_have_ended_every_hold(world: "World", records: dict[str, RecordNow]) -> list[str]:
    """I14 no hold is left when every file has come, unless somebody looks after it."""
    listed = {
        row[0][:26] for row in in_books(world, "SELECT pay_ref FROM difference WHERE closed_ms IS NULL")
    }
    in_drawers = {one.pay_ref for one in world.drawers.charges()}
    in_files = {ref[:26] for ref in truth.standing(world) if ref not in in_drawers}
    held = {ids.pay_ref(one.record_id, 1)[:26]: one for one in records.values() if one.state == "HELD"}
    # Where cash may be taken, files without a row prove nothing: its shop or people end such a hold.
    waits = held.keys() - in_files if CASH in world.plan.on else set[str]()
    return [f"{one.record_id} is still HELD" for ref, one in held.items() if ref not in listed | waits]


def no_more_is_paid_than_was_given(world: "World", _records: dict[str, RecordNow]) -> list[str]:
    """I3 no funder pays more cash than it gave authority for."""
    cash, given = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    for funder, account, year, fen in in_books(world, "SELECT funder, account, year, fen FROM balance"):
        if account == "bank":
            cash[funder, year] -= fen
        elif account == "appropriated":
            given[funder, year] -= fen
    return [f"{place}: {fen} paid of {given[place]} fen" for place, fen in cash.items() if fen > given[place]]


def each_record_is_paid_once(world: "World", _records: dict[str, RecordNow]) -> list[str]:
    """I27 the fund pays a record once, and what merchants were paid is what the payments say."""
    lines = in_books(world, "SELECT record_id FROM claim_line WHERE state = 'PAID'")
    found = [f"{one} is paid {times} times" for (one,), times in Counter(lines).items() if times > 1]
    by_payment = in_books(
        world,
        "SELECT one.claim, one.reference, one.fen, "
        "(SELECT coalesce(sum(line.fen), 0) FROM claim_line AS line "
        "WHERE line.claim = one.claim AND line.reference = one.reference AND line.state = 'PAID') "
        "FROM claim_payment AS one",
    )
    return found + [
        f"{claim} by {reference}: {fen} fen, its lines {paid}"
        for claim, reference, fen, paid in by_payment
        if fen != paid
    ]


def cash_waits_for_no_file(world: "World", _records: dict[str, RecordNow]) -> list[str]:
    """I27 what was paid in cash and has its invoice waits for no row of a file: none ever has it."""
    return [f"{record_id} waits: {night}" for record_id, night in waiting_for_rows(world)]


_CLAIMS = (
    what_may_be_claimed_was_paid,
    what_was_taken_is_granted_or_listed,
    an_honest_shops_statement_ends_no_paid_hold,
    files_have_ended_every_hold,
    no_more_is_paid_than_was_given,
    each_record_is_paid_once,
    cash_waits_for_no_file,
)


def _waiting_for_files(world: "World") -> set[str]:
    """Return what people entered late and no claim takes yet: a file that should have it has not come.

    The office writes no file of a day between on which nothing was sold.
    """
    to_come = Wait.FILE_TO_COME.en.rstrip(".")
    sql = "SELECT record_id, night FROM record WHERE state = 'PAYABLE' AND why LIKE 'entered late: %'"
    return {record_id for record_id, night in in_books(world, sql) if night.startswith(to_come)}


def _still_to_be_undone(world: "World") -> set[str]:
    """Return tries that their shop lists as open, of sales that nights wait for: no claim takes those yet."""
    still_open = Wait.ATTEMPT_OPEN.en.rstrip(".")
    rows = in_books(world, "SELECT record_id, night FROM record WHERE state = 'PAYABLE'")
    waiting = {record_id for record_id, night in rows if night.startswith(still_open)}
    return {
        ref
        for sale in sales_now(world)
        if sale.record_id in waiting
        for ref, state, _, _ in sale.attempts
        if state in LISTED
    }


def _returns_after_payout(world: "World") -> set[str]:
    """Return what is paid out and coming back, as the centre has heard and its last night lists."""
    last = in_books(world, "SELECT content FROM night_report ORDER BY day DESC, version DESC LIMIT 1")
    listed = {one["record_id"] for (content,) in last for one in json.loads(content)["returns_open"]}
    sql = "SELECT record_id FROM record JOIN goods_return USING (record_id)"
    rows = in_books(world, f"{sql} WHERE record.state = 'PAID_OUT' AND goods_return.state = 'RETURNING'")
    return listed & {row[0] for row in rows}


def _was_taken(world: "World", one: RecordNow) -> bool:
    return sum(truth.taken(world, _refs(one.record_id)).values()) == one.to_pay_fen


def _refs(record_id: str) -> list[str]:
    return [ids.pay_ref(record_id, no) for no in range(1, 12)]
