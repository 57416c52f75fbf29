"""How is cash in a world: in which programme, in whose drawer, with which cashier, and what must hold of it?

Nobody but its cashiers knows where cash is. The ones here never lie about that: they tell it late, twice or
not at all, and take and give what the till says, while they look at it.
"""

import functools
import random
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from settlement.invoices.take import TakeInvoice
from sim.rows import Claim, RecordNow, SaleNow
from sim.template import Template, template
from sim.threads import Here
from sim.truth import Charge
from sim.watch import in_books
from subsidy import ids
from subsidy.policy.read_pack import read_packs
from subsidy.wire import v1

if TYPE_CHECKING:
    from sim.scheduler import Scheduler
    from sim.trace import Trace
    from sim.world import World

CASH, WORDS = "cash", "cash_words"
ACTIONS = ("TAKE_CASH", "GIVE_CASH_BACK", "SAY_WHERE_THE_CASH_IS")
"""What a till may tell of cash."""
_ASKED = ("INTENDED", "UNKNOWN", "REVERSING")
_ALLOWED, _WITH_CASH = "[card, qr_scan, qr_show]", "[card, qr_scan, qr_show, cash]"
_HAS_NOT_ENOUGH, _IS_GONE = 0.12, 0.1
_COMES_BACK = 0.6
_INVOICE_COMES, _WRONG_TOTAL = 0.6, 0.2


@functools.cache
def allowing() -> Template:
    """Return what worlds are copied from whose programme allows cash."""
    made = template()
    texts = {name: text.replace(_ALLOWED, _WITH_CASH) for name, text in made.centre.texts.items()}
    packs = read_packs(texts)
    centre = replace(made.centre, pack=packs[made.centre.pack.programme], offered=packs, texts=texts)
    assert centre.pack.hash != made.centre.pack.hash
    return replace(made, centre=centre, packs=centre.packs())


class Drawers:
    """The drawers of all tills: where the money of each attempt is."""

    def __init__(self, scheduler: "Scheduler", trace: "Trace") -> None:
        self._scheduler = scheduler
        self._trace = trace
        self._laid: dict[str, Charge] = {}

    def put_in(self, pay_ref: str, fen: int) -> None:
        """Lay in what a shopper has paid."""
        assert pay_ref not in self._laid
        self._laid[pay_ref] = Charge(pay_ref, fen, 0, self._scheduler.now_ms)
        self._trace.note("drawer", f"{fen} fen are laid in, {pay_ref}")

    def take_out(self, pay_ref: str) -> None:
        """Give a shopper the whole of it again."""
        laid = self._laid[pay_ref]
        self._laid[pay_ref] = laid._replace(back_fen=laid.fen)
        self._trace.note("drawer", f"{laid.fen} fen are given back, {pay_ref}")

    def had(self, pay_ref: str) -> bool:
        """Whether the money of an attempt was ever in a drawer."""
        return pay_ref in self._laid

    def has(self, pay_ref: str) -> bool:
        """Whether it is there now."""
        return self.had(pay_ref) and not self._laid[pay_ref].back_fen

    def charges(self) -> Iterator[Charge]:
        """Yield every time that a shopper paid in cash."""
        yield from self._laid.values()


class Hands:
    """Those of the cashier at one till. All that they do is drawn from a chance of its own."""

    def __init__(self, world: "World", till: str) -> None:
        self._world = world
        self._chance = world.plan.chance(f"{till}, cash")
        self._not_paid: set[str] = set()
        self._silent: set[str] = set()
        self._kept: set[tuple[str, int]] = set()
        self._looks: Counter[str] = Counter()

    def tender(self) -> dict[str, Any] | None:
        """Return that a shopper pays in cash; None where one pays another way."""
        return {"kind": "cash"} if self._world.hits(CASH, self._chance) else None

    def attend(self, document: dict[str, Any], *, again: bool = False) -> list[str]:
        """Do with the money what a till says, and return what to tell it then, in order.

        That is nothing where the cashier keeps silent about this sale, unless one looks `again`, and where
        the same cashier has looked at it once more meanwhile.
        """
        pay_ref, fen = _asked(document)
        self._looks[pay_ref] += 1
        look = self._looks[pay_ref]
        self._sleep(0.5, 12)
        if look != self._looks[pay_ref] or (pay_ref in self._silent and not again):
            return []
        self._move(document, pay_ref, fen)
        times = 1
        if self._world.hits(WORDS, self._chance):
            times = self._chance.choice((0, 1, 2))
            self._sleep(5, 300)
        if not times:
            self._silent.add(pay_ref)
        elif document["return"] is not None and self._world.drawers.has(pay_ref):
            self._kept.add(_try_to_return(document, pay_ref))
        return ["in_till" if self._world.drawers.has(pay_ref) else "with_shopper"] * times

    def repeats(self) -> bool:
        """Whether what is said twice is the same request again."""
        return self._chance.random() < 0.5

    def comes_back_after_s(self) -> float | None:
        """Return when a cashier who has kept silent looks again; None: never."""
        return self._chance.uniform(100, 2_000) if self._chance.random() < _COMES_BACK else None

    def _move(self, document: dict[str, Any], pay_ref: str, fen: int) -> None:
        drawers, action = self._world.drawers, document["next_action"]
        may_take = action == "TAKE_CASH" and not drawers.had(pay_ref) and pay_ref not in self._not_paid
        if may_take and self._chance.random() >= _HAS_NOT_ENOUGH:
            drawers.put_in(pay_ref, fen)
        if not drawers.had(pay_ref):
            # Where nothing was paid when the cashier looked, nothing is taken any more.
            self._not_paid.add(pay_ref)
        # With goods that come back a shopper may be gone; who has given up a sale stands there.
        is_return = document["return"] is not None
        is_gone = is_return and self._chance.random() < _IS_GONE
        # Of whom it was said that nobody was there is given nothing on an old page; the goods may come again.
        has_been_gone = is_return and _try_to_return(document, pay_ref) in self._kept
        if action == "GIVE_CASH_BACK" and drawers.has(pay_ref) and not (is_gone or has_been_gone):
            drawers.take_out(pay_ref)

    def _sleep(self, least_s: float, most_s: float) -> None:
        Here.scheduler.sleep(self._chance.uniform(least_s, most_s))


def _asked(document: dict[str, Any]) -> tuple[str, int]:
    """Return the order number and the amount of the cash that a till asks about."""
    states = ("PAID",) if document["return"] is not None else _ASKED
    found = [one for one in document["attempts"] if one["tender"] == "cash" and one["state"] in states]
    return found[-1]["pay_ref"], found[-1]["amount_fen"]


def _try_to_return(document: dict[str, Any], pay_ref: str) -> tuple[str, int]:
    """Return which time it is that the goods of this payment come back."""
    return pay_ref, document["return"]["tries"]


# At the centre.


def invoices_to_take(world: "World", chance: random.Random) -> list[TakeInvoice]:
    """Return the taking in of the invoices that have come by now, of some with another total.

    Whoever has no money for a sale makes no invoice of it.
    """
    sql = "SELECT record_id, promise FROM record WHERE blocks LIKE '%no_invoice%' ORDER BY 1"
    waiting = in_books(world, sql) if CASH in world.plan.on else []
    in_drawers = [one.pay_ref for one in world.drawers.charges() if not one.back_fen]
    paid = {read[0] for ref in in_drawers if (read := ids.read_pay_ref(ref))}
    taken = list[TakeInvoice]()
    for record_id, promise in waiting:
        if record_id in paid and chance.random() < _INVOICE_COMES:
            fen = msgspec.json.decode(promise, type=v1.Promise).amounts.final_price_fen
            total_fen = fen + 100 * (chance.random() < _WRONG_TOTAL)
            number = f"{chance.randrange(10**20):020d}"
            taken.append(TakeInvoice(record_id, number, total_fen, "query 1", by="li, wang"))
    return taken


# What must hold.


def drawers_hold_what_records_say(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I10 what lies in the drawers is what the centre's records in cash say, but for what is asked about."""
    if not world.plan.on.isdisjoint(_MISREPORTED) or any(host.is_doubtful for host in world.hosts):
        return
    said = {
        pay_ref: fen
        for record_id, pay_ref, fen in _paid_in_cash(world)
        if records[record_id].back != "REFUNDED"
    }
    lies = {one.pay_ref: one.fen for one in world.drawers.charges() if not one.back_fen}
    asked = {
        ref
        for sale in sales
        for ref, state, _, _ in sale.attempts
        if state in _ASKED or sale.state == "RETURNING"
    }
    for pay_ref in sorted(said.keys() | lies.keys()):
        if said.get(pay_ref) != lies.get(pay_ref) and pay_ref not in asked:
            yield f"{pay_ref}: {lies.get(pay_ref)} fen in the drawers, {said.get(pay_ref)} by the records"


def cash_is_claimed_with_its_invoice(
    world: "World", sales: list[SaleNow], records: dict[str, RecordNow]
) -> Iterator[str]:
    """I27 what was paid in cash is not claimed before its invoice was taken in."""
    in_cash = {record_id for record_id, _, _ in _paid_in_cash(world)}
    for record_id, event_no in in_books(world, _CLAIMED_WITHOUT_INVOICE):
        if record_id in in_cash:
            yield f"{record_id} went into a claim by event {event_no}"


def claimed_in_cash(world: "World") -> int:
    """Return how many lines of what was paid in cash have ever gone into a claim."""
    in_cash = {record_id for record_id, _, _ in _paid_in_cash(world)}
    claimed = in_books(world, "SELECT record_id FROM event WHERE kind = 'line_claimed'")
    return sum(record_id in in_cash for (record_id,) in claimed)


def waiting_for_rows(world: "World") -> list[tuple[str, str]]:
    """Return record and the night's word of what has its invoice and yet waits for rows of a file."""
    sql = (
        "SELECT record_id, night FROM record JOIN invoice USING (record_id) "
        "WHERE state = 'PAYABLE' AND night LIKE 'the files have%' ORDER BY 1"
    )
    return [(record_id, night) for record_id, night in in_books(world, sql)]


CLAIMS: tuple[Claim, ...] = (drawers_hold_what_records_say, cash_is_claimed_with_its_invoice)

_MISREPORTED = ("poison", "careless_shop")
_CLAIMED_WITHOUT_INVOICE = (
    "SELECT line.record_id, line.event_no FROM event AS line WHERE line.kind = 'line_claimed' "
    "AND NOT EXISTS (SELECT 1 FROM event AS taken WHERE taken.record_id = line.record_id "
    "AND taken.event_no < line.event_no AND taken.kind = 'invoice_taken') ORDER BY 2"
)


def _paid_in_cash(world: "World") -> list[tuple[str, str, int]]:
    """Return record, order number and amount of what the shops have reported as paid in cash."""
    if CASH not in world.plan.on:
        return []
    sql = "SELECT body FROM entry_row WHERE kind = 'paid' AND answer <> 'forked' ORDER BY record_id"
    paid = [msgspec.json.decode(body) for (body,) in in_books(world, sql)]
    return [
        (entry["record_id"], one["pay_ref"], one["approved_fen"])
        for entry in paid
        for one in entry["attempts"]
        if (one["tender"], one["state"]) == ("cash", "PAID")
    ]
