"""What does a seed draw? Which faults are on, how often they strike, and how large everything is.

Each class of fault is on or off by itself, so that some worlds have only one and some nearly all. Every
question is asked of a chance of its own: turning one class off leaves the others as they were.
"""

import random
from collections.abc import Collection
from typing import Any

import msgspec

from sim.cards.kinds import FIRST, draw_kinds
from sim.template import BEGAN_MS, SHOPS

CLASSES = {
    "lost_request": "a request is lost on its way",
    "lost_answer": "an answer is lost on its way",
    "delay": "a request or answer takes up to 40 s",
    "copy": "a request arrives twice",
    "cut": "a line is cut for minutes",
    "portal": "somebody else answers, with status 200",
    "crash_agent": "an agent is killed at any statement",
    "crash_centre": "the centre is killed at any statement",
    "clock": "a shop's clock is set back, forward or to 1970",
    "disk": "a shop's disk is full, fails, or is locked by another program",
    "centre_disk": "the centre's disk is full or fails",
    "terminal": "a terminal declines, is silent, late, crossed, noisy",
    "amount": "a terminal takes another amount than was asked",
    "unplug": "a terminal's plug is pulled",
    "stop": "the cashier gives up while it is being paid",
    "hasty": "the till asks again before it was answered, or with a new key",
    "race": "the same person or serial number at two tills",
    "again": "a sale is tried again another way after a no",
    "returns": "goods come back",
    "phone": "shoppers pay by phone",
    "wallet": "the wallet declines, is silent, late, or has answers that cannot be believed",
    "batch": "a terminal closes its batch: voids become refunds",
    "odd_tills": "a till's own program uses the terminal between two of our sales",
    "slow_disk": "a statement takes a while: others run in between",
    "lax_acquirer": "an acquirer refunds what it is asked to, however often",
    "claims": "the centre's clerk claims, pays, sends back, over midnight",
    "backup": "an old backup of a shop's host is put back",
    "old_copy": "a shop's disk is copied while a payment is in doubt, and put back after others at its till",
    "clone": "a shop's host is copied to a second one, key and all",
    "poison": "an entry of a shop cannot be taken",
    "two_centres": "a second centre is started while the first one still serves",
    "stale_answer": "a terminal declines and sends the answer to the sale before, of the same amount",
    "lag": "the wallet charges, does not answer, and knows nothing of it for a while",
    "late_reverse": "the wallet's password comes late, and our reversal later still",
    "power_cut": "a shop's power fails while nothing is paid yet, and the shopper comes back after a while",
    "rare_sync": "an agent looks at its outbox rarely",
    "late_refund": "the wallet gets a refund late, and refuses the same one before that",
    "sudden_freeze": "people freeze a shop or a serial number between a till's question and its hold",
    "long_silence": "a terminal takes a payment, and its plug is pulled for longer than anybody waits",
    "shared_register": "a second programme shares the register of persons, and sells to them",
    "careless_shop": "a shop's program reports another amount than was paid, and a return when it is over",
    "cash": "shoppers pay in cash, in a programme that allows it",
    "cash_words": "a cashier says late, twice or not at all where the cash of a sale is",
    "stranger": "a program in a shop uses others' keys and receipts, guesses PINs, forges requests",
    "wrong_way": "a cashier tries a way of paying that the shop does not have while a payment is in doubt",
    "people_settle": "people reject records that are blocked or kept, or accept a difference",
}
"""Every class of fault, with what it does."""

NIGHT_CLASSES = {
    "late_file": "an acquirer's or WeChat's file comes days late",
    "doubled_file": "a file comes twice, at first with a row too many",
    "kill_night": "the centre is killed in the middle of the night",
    "silent_shop": "a shop's host fails in the middle of a sale and is not back for days, or a month",
    "fails_undoing": "a shop's host fails just when it takes a phone's payment back, for days",
    "long_cut": "a shop's line is cut for days",
    "long_queue": "what a shop has to report does not get through for days, and its program is replaced",
    "restored_centre": "the centre's books are lost, and older ones are put back",
    "liar": "a shop's own program reports payments that never were, and other amounts",
    "false_statement": "a shop's own program states that none of its holds is open",
    "people_decide": "people end holds before the files do",
}
"""What befalls worlds of several days besides."""


TERMINALS = sum(len(shop.terminals) for shop in SHOPS)


class Plan(msgspec.Struct, frozen=True):
    """What one world is like."""

    seed: int
    on: frozenset[str]
    began_ms: int
    funds: str
    sales: int
    people: int
    rates: dict[str, float]
    sync_every_s: float
    wallets: tuple[str, ...] = ()
    """Which wallets the tills take, and of those `shown` whose codes they show: none without phones."""
    shown: tuple[str, ...] = ()
    by_certificate: tuple[str, ...] = ()
    """With which of them both sides name certificates, where they could name public keys."""
    shops: int = 2
    terminals: tuple[str, ...] = (FIRST,) * TERMINALS
    """Of which kind the card terminal of each till is."""
    days: tuple[int, ...] = (0,)
    """The days on which shops sell, counted from the first. More than one: a world with nights."""

    def chance(self, about: str) -> random.Random:
        """Return the chance that answers one kind of question."""
        return random.Random(f"{self.seed}/{about}")

    def rate(self, name: str) -> float:
        """Return how often a class of faults strikes, from 0 to 1; 0 when it is off."""
        return self.rates[name] if name in self.on else 0.0


_FORGETFUL = ("backup", "old_copy", "clone")


def draw(seed: int, off: Collection[str] = (), sales: int | None = None) -> Plan:
    """Return what `seed` makes of a world, without the classes that are `off`."""
    # Each class is drawn by a chance of its own: one that is added changes no other.
    on, rates = set(), {}
    for name in CLASSES:
        of_class = random.Random(f"{seed}/class/{name}")
        if of_class.random() < _DRAWN.get(name, _USUAL):
            on.add(name)
        rates[name] = of_class.choice(_RATES.get(name, _OFTEN))
    if not on.isdisjoint(_FORGETFUL):
        # What a host has done since its backup it cannot know: it rests on an acquirer that gives back once.
        on.discard("lax_acquirer")
    chance = random.Random(f"{seed}/plan")
    midnight = chance.random() < 0.15 or "claims" in on
    drawn = chance.randint(12, 16)
    fields: dict[str, Any] = {
        "seed": seed,
        "on": frozenset(on) - frozenset(off),
        # Some begin shortly before the day ends, the last day of the year among them.
        "began_ms": BEGAN_MS
        + (chance.choice((0, 304)) * 86_400_000 + 11 * 3_600_000 + 50 * 60_000) * midnight,
        "funds": chance.choice(("small", "middle", "large", "large", "large")),
        "sales": drawn if sales is None else sales,
        "people": chance.choice((8, 40, 40)),
        "rates": rates,
        "sync_every_s": chance.choice((60.0, 300.0)) if "rare_sync" in on else 20.0,
        "terminals": draw_kinds(seed, off, TERMINALS),
    }
    if "phone" in fields["on"]:
        fields["wallets"], fields["shown"] = _wallets(random.Random(f"{seed}/wallets"))
        named = random.Random(f"{seed}/certificates").random() < _BY_CERTIFICATE
        fields["by_certificate"] = tuple(one for one in fields["wallets"] if one == "alipay" and named)
    return Plan(**fields)


def draw_nights(seed: int, off: Collection[str] = (), sales: int | None = None) -> Plan:
    """Return what `seed` makes of a world of several days, each with its night."""
    # The clerk of a day's world works while shops sell; here people work in the morning.
    # A shop that lies is a class of its own there.
    plan = draw(seed, {*off, *_BY_DAY}, sales)
    on = {
        name
        for name in NIGHT_CLASSES
        if name not in off and random.Random(f"{seed}/class/{name}").random() < _AT_NIGHT
    }
    chance = random.Random(f"{seed}/nights")
    days = chance.choice(((0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 31)))
    return msgspec.structs.replace(
        plan,
        on=plan.on | on,
        # From the last hours of a day on, at times, so that a day's sales end in the next one.
        began_ms=BEGAN_MS + chance.choice((0, 304)) * 86_400_000 + chance.choice((0, 0, 42_600_000)),
        rates={**plan.rates, **dict.fromkeys(NIGHT_CLASSES, 0.5)},
        sync_every_s=60.0,
        sales=plan.sales * 2 if sales is None else sales,
        days=days,
    )


def small(seed: int, shops: int = 1, terminals: str = FIRST, *, cash: bool = False) -> Plan:
    """Return a world where nothing goes wrong by itself: a sale at each till, and its goods come back.

    `terminals` is the kind of all its card terminals. With `cash` every shopper pays so.
    """
    plan = draw(seed, CLASSES, sales=2 if shops == 1 else 3)
    return msgspec.structs.replace(
        plan,
        on=frozenset({"returns", "cash"} if cash else {"returns"}),
        rates={"returns": 1.0, "cash": 1.0},
        funds="large",
        shops=shops,
        terminals=(terminals,) * TERMINALS,
    )


def _wallets(chance: random.Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which wallets a world's tills take, mostly one, and whose codes they show."""
    found = tuple(sorted(chance.sample(("wechat", "alipay", "unionpay"), chance.choice((1, 1, 1, 1, 2, 3)))))
    return found, tuple(one for one in found if chance.random() < 0.6)


_USUAL, _SELDOM, _AT_NIGHT = 0.55, 0.12, 0.35
_BY_CERTIFICATE = 0.4
_RARE = (
    "backup",
    "clone",
    "poison",
    "claims",
    "two_centres",
    "stale_answer",
    "lag",
    "late_reverse",
    "power_cut",
    "late_refund",
    "sudden_freeze",
    "long_silence",
    "careless_shop",
    "stranger",
    "wrong_way",
)
_DRAWN = {
    **dict.fromkeys(_RARE, _SELDOM),
    "claims": 0.16,
    "shared_register": 0.04,
    "old_copy": 0.06,
    "cash": 0.15,
}
_BY_DAY = (
    "claims",
    "rare_sync",
    "sudden_freeze",
    "long_silence",
    "careless_shop",
    "shared_register",
    "stranger",
    "old_copy",
)
_OFTEN = (0.05, 0.15, 0.4)
_RATES = {
    "lost_request": (0.02, 0.05, 0.2),
    "lost_answer": (0.02, 0.05, 0.2),
    "delay": (0.02, 0.1, 0.3),
    "copy": (0.05, 0.2, 0.5),
    "cut": (0.003, 0.01),
    "portal": (0.01, 0.05),
    "crash_agent": (0.0007, 0.0014, 0.004),
    "crash_centre": (0.0003, 0.0007, 0.0014),
    "disk": (0.0007, 0.003),
    "centre_disk": (0.0004, 0.0014),
    "terminal": (0.1, 0.3, 0.6),
    "amount": (0.05, 0.15),
    "phone": (0.3, 0.6),
    "wallet": (0.1, 0.3, 0.6),
    "unplug": (0.05, 0.2),
    "slow_disk": (0.003, 0.007, 0.027),
    "returns": (0.2, 0.5),
    "clock": (0.05, 0.2),
    "late_refund": (0.3, 0.6),
    "old_copy": (0.3, 0.6),
    "sudden_freeze": (0.05, 0.1, 0.15),
    "long_silence": (0.3, 0.5, 0.8),
    "careless_shop": (0.2, 0.4),
    "cash": (0.4, 0.8),
    "cash_words": (0.1, 0.3, 0.6),
    "people_settle": (0.2, 0.5),
}
