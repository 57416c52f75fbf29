"""Which kinds of card terminal are there, which does each till of a world have, and how is it configured?

A kind is a row: the driver's name and profile as shop IT writes them, the values of the profile that differ,
where the agent finds the terminal, and what stands there.
"""

import random
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from sim.cable import Cable
from sim.cards.host import Direct
from sim.cards.network import Mis, Nexo
from sim.cards.relay import Relayed
from sim.cards.terminal import CardTerminal
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.terminal import Terminal

PROFILES = Path(__file__).resolve().parents[4] / "config" / "terminals"


class Kind(NamedTuple):
    """One kind. `port` is as in agent.yaml, with {0} for the terminal's number; so are `values`."""

    driver: str
    profile: str
    port: str
    stands_there: Callable[..., CardTerminal]
    values: Mapping[str, object] = {}


# Half as often as shipped: most of what happens here is that nothing has changed.
_RHYTHM = {"poll_every_ms": 10_000}
KINDS: Mapping[str, Kind] = {
    "allinpay": Kind("stx_lrc", "stx_lrc", "{0}", Cable, _RHYTHM),
    "separated": Kind("serial_ecr", "separated", "{0}", Cable, _RHYTHM),
    "separated_7f": Kind("serial_ecr", "separated_7f", "{0}", Cable, _RHYTHM),
    "nexo": Kind("nexo_tcp", "nexo_tcp", "{0}.terminal:4000/{0}", Nexo, _RHYTHM),
    "direct": Kind("iso8583_direct", "iso8583_direct", "{0}.host:8583", Direct, {**_RHYTHM, "number": "{0}"}),
    "mis": Kind("mis_fixed", "mis_fixed", "tcp:{0}.client:7000", Mis, _RHYTHM),
    "relay": Kind(
        "relay",
        "relay",
        "{0}.relay:9101",
        Relayed,
        {**_RHYTHM, "acquirer": "{0}.host:8583"},
    ),
}
FIRST = "allinpay"
NAMELESS = frozenset({"mis", "relay"})
"""Kinds at which the acquirer never hears our order number, so that its file cannot name it."""


def others(kind: str) -> list[str]:
    """Return what is off where every terminal is of one kind."""
    return [one for one in sorted(KINDS) if one != kind]


def draw_kinds(seed: int, off: Collection[str], count: int) -> tuple[str, ...]:
    """Return the kind of each terminal. One that is off leaves the others where they were."""
    chance = random.Random(f"{seed}/terminals")
    drawn = []
    for _ in range(count):
        order = chance.sample(sorted(KINDS), len(KINDS))
        drawn.append(next((kind for kind in order if kind not in off), FIRST))
    return tuple(drawn)


def read_terminal(kind: str, number: str, text: Callable[[str, Mapping[str, object]], str]) -> Terminal:
    """Return a terminal as the configuration would have it. `text` changes values of a profile."""
    one = KINDS[kind]
    file = PROFILES / f"{one.profile}.yaml"
    values = {
        key: value.format(number) if isinstance(value, str) else value for key, value in one.values.items()
    }
    profile = text(file.read_text(encoding="utf-8"), values)
    return DRIVERS[one.driver](one.port.format(number), profile, str(file))
