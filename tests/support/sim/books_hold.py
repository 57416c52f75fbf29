"""What must hold in the centre's books at all times, and what besides when all is quiet?"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import pysqlite3.dbapi2
from sqlalchemy import Connection, create_engine

from settlement.copies.rebuild import rebuild
from settlement.ledger import read_books
from settlement.ledger.accounts import NEVER_OVERDRAWN
from sim.disk import real_connect
from sim.rows import Claim, RecordNow, SaleNow
from sim.watch import in_books
from subsidy.policy.split import Part

if TYPE_CHECKING:
    from sim.world import World

# The day of a claim is over at midnight in Shanghai, eight hours before Greenwich's.
_LINES_OF_SILENT_DEVICES = """
    SELECT DISTINCT claim.claim, record.device FROM claim
    JOIN claim_line USING (claim) JOIN record USING (record_id)
    WHERE NOT EXISTS (
        SELECT 1 FROM event WHERE kind = 'upload_taken' AND body LIKE '%' || record.device || '%'
        AND at_ms >= (unixepoch(claim.day) + 57600) * 1000 AND at_ms <= claim.built_ms
    )
"""


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


def a_qualification_counts_once(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I6 a person has one grant of a category a year."""
    # One that was made again of its promise, after a restore, names no person.
    live = Counter(
        (one.person, one.category, one.year) for one in records.values() if one.is_live and one.person
    )
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
    counted = (one for one in records.values() if one.is_live and not one.waits_for_people)
    live = Counter((one.brand, one.serial_no) for one in counted)
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

CLAIMS: tuple[Claim, ...] = (*STEP_CLAIMS, a_hold_is_placed_at_the_centres_time, a_device_has_one_history)


def they_balance(world: "World") -> None:
    """I1, I2, I18: postings sum to zero, balances are their fold, and the books follow from their events."""

    def look(connection: Connection) -> None:
        for what in read_books.faults(connection):
            world.violated("I1 I2 the books balance and equal their postings", what)

    world.audit(look)


def they_follow_from_their_events(world: "World") -> None:
    """I18 the books follow from their events. Dear: asked of some worlds only."""

    def look(connection: Connection) -> None:
        scratch = create_engine(
            "sqlite://", module=pysqlite3.dbapi2, creator=lambda: real_connect(":memory:")
        )
        with scratch.connect():
            for what in rebuild(connection, scratch).faults:
                world.violated("I18 the books follow from their events", what)

    world.audit(look)
