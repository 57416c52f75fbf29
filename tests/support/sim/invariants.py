"""What must hold when everything has come to rest, whatever went wrong before? A function for each claim.

They look at what was written down at shops and centre and at the acquirer's own books, never at what a
program thinks. The numbers are those of the list that the whole project keeps (docs/reliability.md).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sim import books_hold, cash, neighbour, truth
from sim.rows import LISTED, Claim, RecordNow, SaleNow, records_now, sales_now
from sim.watch import in_books, in_journal
from subsidy import ids

if TYPE_CHECKING:
    from sim.world import World

# A line that is in a claim goes back when that is paid; a rejected one was the fund's again before.
_AFTER_A_RETURN = ("RETURNED", "IN_CLAIM", "AVAILABLE_AGAIN")
_REBUILD_EVERY = 10
_SLOWEST_PAYMENT_MS = 200_000
_QUARANTINED = {"poison", "careless_shop"}
"""With these some entries cannot be taken."""
_GRANTED = ("PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT")


def check_at_rest(world: "World") -> None:
    """Ask every claim; what does not hold is noted."""
    sales = sales_now(world)
    records = {one.record_id: one for one in records_now(world)}
    world.ends.update(one.state for one in sales)
    for claim in CLAIMS:
        for what in claim(world, sales, records):
            world.violated((claim.__doc__ or "").split("\n")[0].rstrip("."), what)
    books_hold.they_balance(world)
    if world.plan.seed % _REBUILD_EVERY == 0:
        books_hold.they_follow_from_their_events(world)


def check_after_a_step(world: "World") -> None:
    """Ask the claims about the books that hold at all times."""
    records = {one.record_id: one for one in records_now(world)}
    for claim in books_hold.STEP_CLAIMS:
        for what in claim(world, [], records):
            world.violated((claim.__doc__ or "").split("\n")[0].rstrip("."), what)


# The claims.


def every_sale_ends_or_is_listed(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I14 every sale ends, or is listed as unknown with its next step."""
    for sale in sales:
        ended = sale.state in ("REFUSED", "CLOSED", "PAID", "RETURNED")
        # A payment beside one whose money is on its way back is under way as well.
        listed = sale.state in ("PARKED", "RETURNING") or (sale.state == "PAYING" and sale.has_open)
        if not ended and not listed:
            yield f"{sale.record_id} is {sale.state} {sale.attempts}"


def nobody_is_charged_twice(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I8 nobody is charged twice for one sale, and no order number twice."""
    for sale in sales:
        standing = truth.standing(world, sale.refs)
        listed = {ref for ref, state, _, _ in sale.attempts if state in LISTED}
        if len(standing.keys() - listed) > 1:
            yield f"{sale.record_id} {standing}"
    for ref, times in truth.times_charged(world).items():
        if times > 1:
            yield f"{ref} was charged {times} times"


def what_is_charged_is_written_down(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I9 a payment that stands is a paid sale's, of its amount, or an attempt that is listed."""
    known: dict[str, tuple[SaleNow, str, int]] = {}
    for sale in sales:
        for ref, state, amount_fen, _ in sale.attempts:
            known[ref] = (sale, state, amount_fen)
    for ref, fen in truth.standing(world).items():
        if ref not in known:
            if not _is_doubtful(world, ref):
                yield f"{ref} of {fen} fen is in no journal"
            continue
        sale, state, amount_fen = known[ref]
        if state in LISTED:
            continue
        if state != "PAID" or amount_fen != fen or sale.state not in ("PAID", "RETURNING"):
            yield f"{ref} stands with {fen} of {amount_fen} fen; it is {state}, its sale {sale.state}"


def what_is_paid_was_charged(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I10 a paid sale's payment stands, and a returned one's does not."""
    for sale in sales:
        for ref, state, amount_fen, approved_fen in sale.attempts:
            if state != "PAID" or ref in world.undone_unseen:
                continue
            fen = truth.standing(world, [ref]).get(ref, 0)
            if sale.state == "PAID" and (fen != amount_fen or approved_fen != amount_fen):
                yield f"{sale.record_id} is PAID with {amount_fen} fen, of which {fen} stand"
            if sale.state == "RETURNED" and fen:
                yield f"{sale.record_id} is RETURNED and {fen} fen stand"


def no_more_goes_back_than_was_taken(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I12 no more goes back than was taken."""
    yield from truth.overdrawn(world)


def a_paid_sale_is_granted_once(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I4 a paid sale has exactly one record that is granted, kept with an owner, or a late grant."""
    for sale in sales:
        record = records.get(sale.record_id)
        if sale.state == "PAID":
            if record is None:
                yield f"{sale.record_id} is PAID and has no record"
            elif record.state == "RELEASED" and _is_a_late_grant(world, sale.record_id):
                continue
            elif record.state not in (*_GRANTED, "KEPT", "AVAILABLE_AGAIN"):
                yield f"{sale.record_id} is PAID and its record {record.state}"
        elif sale.state == "RETURNED" and record is not None and record.state not in _AFTER_A_RETURN:
            if record.state == "RELEASED" and _is_a_late_grant(world, sale.record_id):
                continue
            if record.state == "RELEASED" and record.back == "REFUNDED" and record.why.startswith("files "):
                continue  # its rows in them came to nothing, before its shop told
            yield f"{sale.record_id} is RETURNED and its record {record.state}"
        elif sale.state in ("CLOSED", "REFUSED") and record is not None and record.state != "RELEASED":
            if record.state in _AFTER_A_RETURN and record.back == "REFUNDED":
                continue  # the files had found it paid, and what it took went back afterwards
            yield f"{sale.record_id} is {sale.state} and its record {record.state}"


def what_is_granted_was_paid(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I10 what the fund grants was paid at a till, at the promised amount."""
    sql = "SELECT record_id FROM record WHERE blocks LIKE '%returned%'"
    doubtful = _doubtful_devices(world)
    withheld = {row[0] for row in in_books(world, sql)}
    by_id = {sale.record_id: sale for sale in sales}
    for record in records.values():
        if record.state not in _GRANTED or record.record_id in withheld:
            continue
        sale = by_id.get(record.record_id)
        if sale is None and record.device in doubtful:
            continue
        stands = sum(truth.standing(world, sale.refs).values()) if sale is not None else 0
        if sale is not None and sale.state == "PARKED" and record.recovered and stands == record.to_pay_fen:
            continue  # the files have found it paid, and its shop is not there yet
        if sale is None or sale.state not in ("PAID", "RETURNING"):
            yield f"{record.record_id} is {record.state}, its sale {sale.state if sale else 'unknown'}"
        elif not world.undone_unseen.isdisjoint(sale.refs):
            continue
        elif stands < record.to_pay_fen and sale.state == "PAID":
            yield f"{record.record_id} is {record.state} and its payment does not stand"


def what_was_given_up_is_not_sold(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I8 a sale that the cashier gave up before it was paid is never paid."""
    for sale in sales:
        if sale.stop and sale.state in ("PAID", "RETURNING", "RETURNED"):
            yield f"{sale.record_id} was given up and is {sale.state}"


def no_payment_begins_under_a_hold_that_is_over(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I14 no payment begins when its hold's time is over."""
    placed = dict(in_books(world, "SELECT record_id, placed_at_ms + held_for_s * 1000 FROM record"))
    for one in truth.charges(world):
        read = ids.read_pay_ref(one.pay_ref)
        over_ms = placed.get(read[0]) if read else None
        if over_ms and one.at_ms > over_ms + _SLOWEST_PAYMENT_MS:
            yield f"{one.pay_ref} was charged {(one.at_ms - over_ms) // 1000} s after its hold was over"


def a_code_that_is_shown_ends_with_its_hold(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I14 a code that is shown can be paid no longer than its hold lasts."""
    placed = dict(in_books(world, "SELECT record_id, placed_at_ms + held_for_s * 1000 FROM record"))
    for wallet in world.wallets.values():
        for pay_ref, until_ms in wallet.shown():
            read = ids.read_pay_ref(pay_ref)
            over_ms = placed.get(read[0]) if read else None
            if over_ms and until_ms > over_ms:
                yield f"{pay_ref} can be paid for {(until_ms - over_ms) // 1000} s after its hold is over"


def a_hold_is_open_only_while_its_sale_is(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I14 a hold is open only while its sale is."""
    doubtful = _doubtful_devices(world)
    by_id = {sale.record_id: sale for sale in sales}
    for record in records.values():
        sale = by_id.get(record.record_id)
        if record.device in doubtful:
            continue
        if record.state == "HELD" and (sale is None or sale.state not in ("PARKED", "PAYING")):
            yield f"{record.record_id} is HELD, its sale {sale.state if sale else 'unknown'}"


def the_outbox_is_acknowledged(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I15 every entry of an outbox is at the centre with its hash, acknowledged, and none is quarantined."""
    kept = {
        (device, seq): (hashed, answer)
        for device, seq, hashed, answer in in_books(world, "SELECT device, seq, hash, answer FROM entry_row")
    }
    for host in world.hosts:
        if host.is_doubtful:
            continue
        device = world.template.devices[host.shop.shop]
        for seq, hashed, answer in in_journal(host, "SELECT seq, hash, answer FROM outbox"):
            at_centre = kept.get((device, seq))
            if answer is None:
                yield f"{host.name} {seq} is not acknowledged"
            elif at_centre is None or at_centre[0] != hashed:
                yield f"{host.name} {seq} is acknowledged and not at the centre"
            elif answer == "quarantined" and _QUARANTINED.isdisjoint(world.plan.on):
                yield f"{host.name} {seq} is quarantined"


def nothing_unmatched_is_claimed(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I27 nothing is claimed and paid before a night has matched it."""
    matched = (
        "night.kind = 'record_recovered' OR "
        "night.kind = 'night_payment_looked_at' AND night.body LIKE '%\"says\":\"matched\"%'"
    )
    for record_id, event_no in in_books(
        world,
        "SELECT line.record_id, line.event_no FROM event AS line WHERE line.kind = 'line_claimed' "
        "AND NOT EXISTS (SELECT 1 FROM event AS night WHERE night.record_id = line.record_id "
        f"AND night.event_no < line.event_no AND ({matched})) ORDER BY 2",
    ):
        yield f"{record_id} went into a claim by event {event_no}"


CLAIMS: tuple[Claim, ...] = (
    what_was_given_up_is_not_sold,
    no_payment_begins_under_a_hold_that_is_over,
    a_code_that_is_shown_ends_with_its_hold,
    every_sale_ends_or_is_listed,
    nobody_is_charged_twice,
    what_is_charged_is_written_down,
    what_is_paid_was_charged,
    no_more_goes_back_than_was_taken,
    a_paid_sale_is_granted_once,
    what_is_granted_was_paid,
    a_hold_is_open_only_while_its_sale_is,
    the_outbox_is_acknowledged,
    nothing_unmatched_is_claimed,
    *cash.CLAIMS,
    neighbour.a_persons_quota_is_of_all_programmes,
    *books_hold.CLAIMS,
)


def _is_a_late_grant(world: "World", record_id: str) -> bool:
    """Whether people ended its hold or restored books had lost it, and it was paid, which is listed."""
    sql = "SELECT body FROM event WHERE kind IN ('hold_ended', 'buried') AND record_id = ?"
    ended = [msgspec.json.decode(row[0]) for row in in_books(world, sql, record_id)]
    noted = in_books(world, "SELECT 1 FROM difference WHERE subject = ?", record_id)
    said = ("nobody answers", "its hold is not in the books")
    return bool(noted) and any(one.get("by") or any(why in one["why"] for why in said) for one in ended)


def _doubtful_devices(world: "World") -> set[str]:
    """Return the devices whose host has two histories."""
    return {world.template.devices[host.shop.shop] for host in world.hosts if host.is_doubtful}


def _is_doubtful(world: "World", pay_ref: str) -> bool:
    """Whether a payment may have been one of a host with two histories: the night finds it in the files."""
    read = ids.read_pay_ref(pay_ref)
    found = in_books(world, "SELECT device FROM record WHERE record_id = ?", read[0]) if read else []
    return not found or found[0][0] in _doubtful_devices(world) if _doubtful_devices(world) else False
