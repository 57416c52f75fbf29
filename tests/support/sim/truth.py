"""What has really happened to the money? Only the acquirer's own books say."""

from collections.abc import Iterable, Mapping
from typing import Any

from sim.cable import Cable


def taken(cables: Mapping[str, Cable], pay_refs: Iterable[str]) -> dict[str, int]:
    """Return what was charged, whether or not it went back: fen by pay_ref; none that were never charged."""
    wanted, found = set(pay_refs), dict[str, int]()
    for cable in cables.values():
        for line in cable.books.lines:
            if line.kind == "sale" and line.pay_ref in wanted:
                found[line.pay_ref] = found.get(line.pay_ref, 0) + line.fen
    return found


def standing(cables: Mapping[str, Cable], pay_refs: Iterable[str]) -> dict[str, int]:
    """Return what is charged and has not gone back: fen by pay_ref, without those that are nothing."""
    wanted, found = set(pay_refs), dict[str, int]()
    for cable in cables.values():
        for line in cable.books.lines:
            if line.kind == "sale" and line.pay_ref in wanted:
                left = line.fen - cable.books.given_back(line)
                if left:
                    found[line.pay_ref] = found.get(line.pay_ref, 0) + left
    return found


def times_charged(cables: Mapping[str, Cable]) -> dict[str, int]:
    """Return how often each pay_ref was charged."""
    found: dict[str, int] = {}
    for line in all_lines(cables):
        if line.kind == "sale" and line.pay_ref:
            found[line.pay_ref] = found.get(line.pay_ref, 0) + 1
    return found


def overdrawn(cables: Mapping[str, Cable]) -> list[str]:
    """Return the sales of which more was given back than was taken."""
    found = []
    for cable in cables.values():
        for line in cable.books.lines:
            if line.kind == "sale" and cable.books.given_back(line) > line.fen:
                found.append(f"{line.tid} {line.trace} {line.pay_ref}")
    return found


def all_lines(cables: Mapping[str, Cable]) -> list[Any]:
    """Return every line of every acquirer's books."""
    return [line for cable in cables.values() for line in cable.books.lines]
