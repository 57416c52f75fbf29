"""Do the three books of a shop agree: its journal, the acquirers', the centre's?

Only what is at rest is judged: PAID has exactly one standing charge of exactly the amount and exactly one
booking; CLOSED and REFUSED have none, and no hold that stands; RETURNED has none any more.
"""

from collections.abc import Mapping
from typing import Any

from shop import AT_REST, Shop
from shop_journal import JournalSeen

BOOKED = ("PAYABLE", "BLOCKED", "IN_CLAIM")
CODE = b"TRAIN-"  # how every qualification code of these tests begins
BEING_UNDONE = ("REVERSING", "GIVING_BACK")


def disagreements(
    shop: Shop, journal: JournalSeen, standing: Mapping[str, list[int]] | None = None
) -> list[str]:
    """Return every sale about which the books do not agree, with what they say; [] when all is well.

    `standing` is what stands at the acquirers, by record, where their books do not name our orders.
    """
    standing = shop.standing() if standing is None else standing
    found = [
        f"{sale['record_id']} is {sale['state']}: {problem}"
        for sale in journal.sales
        if (problem := _problem(shop, journal, sale, standing.get(sale["record_id"], [])))
    ]
    known = {sale["record_id"] for sale in journal.sales}
    found += [f"{record_id} was charged and is in no journal" for record_id in standing.keys() - known]
    balance = shop.centre.ask("/v1/ledger/trial-balance")
    assert balance is not None
    if balance["sum_fen"] != 0 or balance["imbalance"]:
        found.append(f"the fund's books do not sum to zero: {balance}")
    return found


def personal_data(shop: Shop) -> list[str]:
    """Return the agent's files in which a code that a shopper showed stands in clear; [] when none does."""
    folder = shop.folder
    files = [folder / "agent.log", folder / "agent.out", *(folder / "agent-data").rglob("*")]
    codes = (CODE, *(one.encode() for one in shop.pay_codes))
    contents = {file.name: file.read_bytes() for file in files if file.is_file()}
    return [name for name, content in contents.items() if any(code in content for code in codes)]


def bookings(record: Mapping[str, Any]) -> int:
    """Return how many times the centre has booked a record as a grant."""
    events = {
        line["event_no"]
        for line in record["postings"]
        if line["happening"] == "record_booked" and line["account"] == "payable"
    }
    return len(events)


def _problem(shop: Shop, journal: JournalSeen, sale: Mapping[str, Any], charges: list[int]) -> str:
    attempts = journal.attempts_of(sale["record_id"])
    being_undone = sum(one["state"] in BEING_UNDONE for one in attempts)
    if len(charges) > 1 + being_undone:
        return f"charged {len(charges)} times"
    if sale["state"] not in AT_REST or being_undone:
        return ""
    record = shop.centre_record(sale["record_id"])
    state = record["state"] if record else None
    booked = bookings(record) if record else 0
    asked = [one["amount_fen"] for one in attempts if one["state"] == "PAID"]
    if sale["state"] == "PAID":
        if charges != asked:
            return f"asked {asked}, charged {charges}"
        if journal.is_all_told(sale["record_id"]) and (state not in BOOKED or booked != 1):
            return f"the centre's record is {state}, booked {booked} times"
        return ""
    if sale["state"] == "RETURNED":
        if charges:
            return f"returned, and charged {charges}"
        untold = not journal.is_all_told(sale["record_id"])
        return "" if untold or state == "RETURNED" else f"the centre's record is {state}"
    if charges or asked:
        return f"charged {charges}"
    return "" if state in (None, "RELEASED") and not booked else f"the centre's record is {state}"
