"""How does a shop lie that has its host's key? It signs what never was, with the program it likes.

Its key, its chain and its promises are good: only what the centre knows, and the files, are against it.
"""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sim.cards.relay import Relayed
from sim.shop_host import ShopHost
from subsidy import ids
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.app import Agent
from terminal_agent.checkout import entries
from terminal_agent.checkout.sale import Sale

if TYPE_CHECKING:
    from sim.night_world import NightWorld
    from sim.world import World

LIAR, FALSE_STATEMENT, CARELESS = "liar", "false_statement", "careless_shop"
_USUALLY = 0.9


def deceive(world: "NightWorld", host: ShopHost) -> None:
    """Let a shop's program lie, in the world of a plan that has it: one of the shops, whenever it starts."""
    lies = [name for name in (LIAR, FALSE_STATEMENT) if name in world.plan.on]
    chance = world.plan.chance("liar")
    if not lies or host.shop != chance.choice(world.hosts).shop:
        return
    host.is_doubtful = True

    def twist(agent: Agent) -> None:
        journal: Any = agent.journal
        append, cut_batch = journal._append, journal.cut_batch

        def lying(db: Any, entry: v1.Entry) -> None:
            if not world.healed and LIAR in lies and chance.random() < 0.5:
                told = _twisted(entry, journal.sale(entry.record_id))
                if told is not entry:
                    world.trace.note(host.name, f"lies about {entry.record_id}: {type(told).__name__}")
                entry = told
            append(db, entry)

        def forgetful(most: int) -> Any:
            batch = cut_batch(most)
            if world.healed or FALSE_STATEMENT not in lies or chance.random() < 0.5:
                return batch
            world.trace.note(host.name, f"says that none of {len(batch.statement.open)} holds is open")
            return replace(batch, statement=replace(batch.statement, open=()))

        journal._append, journal.cut_batch = lying, forgetful

    host.twist = twist


def be_careless(world: "World", host: ShopHost) -> None:
    """Let a shop's program report badly, in the world of a plan that has it, of one sale one thing at most.

    What it did is as it should be: its journal is looked at like any other.
    """
    if CARELESS not in world.plan.on:
        return
    chance, misreported = world.plan.chance(f"careless {host.name}"), set[str]()

    def twist(agent: Agent) -> None:
        journal: Any = agent.journal
        append = journal._append

        def careless(db: Any, entry: v1.Entry) -> None:
            told = entry
            # What is undone at a watched terminal asks nobody first, and stays with its owner too.
            if entry.record_id not in misreported and not (
                isinstance(entry, v1.Paid) and _is_watched(world, entry)
            ):
                told = _misreported(entry)
            usual = isinstance(entry, v1.Returning) and chance.random() < _USUALLY and not world.healed
            if told is not entry and (usual or world.hits(CARELESS, chance)):
                world.trace.note(host.name, f"misreports {entry.record_id}: {type(entry).__name__}")
                misreported.add(entry.record_id)
                entry = told
            append(db, entry)

        journal._append = careless

    host.twist = twist


def _is_watched(world: "World", entry: v1.Paid) -> bool:
    return any(isinstance(world.cables.get(one.terminal_no), Relayed) for one in entry.attempts)


def _misreported(entry: v1.Entry) -> v1.Entry:
    """Return another amount, or of a return that begins that it was refused."""
    if isinstance(entry, v1.Paid):
        return replace(entry, paid_fen=entry.paid_fen - 100)
    if not isinstance(entry, v1.Returning):
        return entry
    return v1.Returned(
        v=1,
        record_id=entry.record_id,
        refund_no=entry.refund_no,
        refunded=False,
        refund_fen=entry.refund_fen,
        evidence=Evidence(),
        ended_ms=entry.begun_ms,
    )


def _twisted(entry: v1.Entry, sale: Sale) -> v1.Entry:
    """Return a payment that never was for a sale that was closed, or another amount for one that was paid."""
    if isinstance(entry, v1.Paid):
        return replace(entry, paid_fen=entry.paid_fen - 100)
    if not isinstance(entry, v1.Closed) or sale.held is None or not sale.attempts:
        return entry
    fen = sale.held.promise.amounts.to_pay_fen
    last = sale.attempts[-1]
    paid = replace(
        entries._attempt(last),
        pay_ref=ids.pay_ref(sale.record_id, last.no),
        amount_fen=fen,
        approved_fen=fen,
        state="PAID",
        ended_ms=entry.closed_ms,
    )
    return v1.Paid(
        v=1,
        record_id=sale.record_id,
        hold_no=entry.hold_no,
        promise=sale.held.sealed,
        facts=entries.Raw(bytes(sale.held.facts)),
        pack_hash=sale.held.promise.pack_hash,
        item=sale.request.item,
        amounts=sale.held.promise.amounts,
        paid_fen=fen,
        attempts=(*entry.attempts[:-1], paid),
        till_no=sale.request.till_no,
        operator=last.operator,
        paid_ms=entry.closed_ms,
    )
