"""Whose payment is a row that names no order? Pure.

Both sides call a payment something: its terminal, and there its reference number, or its batch and trace. A
row is a payment's when that is what the shop's evidence says, on a day on which it can have moved. Who was
told yes goes before who was told no; among equals nothing is guessed: a row that fits two payments, and a
payment that two rows fit, are contested. Amounts are compared later, as for every row, but a no is
believed to be about a row only when it is of the amount asked. A row that points at the charge which it
gives back or puts right is of that charge's payment, whatever anybody's evidence says.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import Attempt, Story, day_of
from settlement.reconcile.lines import Line, Moved, sale_of
from settlement.reconcile.match import days_between, next_day
from settlement.reconcile.sales import Contested
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence

_REJECTED = "AVAILABLE_AGAIN"


class Recognised(msgspec.Struct, frozen=True):
    """What was found. `lines` are the rows whose payments are known, each with its number now.

    `free` are the charges of which nobody was told that they were paid, by terminal and fen; `plain` are
    those and what was given back, so far as nothing of ours is known or contested to have moved there.
    """

    lines: tuple[Line, ...] = ()
    contested: tuple[Contested, ...] = ()
    free: Mapping[tuple[str, int], Sequence[Line]] = {}
    plain: Mapping[tuple[str, int], Sequence[Line]] = {}

    @property
    def named(self) -> dict[str, Line]:
        """The rows whose payments are known, by their places."""
        return {one.place: one for one in self.lines}

    @property
    def contested_sales(self) -> set[str]:
        """The sales of which something is contested."""
        return {sale_of(pay_ref) for one in self.contested for pay_ref in one.pay_refs}

    def contested_by(self, sale: str) -> tuple[Contested, ...]:
        """Return what is contested of a sale."""
        return tuple(one for one in self.contested if sale in map(sale_of, one.pay_refs))

    def free_for(self, story: Story, config: NightConfig) -> tuple[Line, ...]:
        """Return the rows that are nobody's and may be a sale's payment: terminal, amount and day fit."""
        if not self.free or not story.may_be_paid:
            return ()
        rows = self.free.get((story.record.terminal_no, story.record.to_pay_fen), ())
        days = _days_taken(story, config)
        return tuple(one for one in rows if one.day in days and _is_there(one, story, config))

    def beside(self, story: Story, config: NightConfig) -> tuple[Line, ...]:
        """Return the rows that are nobody's and may have been charged for a sale that was then not paid.

        A cashier keys the amount in again after a card was declined. Of rows of that amount as many are left
        out as were given back: which of them is not said.
        """
        if not self.plain or not story.is_unpaid:
            return ()
        rows = self.plain.get((story.record.terminal_no, story.record.to_pay_fen), ())
        days = _days_taken(story, config)
        there = [one for one in rows if one.day in days and _is_there(one, story, config)]
        later = [one for one in there if _is_after(one, story, config)]
        charged = [one for one in later if one.kind is Moved.SALE]
        undone = sum(one.kind in (Moved.VOID, Moved.REFUND) for one in later)
        return tuple(charged[undone:])


class _Move(msgspec.Struct, frozen=True):
    """One movement of money: the same row again is no other one, and is told of as doubled."""

    source: str
    kind: Moved
    ref: str


class _Claim(msgspec.Struct, frozen=True):
    """A payment that says a row is its own. `yes` when its shop was told that it was paid."""

    pay_ref: str
    yes: bool


_Claims = dict[_Move, set[_Claim]]


def recognise(stories: Iterable[Story], rows: Iterable[Line], config: NightConfig) -> Recognised:
    """Return whose payments rows without an order number are.

    Args:
        stories: every sale that could claim one of the rows.
        rows: of whichever days; those that name an order are passed over.
        config: which sources there are.
    """
    moves: dict[_Move, list[Line]] = defaultdict(list)
    at: dict[str, set[_Move]] = defaultdict(set)
    for line in sorted(rows, key=_in_order):
        called = config.called(line)
        if called is not None:
            move = _Move(line.source, line.kind, line.ref)
            moves[move].append(line)
            at[called.terminal_no].add(move)
    told = list(stories)
    taken: _Claims = defaultdict(set)
    back: _Claims = defaultdict(set)
    for story in told:
        for move in at.get(story.record.terminal_no, ()):
            if move.kind is Moved.SALE:
                taken[move].update(one for line in moves[move] for one in _took(story, line, config))
    sold, doubtful = _settled(taken)
    known = set(sold.values())
    pointing = _pointing(moves, config)
    for story in told:
        for move in at.get(story.record.terminal_no, ()):
            if move.kind is not Moved.SALE and move not in pointing:
                back[move].update(one for line in moves[move] for one in _gave(story, line, known, config))
    given, unsure = _settled(back)
    given |= {move: sold[charge] for move, charge in pointing.items() if charge in sold}
    free: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for terminal_no, there in at.items():
        for move in there:
            if not terminal_no or move.kind is not Moved.SALE:
                continue
            if not any(one.yes for one in taken.get(move, ())):
                for line in moves[move]:
                    free[terminal_no, line.fen].append(line)
    ours = {*sold, *given, *(move for _, of in (*doubtful, *unsure) for move in of)}
    plain: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for terminal_no, there in at.items():
        for move in there - ours:
            for line in moves[move]:
                plain[terminal_no, line.fen].append(line)
    return Recognised(
        lines=tuple(
            replace(line, pay_ref=ref) for move, ref in (sold | given).items() for line in moves[move]
        ),
        contested=tuple(
            Contested(tuple(sorted(refs)), tuple(line for move in of for line in moves[move]))
            for refs, of in (*doubtful, *unsure)
        ),
        free={key: sorted(lines, key=_in_order) for key, lines in free.items()},
        plain={key: sorted(lines, key=_in_order) for key, lines in plain.items()},
    )


def days_of(story: Story, config: NightConfig) -> tuple[str, ...]:
    """Return the days in whose files rows about a sale may stand."""
    days = set(_days_taken(story, config))
    for one in story.attempts:
        days.update(_days_back(story, one, config))
    return tuple(sorted(days))


def _settled(claims: _Claims) -> tuple[dict[_Move, str], list[tuple[set[str], list[_Move]]]]:
    """Return the payment that each movement is of, and what cannot be told apart: payments and movements."""
    refs: dict[_Move, set[str]] = {}
    for move, found in claims.items():
        yes = {one.pay_ref for one in found if one.yes}
        refs[move] = yes or {one.pay_ref for one in found}
    wanted: dict[str, list[_Move]] = defaultdict(list)
    for move, names in refs.items():
        for name in names:
            wanted[name].append(move)
    owners: dict[_Move, str] = {}
    doubtful: list[tuple[set[str], list[_Move]]] = []
    seen: set[_Move] = set()
    for first in sorted(refs, key=lambda one: (one.source, one.ref, one.kind)):
        if first in seen or not refs[first]:
            continue
        names, group, open_ = set[str](), [first], [first]
        seen.add(first)
        while open_:
            for name in refs[open_.pop()] - names:
                names.add(name)
                more = [one for one in wanted[name] if one not in seen]
                seen.update(more)
                group += more
                open_ += more
        if len(names) == len(group) == 1:
            owners[first] = names.pop()
        else:
            doubtful.append((names, sorted(group, key=lambda one: (one.source, one.ref, one.kind))))
    return owners, doubtful


def _pointing(moves: Mapping[_Move, Sequence[Line]], config: NightConfig) -> dict[_Move, _Move]:
    """Return the charge that each movement points at; nothing when the name that it gives is two charges'."""
    charges: dict[tuple[str, str], set[_Move]] = defaultdict(set)
    about: dict[_Move, str] = {}
    for move, lines in moves.items():
        called = config.called(lines[0])
        if called is None:
            continue
        if called.about:
            about[move] = called.about
        for name in called.names if move.kind is Moved.SALE else ():
            charges[move.source, name].add(move)
    found = {move: charges.get((move.source, name), set()) for move, name in about.items()}
    return {move: next(iter(of)) for move, of in found.items() if len(of) == 1}


def _took(story: Story, line: Line, config: NightConfig) -> Iterator[_Claim]:
    """Yield the attempts of a sale that a row may be the charge of."""
    if not _is_there(line, story, config) or line.day not in _days_taken(story, config):
        return
    for one in story.attempts:
        yes = one.state == "PAID" and story.record.state != _REJECTED
        if _is_card(one) and (yes or one.fen == line.fen) and _fits(line, one.evidence, config):
            yield _Claim(one.pay_ref, yes)


def _gave(story: Story, line: Line, known: Collection[str], config: NightConfig) -> Iterator[_Claim]:
    """Yield the attempts of a sale that a row has given back: it is their void, or the refund of a return."""
    if not _is_there(line, story, config):
        return
    goods = story.goods_return
    for one in story.attempts:
        if not _is_card(one) or line.day not in _days_back(story, one, config):
            continue
        if one.state == "PAID":
            refunded = goods is not None and goods.pay_ref == one.pay_ref and goods.state == "REFUNDED"
            said = goods.evidence if refunded and goods is not None else Evidence()
        else:
            # What went back of a sale that nobody can point out: both are not of the programme.
            said = one.evidence if one.pay_ref in known else Evidence()
        if _fits(line, said, config):
            yield _Claim(one.pay_ref, True)


def _fits(line: Line, said: Evidence, config: NightConfig) -> bool:
    called = config.called(line)
    if called is None or said.terminal_no not in ("", called.terminal_no):
        return False
    by_place = "" not in (said.batch, said.trace) and (said.batch, said.trace) == (called.batch, called.trace)
    return by_place or (said.rrn != "" and said.rrn == called.rrn)


def _is_there(line: Line, story: Story, config: NightConfig) -> bool:
    called, source = config.called(line), config.sources[line.source]
    at_it = called is not None and called.terminal_no == story.record.terminal_no
    return at_it and source.takes_for(line.merchant_no, story.record.shop)


def _is_after(line: Line, story: Story, config: NightConfig) -> bool:
    """Whether a row came after every try of a sale in its batch, as far as their numbers say."""
    called = config.called(line)
    assert called is not None
    tried = (one.evidence for one in story.attempts if _is_card(one))
    return all(one.batch != called.batch or one.trace < called.trace for one in tried)


def _is_card(one: Attempt) -> bool:
    return one.tender is Tender.CARD


def _days_taken(story: Story, config: NightConfig) -> tuple[str, ...]:
    """Return the days from the hold to the end of its time, and the one after it began."""
    record = story.record
    longest_s = max((one.longest_payment_s for one in config.covering(record.shop)), default=0)
    over_ms = record.placed_at_ms + (record.held_for_s + longest_s) * 1000
    return days_between(story.day, max(next_day(story.day), day_of(over_ms)))


def _days_back(story: Story, one: Attempt, config: NightConfig) -> tuple[str, ...]:
    goods = story.goods_return
    if one.state == "PAID" and goods is not None and goods.pay_ref == one.pay_ref:
        ended_ms = goods.begun_ms if goods.ended_ms is None else goods.ended_ms
        return days_between(day_of(goods.begun_ms), next_day(day_of(ended_ms)))
    return days_between(story.day, max(_days_taken(story, config)[-1], next_day(day_of(one.ended_ms))))


def _in_order(line: Line) -> tuple[str, str, int]:
    return line.day, line.source, line.line_no
