"""Why may a record's line not be paid, and what changes when such a reason comes or goes?

A line with a reason is not claimed; one that is in a claim already stays there and is withheld when
the claim is paid. Reasons are short names: `decision_differs`, `returning`, `returned`,
`no_invoice`, `night:<kind>`.
"""

from msgspec.structs import replace

from settlement.ledger.accounts import Account
from settlement.writer.batch import Rows
from settlement.writer.rows import Record


def block(rows: Rows, record_id: str, reason: str, why: str, owner: str) -> None:
    """Add a reason to a record that has a line, or will have one. `why` is said of the first one only."""
    record = rows.want(Record, record_id)
    if reason in record.blocks or not has_line(record):
        return
    blocked = replace(record, blocks=(*record.blocks, reason))
    if record.state == "PAYABLE":
        blocked = replace(blocked, state="BLOCKED", why=why, owner=owner)
    rows.put(blocked)


def unblock(rows: Rows, record_id: str, reason: str) -> None:
    """Take a reason away; with the last one gone the line may be claimed again."""
    record = rows.want(Record, record_id)
    if reason not in record.blocks:
        return
    left = tuple(one for one in record.blocks if one != reason)
    freed = replace(record, blocks=left)
    if record.state == "BLOCKED" and not left:
        freed = replace(freed, state="PAYABLE", why="paid", owner="")
    elif record.state == "BLOCKED" and record.blocks[0] == reason:
        freed = replace(freed, why=f"blocked: {', '.join(left)}")
    rows.put(freed)


def has_line(record: Record) -> bool:
    """Whether the fund may yet pay for this record: it is payable, claimed, or a late grant."""
    return is_late_grant(record) or record.state in ("PAYABLE", "BLOCKED", "IN_CLAIM")


def is_late_grant(record: Record) -> bool:
    """Whether a record was paid after its hold had ended, and stands beside the pool."""
    return record.state == "RELEASED" and record.money == Account.LATE_GRANTS_CLAIMED
