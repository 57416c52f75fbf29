"""Which scenarios are there for one link, which of them can be tried now, and why not the others?"""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from terminal_agent.certify import hand_frames_over, scenarios, watch_a_line
from terminal_agent.certify.ask_about import check_question
from terminal_agent.certify.bad_moments import MOMENTS
from terminal_agent.certify.counterparts import Counterpart
from terminal_agent.certify.cut_a_watched_line import STEPS, check_step
from terminal_agent.certify.cut_power import (
    PointsOf,
    both_ends,
    check_cut_closing,
    check_cut_payment,
    check_cut_return,
    check_cut_showing,
    check_cut_undo,
    every_byte,
    some_bytes,
)
from terminal_agent.certify.give_back import (
    check_nothing_to_give_back,
    check_part,
    check_refund,
    check_too_much,
)
from terminal_agent.certify.link_side import LinkSide
from terminal_agent.certify.show_a_code import check_close, check_shown, undo_shown
from terminal_agent.certify.take_and_undo import check, check_reversal, undo
from terminal_agent.certify.watch_a_line import Watched
from terminal_agent.certify.watched_blindly import CHARGED_BLINDLY
from terminal_agent.certify.watched_moments import CHARGED_AT

NEEDS_CONTROL = "needs an emulator's control address (--control)"
_SAME_DAY = "a return is the same on every day here"
_AT_OUR_END, _BY_EMULATOR = "made at our own end", "made by the emulator"
_CUT = "the power fails at our own end"
_ONCE = "after the restart it is known whether it was taken, and undone whole, once"
_PASSES_AGAIN = "after the restart the bytes pass, it is unclear, and what then goes back is told, once"
_UNDONE = "after the restart it is undone, once"

WHERE_IT_CALLS = Watched(
    watch_a_line.CHARGES,
    watch_a_line.VOIDS,
    watch_a_line.REFUNDS,
    watch_a_line.REVERSALS,
    (*CHARGED_AT, *CHARGED_BLINDLY),
)


class Means(msgspec.Struct, frozen=True):
    """With what faults can be made: at our own end, by an emulator, and at how many bytes."""

    our_end: bool
    control: bool
    every_byte: bool = False


class Trial(msgspec.Struct, frozen=True):
    """One scenario for one link. It is tried unless `not_tried` or `does_not_apply` says why not."""

    name: str
    done: str
    must: str
    run: Callable[[LinkSide], None]
    not_tried: str = ""
    does_not_apply: str = ""


def trials_of(one: Counterpart, means: Means) -> list[Trial]:
    """Return every scenario for a counterpart, in the order in which they are tried."""
    if one.watched:
        return list(_watched(one, means))
    return list(_shown(one, means) if one.shown else _taken(one, means))


def _taken(one: Counterpart, means: Means) -> Iterator[Trial]:
    for scenario in scenarios.SCENARIOS:
        run = partial(check, scenario)
        yield _trial(f"paying: {scenario.name}", one, means, "take", scenario.fault, scenario.must, run)
    yield from _asked_about(one, means)
    for reversal in scenarios.REVERSALS:
        run = partial(check_reversal, reversal)
        yield _trial(f"undoing: {reversal.name}", one, means, "reverse", reversal.fault, reversal.must, run)
    yield from _given_back(one, means)
    if means.our_end:
        yield from _cut(
            one, means, ("paying", check_cut_payment, _ONCE), ("undoing", check_cut_undo, _UNDONE)
        )


def _asked_about(one: Counterpart, means: Means) -> Iterator[Trial]:
    if "query" not in one.calls:
        return
    end = undo_shown if one.shown else undo
    for question in scenarios.QUESTIONS:

        def run(side: LinkSide, question: scenarios.Question = question) -> None:
            check_question(question, side, partial(end, side))

        name = f"asking: {question.name}"
        yield _trial(name, one, means, question.call, question.fault, question.must, run)


def _given_back(one: Counterpart, means: Means) -> Iterator[Trial]:
    for day_ended in (False, True):
        day = "day ended" if day_ended else "same day"
        for refund in scenarios.REFUNDS:
            run = partial(check_refund, refund, day_ended=day_ended)
            trial = _trial(
                f"giving back, {day}: {refund.name}", one, means, "refund", refund.fault, refund.must, run
            )
            yield _on_day(trial, one, means, day_ended)
        part = _trial(
            f"giving back a part, {day}",
            one,
            means,
            "refund",
            "",
            "a part is given back once, though it is asked for twice",
            partial(check_part, day_ended=day_ended),
        )
        yield _on_day(part, one, means, day_ended)
    for what, fault in (("never asked for", ""), ("refused", "declined"), ("lost", "lost_request")):
        yield _trial(
            f"giving back what was never paid: {what}",
            one,
            means,
            "take",
            fault,
            "nothing is given back",
            partial(check_nothing_to_give_back, fault=fault),
        )
    too_much = "what is given back never passes what was paid, under any number"
    yield _trial("giving back more than was paid", one, means, "refund", "", too_much, check_too_much)


def _cut(one: Counterpart, means: Means, *cuts: tuple[str, Callable[..., None], str]) -> Iterator[Trial]:
    points = (every_byte if means.every_byte else some_bytes) if one.in_pieces else both_ends
    done = _done_at(points)
    back = "after the restart it is given back, once"
    for name, check_cut, must in (*cuts, ("giving back", check_cut_return, back)):
        yield Trial(f"power cut while {name}", done, must, partial(check_cut, points=points))


def _done_at(points: PointsOf) -> str:
    where: dict[PointsOf, str] = {
        every_byte: "before and after each byte",
        some_bytes: "at bytes at both ends and between",
    }
    return f"{_CUT}, {where.get(points, 'before and after the request, which leaves whole')}"


def _shown(one: Counterpart, means: Means) -> Iterator[Trial]:
    for scenario in scenarios.SHOWN:
        run = partial(check_shown, scenario)
        must = f"{scenario.must}; what is undone cannot be paid any more"
        yield _trial(f"showing a code: {scenario.name}", one, means, "take", scenario.fault, must, run)
    yield from _asked_about(one, means)
    for reversal in scenarios.REVERSALS:
        must = "repeated until it is closed; then nobody can pay it"
        run = partial(check_close, reversal)
        yield _trial(f"closing: {reversal.name}", one, means, "reverse", reversal.fault, must, run)
    for moment in MOMENTS:
        name = f"the shopper pays: {moment.name}"
        trial = _trial(name, one, means, "reverse", moment.fault, moment.must, moment.check)
        if moment.is_short and not means.control:
            trial = msgspec.structs.replace(trial, not_tried=NEEDS_CONTROL)
        yield trial
    yield from _given_back(one, means)
    if means.our_end:
        closed = "after the restart it is closed; then nobody can pay it"
        showing, closing = (
            ("showing a code", check_cut_showing, closed),
            ("closing", check_cut_closing, closed),
        )
        yield from _cut(one, means, showing, closing)


def _watched(one: Counterpart, means: Means) -> Iterator[Trial]:
    tried = hand_frames_over.SCENARIOS if one.hands_over else WHERE_IT_CALLS
    for charge in tried.charges:
        run: Callable[[LinkSide], None] = partial(watch_a_line.check_charge, charge)
        yield _trial(f"charging: {charge.name}", one, means, "take", charge.fault, charge.must, run)
    steps = (
        ("voiding", "void", tried.voids, watch_a_line.check_void),
        ("giving back", "refund", tried.refunds, watch_a_line.check_refund),
        ("reversing", "reverse", tried.reversals, watch_a_line.check_reversal),
    )
    for name, call, backs, check_back in steps:
        for back in backs:
            run = partial(check_back, back)
            yield _trial(f"{name}: {back.name}", one, means, call, back.fault, back.must, run)
    for moment in tried.moments:
        name = f"charged: {moment.name}"
        trial = _trial(name, one, means, "take", moment.fault, moment.must, moment.check)
        yield _on_day(trial, one, means, moment.day_ends)
    if means.our_end:
        points = every_byte if means.every_byte else some_bytes
        for step in STEPS:
            run = partial(check_step, step, points=points)
            yield Trial(f"power cut while {step.name}", _done_at(points), _PASSES_AGAIN, run)


def _trial(
    name: str,
    one: Counterpart,
    means: Means,
    call: str,
    fault: str,
    must: str,
    run: Callable[[LinkSide], None],
) -> Trial:
    """Return a scenario, with the reason why it is not tried if there is one."""

    def rehearsed(side: LinkSide) -> None:
        side.rehearse(call, fault)
        run(side)
        side.must_be_struck()

    if fault in ("", scenarios.NOT_SCANNED):
        return Trial(name, "nothing is disturbed", must, run)
    if means.our_end and fault in one.at_our_end:
        return Trial(name, _AT_OUR_END, must, rehearsed)
    if one.made(call, fault) is None:
        return Trial(name, "", must, run, does_not_apply=one.not_here[fault])
    return Trial(name, _BY_EMULATOR, must, rehearsed, not_tried="" if means.control else NEEDS_CONTROL)


def _on_day(trial: Trial, one: Counterpart, means: Means, day_ended: bool) -> Trial:
    """Return the same scenario once the other side's day has ended."""
    if not day_ended or trial.does_not_apply:
        return trial
    if not one.day_ended:
        return msgspec.structs.replace(trial, does_not_apply=_SAME_DAY, not_tried="")
    return trial if means.control else msgspec.structs.replace(trial, not_tried=NEEDS_CONTROL)
