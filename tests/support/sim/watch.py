"""What is looked at while it happens: may this answer be believed, and which moves were taken?"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from sim.disk import peek
from sim.network import Came, Sent
from sim.shop_host import ShopHost
from sim.template import URL as CENTRE
from subsidy.seal import Sealed
from subsidy.wire import v1

if TYPE_CHECKING:
    from sim.world import World


def answer_is_durable(world: "World", _who: str, address: str, sent: Sent, came: Came) -> None:
    """I16: what the centre has promised or acknowledged is in its books when it is heard."""
    if address != CENTRE or came.status != 200 or came.body.startswith(b"<html"):
        return
    if sent.path == "/v1/holds":
        sealed = msgspec.json.decode(came.body, type=Sealed)
        if sealed.typ == v1.PROMISE:
            promise = msgspec.json.decode(sealed.payload_bytes(), type=v1.Promise)
            found = in_books(world, "SELECT subsidy_fen FROM record WHERE record_id = ?", promise.record_id)
            if found != [(promise.amounts.subsidy_fen,)]:
                world.violated("I16 a promise is in the books when it is heard", promise.record_id)
    elif sent.path not in ("/v1/facts", "/v1/packs", "/v1/heard"):
        for one in msgspec.json.decode(came.body, type=v1.UploadAnswer).acks:
            ack = msgspec.json.decode(one.payload_bytes(), type=v1.Ack)
            sql = "SELECT 1 FROM entry_row WHERE device = ? AND seq = ? AND hash = ?"
            if not in_books(world, sql, ack.device, ack.seq, ack.hash):
                world.violated("I16 an acknowledged entry is in the books", f"{ack.device} {ack.seq}")


def till_answer_is_true(world: "World", host: ShopHost, document: dict[str, Any]) -> None:
    """The ladder: what is shown as paid was charged so and is written down, and nobody is
    invited to pay while a payment stands.

    With money still on its way back the till says so, and the shopper may pay another way.
    """
    record_id, state, action = document["record_id"], document["state"], document["next_action"]
    if state == "paid" and host.agent is not None:
        kept = in_journal(host, "SELECT state FROM sale WHERE record_id = ?", record_id)
        if kept not in ([("PAID",)], [("RETURNING",)], [("RETURNED",)]):
            world.violated("a till is told paid when it is written down", f"{record_id} {kept}")
        if document["paid_fen"] != document["to_pay_fen"]:
            world.violated("I13 the shopper pays what the fund has left to pay", record_id)
        taken = world.charged(document["attempts"])
        if document["paid_fen"] not in taken.values():
            world.violated("I10 a till is told paid when the money was taken", f"{record_id} {taken}")
    plain = "clock" not in world.plan.on and host.agent is not None
    if plain and state in ("unknown", "paying"):
        now_ms = world.scheduler.now_ms - 1000
        sql = "SELECT paid_ms FROM sale WHERE record_id = ? AND state = 'PAID' AND paid_ms < ?"
        if in_journal(host, sql, record_id, now_ms):
            world.violated(
                "a till is shown the sale as it stands", f"{record_id} is PAID and shown as {state}"
            )
    if state == "refused" and document["item"]["serial_no"] and action != "DO_NOT_CHARGE":
        # One that was opened before this one was refused: an old answer that is asked for again stays true.
        sql = (
            "SELECT record_id FROM sale WHERE serial_no = ? AND state = 'PAYING' "
            "AND rowid < (SELECT rowid FROM sale WHERE record_id = ?)"
        )
        if other := in_journal(host, sql, document["item"]["serial_no"], record_id):
            world.violated("nobody is sent on with an item that is being paid for", f"{record_id} {other}")
    if action in _INVITES and record_id not in host.forgotten:
        attempts = document["attempts"]
        if state == "unknown":
            attempts = [one for one in attempts if one["state"] not in ("REVERSING", "GIVING_BACK")]
        standing = world.standing(attempts)
        if standing:
            world.violated("another payment is invited only when none stands", f"{record_id} {standing}")


_INVITES = (
    "PAY_AGAIN_OR_STOP",
    "PAY_ANOTHER_WAY",
    "USE_ANOTHER_TENDER",
    "SELL_AT_FULL_PRICE",
    "SELL_AGAIN",
    "TRY_LATER",
)


def moves_taken(world: "World") -> Counter[tuple[str, str, str]]:
    """Return how often each move was taken, by journals and books."""
    found: Counter[tuple[str, str, str]] = Counter()
    for host in world.hosts:
        for what, before, after in in_journal(host, "SELECT what, before, after FROM move"):
            found[what, before, after] += 1
    for before, after in in_books(world, "SELECT before, after FROM move_of_record"):
        found["record", before, after] += 1
    return found


def paid_by(world: "World") -> Counter[str]:
    """Return how many sales each way of paying took: "card", or a wallet with whose code was scanned."""
    sql = "SELECT terminal_no, tender, count(*) FROM attempt WHERE state = 'PAID' GROUP BY 1, 2"
    found: Counter[str] = Counter()
    for host in world.hosts:
        for link, tender, count in in_journal(host, sql):
            found[f"{link.partition('@')[0].lower()} {tender}" if "@" in link else tender] += count
    return found


def in_books(world: "World", sql: str, *values: object) -> list[Any]:
    """Return what the centre's books hold, as somebody finds who opens the file now."""
    return list(world.reader().execute(sql, values).fetchall())


def in_journal(host: ShopHost, sql: str, *values: object) -> list[Any]:
    """Return what a shop's journal holds; nothing while nobody has it open."""
    return [] if host.agent is None else peek(host.agent.journal._connection, sql, *values)
