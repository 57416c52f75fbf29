"""What must hold when everything has come to rest, whatever went wrong before? A function for each claim.

They look at what was written down at shops and centre and at the acquirer's own books, never at what a
program thinks. The numbers are those of the list that the whole project keeps (docs/reliability.md).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pysqlite3.dbapi2
from sqlalchemy import Connection, create_engine

from settlement.copies.rebuild import rebuild
from settlement.ledger import read_books
from settlement.ledger.accounts import NEVER_OVERDRAWN
from sim import truth
from sim.disk import real_connect
from sim.watch import in_books, in_journal
from subsidy import ids
from subsidy.policy.split import Part

if TYPE_CHECKING:
    from sim.world import World

# A line that was rejected is the fund's again; its sale is one all the same.
_LIVE = ("HELD", "PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT", "KEPT", "AVAILABLE_AGAIN")
# A line that is in a claim goes back when that is paid; a rejected one was the fund's again before.
_AFTER_A_RETURN = ("RETURNED", "IN_CLAIM", "AVAILABLE_AGAIN")
_REBUILD_EVERY = 10
# The day of a claim is over at midnight in Shanghai, eight hours before Greenwich's.
_LINES_OF_SILENT_DEVICES = """
    SELECT DISTINCT claim.claim, record.device FROM claim
    JOIN claim_line USING (claim) JOIN record USING (record_id)
    WHERE NOT EXISTS (
        SELECT 1 FROM event WHERE kind = 'upload_taken' AND body LIKE '%' || record.device || '%'
        AND at_ms >= (unixepoch(claim.day) + 57600) * 1000 AND at_ms <= claim.built_ms
    )
"""
_SLOWEST_PAYMENT_MS = 200_000
_GRANTED = ("PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT")


class SaleNow(NamedTuple):
    """A sale as its journal has it, with its attempts: (pay_ref, state, amount_fen, approved_fen)."""

    record_id: str
    state: str
    stop: int
    attempts: list[tuple[str, str, int, int | None]]

    @property
    def refs(self) -> list[str]:
        """The order numbers of its attempts."""
        return [one[0] for one in self.attempts]

    @property
    def has_open(self) -> bool:
        """Whether an attempt is listed as one that money may still move for."""
        return any(one[1] in ("INTENDED", "UNKNOWN", "REVERSING", "GIVING_BACK") for one in self.attempts)


class RecordNow(NamedTuple):
    """A record as the books have it."""

    record_id: str
    device: str
    state: str
    subsidy_fen: int
    to_pay_fen: int
    paid_fen: int
    person: str
    category: str
    year: int
    brand: str
    serial_no: str | None
    parts: str
    why: str
    back: str | None

    @property
    def is_live(self) -> bool:
        """Whether it counts for its person and its serial number: until the money went back."""
        return self.state in _LIVE and self.back != "REFUNDED"


Claim = Callable[["World", list[SaleNow], dict[str, RecordNow]], Iterator[str]]


def check_at_rest(world: "World") -> None:
    """Ask every claim; what does not hold is noted."""
    sales = sales_now(world)
    records = {one.record_id: one for one in records_now(world)}
    world.ends.update(one.state for one in sales)
    for claim in CLAIMS:
        for what in claim(world, sales, records):
            world.violated((claim.__doc__ or "").split("\n")[0].rstrip("."), what)
    _in_the_books(world)
    if world.plan.seed % _REBUILD_EVERY == 0:
        books_follow_from_their_events(world)


def check_after_a_step(world: "World") -> None:
    """Ask the claims about the books that hold at all times."""
    records = {one.record_id: one for one in records_now(world)}
    for claim in STEP_CLAIMS:
        for what in claim(world, [], records):
            world.violated((claim.__doc__ or "").split("\n")[0].rstrip("."), what)


def sales_now(world: "World") -> list[SaleNow]:
    """Return every sale of every journal."""
    found = []
    for host in world.hosts:
        if host.is_doubtful:
            continue
        attempts: dict[str, list[tuple[str, str, int, int | None]]] = {}
        for record_id, *one in in_journal(
            host,
            "SELECT record_id, pay_ref, state, amount_fen, approved_fen FROM attempt ORDER BY record_id, no",
        ):
            attempts.setdefault(record_id, []).append(tuple(one))  # type: ignore[arg-type]
        rows = in_journal(host, "SELECT record_id, state, stop FROM sale ORDER BY record_id")
        found += [SaleNow(*row, attempts.get(row[0], [])) for row in rows]
    return found


def records_now(world: "World") -> list[RecordNow]:
    """Return every record of the books."""
    columns = ", ".join(f"record.{name}" for name in RecordNow._fields if name != "back")
    tables = "record LEFT JOIN goods_return USING (record_id)"
    rows = in_books(world, f"SELECT {columns}, goods_return.state FROM {tables} ORDER BY 1")
    return [RecordNow(*row) for row in rows]


def is_at_rest(world: "World") -> bool:
    """Whether nothing is under way that would still change by itself."""
    if world.centre.service.process is None or any(not host.is_up for host in world.hosts):
        return False
    for host in world.hosts:
        if host.is_doubtful:
            continue
        ((waiting,),) = in_journal(host, "SELECT count(*) FROM outbox WHERE answer IS NULL")
        ((moving,),) = in_journal(
            host, "SELECT count(*) FROM sale WHERE state IN ('NEW', 'ASKING', 'HELD', 'PAYING', 'CLOSING')"
        )
        if waiting or moving:
            return False
    return True


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
        listed = {
            ref for ref, state, _, _ in sale.attempts if state in ("UNKNOWN", "REVERSING", "GIVING_BACK")
        }
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
        if state in ("UNKNOWN", "REVERSING", "GIVING_BACK"):
            continue
        if state != "PAID" or amount_fen != fen or sale.state not in ("PAID", "RETURNING"):
            yield f"{ref} stands with {fen} of {amount_fen} fen; it is {state}, its sale {sale.state}"


def what_is_paid_was_charged(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I10 a paid sale's payment stands, and a returned one's does not."""
    for sale in sales:
        for ref, state, amount_fen, approved_fen in sale.attempts:
            if state != "PAID":
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
            elif record.state == "RELEASED" and _was_released_by_people(world, sale.record_id):
                continue  # a late grant, beside the pool
            elif record.state not in (*_GRANTED, "KEPT", "AVAILABLE_AGAIN"):
                yield f"{sale.record_id} is PAID and its record {record.state}"
        elif sale.state == "RETURNED" and record is not None and record.state not in _AFTER_A_RETURN:
            yield f"{sale.record_id} is RETURNED and its record {record.state}"
        elif sale.state in ("CLOSED", "REFUSED") and record is not None and record.state != "RELEASED":
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
        if sale is None or sale.state not in ("PAID", "RETURNING"):
            yield f"{record.record_id} is {record.state}, its sale {sale.state if sale else 'unknown'}"
        elif sum(truth.standing(world, sale.refs).values()) < record.to_pay_fen and sale.state == "PAID":
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


def a_hold_is_placed_at_the_centres_time(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I29 a hold is placed at the centre's time, whatever a shop's clock says."""
    sql = (
        "SELECT record.record_id, placed_at_ms, at_ms FROM record JOIN event USING (record_id) "
        "WHERE kind = 'hold_placed' AND placed_at_ms <> at_ms AND request_mac <> 'rebuilt'"
    )
    for record_id, placed_ms, at_ms in in_books(world, sql):
        yield f"{record_id} was placed at {placed_ms}, decided at {at_ms}"


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


def a_qualification_counts_once(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I6 a person has one grant of a category a year."""
    live = Counter((one.person, one.category, one.year) for one in records.values() if one.is_live)
    for (person, category, year), count in live.items():
        if count > 1:
            yield f"{person[:8]} has {count} of {category} in {year}"
    for person, category, year, used in in_books(world, "SELECT person, category, year, used FROM quota"):
        found = live.get((person, category, year), 0)
        if used != found:
            yield f"{person[:8]} {category} {year}: {used} are counted, {found} live"


def a_serial_number_is_subsidised_once(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I7 a serial number is subsidised at most once."""
    taken = {
        (row[0], row[1]): row[2] for row in in_books(world, "SELECT brand, serial_no, taken_by FROM serial")
    }
    for one in records.values():
        if one.is_live and one.serial_no and taken.get((one.brand, one.serial_no)) is None:
            yield f"{one.record_id} is {one.state} and {one.serial_no} is free"
    live = Counter((one.brand, one.serial_no) for one in records.values() if one.is_live)
    for (brand, serial_no), count in live.items():
        if count > 1 and serial_no is not None:
            yield f"{brand} {serial_no}: {count} records"


def parts_add_up(world: "World", sales: list[SaleNow], records: dict[str, RecordNow]) -> Iterator[str]:
    """I5 what the funders bear of a grant adds up to it."""
    for record in records.values():
        parts = msgspec.json.decode(record.parts, type=list[Part])
        if sum(part.fen for part in parts) != record.subsidy_fen:
            yield f"{record.record_id} {record.parts}"


def the_books_hold_what_records_say(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I2 held and payable are what the records add up to, per funder."""
    accounts = {"held": ("HELD", "KEPT"), "payable": ("PAYABLE", "BLOCKED"), "in_claim": ("IN_CLAIM",)}
    balances = in_books(world, "SELECT funder, account, year, fen FROM balance")
    for account, states in accounts.items():
        wanted: Counter[tuple[str, int]] = Counter()
        for record in records.values():
            if record.state in states:
                for part in msgspec.json.decode(record.parts, type=list[Part]):
                    wanted[part.funder, record.year] += part.fen
        found = {(funder, year): fen for funder, name, year, fen in balances if name == account and fen}
        if found != {place: fen for place, fen in wanted.items() if fen}:
            yield f"{account}: {found} in the books, {dict(wanted)} by the records"


def a_claim_is_what_its_lines_say(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I27 a claim is the sum of its lines, and each record is paid once at most."""
    sums = in_books(
        world,
        "SELECT claim.claim, lines, claim.fen, count(*), sum(claim_line.fen) FROM claim "
        "JOIN claim_line USING (claim) GROUP BY claim.claim",
    )
    for claim, lines, fen, count, total in sums:
        if (lines, fen) != (count, total):
            yield f"{claim} has {lines} lines of {fen} fen; they are {count} of {total}"
    for claim, device in in_books(world, _LINES_OF_SILENT_DEVICES):
        yield f"{claim} has a record of {device}, which had not stated its holds since the day was over"
    sql = "SELECT record_id FROM claim_line WHERE state IN ('PAID', 'SUBMITTED')"
    paid = Counter(row[0] for row in in_books(world, sql))
    for record_id, times in paid.items():
        if times > 1:
            yield f"{record_id} is in {times} claims"
    paid_out = in_books(world, "SELECT sum(fen) FROM balance WHERE account = 'paid_out'")[0][0] or 0
    lines_paid = in_books(world, "SELECT sum(fen) FROM claim_line WHERE state = 'PAID'")[0][0] or 0
    if paid_out != lines_paid:
        yield f"{paid_out} fen were paid out, {lines_paid} by the lines"


def nothing_is_overdrawn(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I3 no account is overdrawn."""
    for funder, account, year, fen in in_books(world, "SELECT funder, account, year, fen FROM balance"):
        if account in NEVER_OVERDRAWN and fen < 0:
            yield f"{funder} {account} {year}: {fen}"


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
            elif answer == "quarantined" and "poison" not in world.plan.on:
                yield f"{host.name} {seq} is quarantined"


def a_device_has_one_history(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I20 a device has one history at the centre; one that shows another is frozen."""
    sql = "SELECT device, seq, count(*) FROM entry_row WHERE answer <> 'forked' GROUP BY 1, 2"
    for device, seq, count in in_books(world, f"{sql} HAVING count(*) > 1"):
        yield f"{device}: {count} entries {seq} were taken"
    rows = in_books(world, "SELECT device, seq, prev, hash FROM entry_row WHERE answer <> 'forked'")
    hashes = {(device, seq): hashed for device, seq, _, hashed in rows}
    for device, seq, prev, _ in rows:
        if hashes.get((device, seq - 1), prev) != prev:
            yield f"{device}: entry {seq} does not follow the one before it"
    sql = "SELECT device, hold_no, count(*) FROM record GROUP BY 1, 2 HAVING count(*) > 1"
    for device, hold_no, count in in_books(world, sql):
        yield f"{device}: {count} records have hold number {hold_no}"
    stated: dict[str, int] = {}
    for (body,) in in_books(world, "SELECT body FROM event WHERE kind = 'upload_taken' ORDER BY event_no"):
        said = msgspec.json.decode(body)
        if said["stated_hold_no"] < stated.get(said["device"], 0):
            yield f"{said['device']} stated {stated[said['device']]} holds, then {said['stated_hold_no']}"
        stated[said["device"]] = said["stated_hold_no"]


STEP_CLAIMS: tuple[Claim, ...] = (
    a_qualification_counts_once,
    a_serial_number_is_subsidised_once,
    parts_add_up,
    the_books_hold_what_records_say,
    nothing_is_overdrawn,
    a_claim_is_what_its_lines_say,
)
"""Those that hold after every step, and are asked after some."""

CLAIMS: tuple[Claim, ...] = (
    what_was_given_up_is_not_sold,
    no_payment_begins_under_a_hold_that_is_over,
    a_hold_is_placed_at_the_centres_time,
    every_sale_ends_or_is_listed,
    nobody_is_charged_twice,
    what_is_charged_is_written_down,
    what_is_paid_was_charged,
    no_more_goes_back_than_was_taken,
    a_paid_sale_is_granted_once,
    what_is_granted_was_paid,
    a_hold_is_open_only_while_its_sale_is,
    a_qualification_counts_once,
    a_serial_number_is_subsidised_once,
    parts_add_up,
    the_books_hold_what_records_say,
    nothing_is_overdrawn,
    a_claim_is_what_its_lines_say,
    a_device_has_one_history,
    the_outbox_is_acknowledged,
)


def _was_released_by_people(world: "World", record_id: str) -> bool:
    """Whether people ended a hold whose sale was paid all the same, and that is on a worklist."""
    sql = "SELECT body FROM event WHERE kind = 'hold_ended' AND record_id = ?"
    ended = [msgspec.json.decode(row[0]) for row in in_books(world, sql, record_id)]
    noted = in_books(world, "SELECT 1 FROM difference WHERE subject = ?", record_id)
    return bool(noted) and any(one["by"] or "nobody answers" in one["why"] for one in ended)


def _doubtful_devices(world: "World") -> set[str]:
    """Return the devices whose host has two histories."""
    return {world.template.devices[host.shop.shop] for host in world.hosts if host.is_doubtful}


def _is_doubtful(world: "World", pay_ref: str) -> bool:
    """Whether a payment may have been one of a host with two histories: the night finds it in the files."""
    read = ids.read_pay_ref(pay_ref)
    found = in_books(world, "SELECT device FROM record WHERE record_id = ?", read[0]) if read else []
    return not found or found[0][0] in _doubtful_devices(world) if _doubtful_devices(world) else False


def _in_the_books(world: "World") -> None:
    """I1, I2, I18: postings sum to zero, balances are their fold, and the books follow from their events."""

    def look(connection: Connection) -> None:
        for what in read_books.faults(connection):
            world.violated("I1 I2 the books balance and equal their postings", what)

    world.audit(look)


def books_follow_from_their_events(world: "World") -> None:
    """I18 the books follow from their events. Dear: asked of some worlds only."""

    def look(connection: Connection) -> None:
        scratch = create_engine(
            "sqlite://", module=pysqlite3.dbapi2, creator=lambda: real_connect(":memory:")
        )
        with scratch.connect():
            for what in rebuild(connection, scratch).faults:
                world.violated("I18 the books follow from their events", what)

    world.audit(look)
