"""What differs from one kind of counterpart to the next: words, what it books, which faults it can make?

One row for each. A fault that is in neither `at_our_end` nor `by_emulator` has a sentence in `not_here`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from terminal_agent.certify import our_end, watched_ends
from terminal_agent.certify.side import GIVEN_BACK, TAKEN, Moved
from terminal_agent.checkout.ports import Clocks, Say

Options = Mapping[str, int | str | bool]
Line = Mapping[str, Any]


class Made(msgspec.Struct, frozen=True):
    """How an emulator makes a fault: its name there, and options that may follow from the link's waits."""

    name: str
    options: Callable[[Clocks], Options] = lambda _: {}


class Counterpart(msgspec.Struct, frozen=True):
    """One kind of counterpart.

    `calls` has its words for take, reverse and refund, `day_ended` those that are others once its day is
    closed; empty, and a refund is the same on every day. `order` has the fields of a booked line in which our
    number may stand; none, and no line has it.
    """

    calls: Mapping[str, str]
    books: Mapping[str, str]
    order: tuple[str, ...]
    at_our_end: frozenset[str]
    by_emulator: Mapping[str, Made]
    not_here: Mapping[str, str]
    day_ended: Mapping[str, str] = {}
    by_emulator_at: Mapping[tuple[str, str], Made] = {}
    may_find: Mapping[str, frozenset[Say]] = {}
    undone_by: Callable[[Sequence[Line]], Sequence[Line]] = lambda lines: lines
    says_at_once: bool = True
    can_be_asked: bool = True
    in_pieces: bool = True
    """Whether a request can be cut in the middle."""
    undoes_unknown: bool = True
    knows_unscanned: bool = True
    shown: bool = False
    watched: bool = False
    hands_over: bool = False
    """Whether a terminal that is only watched hands its frames over a serial line."""
    show_for_s: float = 900.0
    code_prefix: str = ""
    code_digits: int = 0

    def moved(self, lines: Sequence[Line], pay_ref: str) -> Moved:
        """Return what these lines say of one payment, since which began nothing else was to happen."""
        kept = [one for one in self.undone_by(lines) if one["kind"] in self.books and one["fen"]]
        return [(self.books[one["kind"]] + self._stray(one, pay_ref), one["fen"]) for one in kept]

    def _stray(self, line: Line, pay_ref: str) -> str:
        is_ours = not self.order or pay_ref in [line[name] for name in self.order]
        return "" if is_ours else " under another number"

    def made(self, call: str, fault: str) -> Made | None:
        """Return how the emulator makes a fault that strikes a call, None when it cannot."""
        return self.by_emulator_at.get((call, fault)) or self.by_emulator.get(fault)


def _fixed(name: str, **options: int | str | bool) -> Made:
    return Made(name, lambda _: options)


def _late(clocks: Clocks) -> Options:
    # And so much more that a busy host, which looks late whether anything has come, has still given up.
    return {"ms": round(1500 * clocks.answer_wait_s) + 400}


def _at_work(clocks: Clocks) -> Options:
    return {"n": 6, "every_ms": round(250 * clocks.answer_cap_s)}


_UNSIGNED = "answers are not signed on this line"
_WHOLE = "a record is handed over whole, and once"
_ONE_ANSWER = "each request has an answer of its own"
_NO_CABLE = "there is no cable: a lost answer is the same"
_PROOF = "its yes to this is the proof: there is nothing else to ask"
_CARD_BOOKS = {"sale": TAKEN, "void": GIVEN_BACK, "refund": GIVEN_BACK}
_CARD_CALLS = {"take": "sale", "reverse": "void", "refund": "void"}
_ON_A_LINE = frozenset(
    {
        our_end.LOST_REQUEST,
        our_end.LOST_ANSWER,
        our_end.SLOW_ANSWER,
        our_end.BROKEN_ANSWER,
        our_end.TORN_ANSWER,
        our_end.DOUBLED,
        our_end.STRANGERS_ANSWER,
        our_end.CROSSED_ANSWER,
        our_end.NOISE,
        our_end.UNPLUG,
    }
)
_OVER_HTTP = frozenset(
    {
        our_end.LOST_REQUEST,
        our_end.LOST_ANSWER,
        our_end.SLOW_ANSWER,
        our_end.BROKEN_ANSWER,
        our_end.TORN_ANSWER,
        our_end.DOUBLED,
        our_end.STRANGERS_ANSWER,
    }
)
_BY_A_TERMINAL = {
    "declined": Made("declined"),
    "lost_request": Made("lost_request"),
    "lost_answer": Made("lost_answer"),
    "late_answer": Made("late_answer", _late),
    "slow_answer": _fixed("late_answer", ms=200),
    "doubled": Made("doubled_answer"),
    "wrong_amount": _fixed("wrong_amount", fen=1),
    "strangers_answer": _fixed("crossed_answer", then_right=False),
    "crossed_answer": _fixed("crossed_answer", then_right=True),
    "unplug": _fixed("unplug_after_ack", ms=300),
    "unclear_charged": _fixed("unclear_code", charged=True),
    "unclear_not_charged": _fixed("unclear_code", charged=False),
    "at_work": Made("progress", _at_work),
}

_NOT_TOLD = dict.fromkeys(("unclear_charged", "unclear_not_charged"), frozenset({Say.UNCLEAR}))

SERIAL = Counterpart(
    calls=_CARD_CALLS,
    day_ended={"refund": "refund"},
    books=_CARD_BOOKS,
    order=("pay_ref",),
    at_our_end=_ON_A_LINE | {our_end.LATE_ANSWER},
    by_emulator={**_BY_A_TERMINAL, "broken_answer": Made("bad_lrc"), "noise": Made("noise")},
    not_here={
        "wrong_signature": _UNSIGNED,
        "torn_answer": "the emulator does not tear frames off",
        "confirmed_not_done": _PROOF,
    },
    may_find=_NOT_TOLD,
)

NEXO = Counterpart(
    calls=_CARD_CALLS,
    day_ended={"refund": "refund"},
    books=_CARD_BOOKS,
    order=("pay_ref",),
    at_our_end=_ON_A_LINE,
    by_emulator={**_BY_A_TERMINAL, "torn_answer": Made("torn_answer"), "noise": Made("noise")},
    not_here={
        "wrong_signature": _UNSIGNED,
        "broken_answer": "the emulator tears answers off instead",
        "confirmed_not_done": _PROOF,
    },
    may_find=_NOT_TOLD,
)

MIS = Counterpart(
    calls=_CARD_CALLS,
    day_ended={"refund": "refund"},
    books=_CARD_BOOKS,
    order=(),
    at_our_end=frozenset(
        {
            our_end.LOST_REQUEST,
            our_end.LOST_ANSWER,
            our_end.SLOW_ANSWER,
            our_end.TORN_ANSWER,
            our_end.STRANGERS_ANSWER,
        }
    ),
    by_emulator={
        **{fault: made for fault, made in _BY_A_TERMINAL.items() if fault != "unplug"},
        "torn_answer": Made("torn_answer"),
    },
    not_here={
        "wrong_signature": _UNSIGNED,
        "unplug": "the client is a program: there is no cable between it and us",
        "broken_answer": "a record has no check that could be wrong",
        "confirmed_not_done": _PROOF,
        "noise": _WHOLE,
    },
    in_pieces=False,
    # The client tells the last transaction that went through, and only of the amount asked for is it ours.
    may_find={
        "declined": frozenset({Say.NOT_FOUND}),
        "wrong_amount": frozenset({Say.UNCLEAR}),
        "unclear_not_charged": frozenset({Say.NOT_FOUND}),
        "unclear_charged": frozenset({Say.APPROVED}),
    },
)


def _without_reversed_voids(lines: Sequence[Line]) -> Sequence[Line]:
    """Return what moved money at an acquirer's host: a void that was itself reversed did not."""
    undone = {(one["orig_batch"], one["orig_trace"]) for one in lines if one["kind"] == "reversal"}
    voids = {(one["batch"], one["trace"]) for one in lines if one["kind"] == "void"} & undone
    return [
        one
        for one in lines
        if (one["batch"], one["trace"]) not in voids
        and not (one["kind"] == "reversal" and (one["orig_batch"], one["orig_trace"]) in voids)
    ]


DIRECT = Counterpart(
    calls={"take": "sale", "reverse": "reversal", "refund": "void"},
    day_ended={"refund": "refund"},
    books={**_CARD_BOOKS, "reversal": GIVEN_BACK},
    order=("pay_ref",),
    at_our_end=_ON_A_LINE,
    by_emulator={
        "declined": Made("declined"),
        "lost_request": Made("lost_request"),
        "lost_answer": Made("lost_answer"),
        "late_answer": Made("late_answer", _late),
        "slow_answer": _fixed("late_answer", ms=200),
        "broken_answer": Made("wrong_mac"),
        "torn_answer": Made("cut_answer"),
        "wrong_signature": Made("no_mac"),
        "doubled": Made("doubled_answer"),
        "wrong_amount": _fixed("wrong_amount", fen=1),
        "strangers_answer": _fixed("previous_answer", then_right=False),
        "crossed_answer": _fixed("previous_answer", then_right=True),
        "noise": Made("noise"),
        "unclear_charged": _fixed("unclear_code", charged=True),
        "unclear_not_charged": _fixed("unclear_code", charged=False),
        "at_work": Made("late_answer", _late),
    },
    not_here={"unplug": _NO_CABLE, "confirmed_not_done": _PROOF},
    undone_by=_without_reversed_voids,
    can_be_asked=False,
    undoes_unknown=False,
)

_BEHIND_A_RELAY = (
    (_ON_A_LINE - {our_end.BROKEN_ANSWER})  # its MAC is between terminal and acquirer
    | watched_ends.AT_THE_ACQUIRER
    | watched_ends.OF_THE_AGENT
    | {our_end.NO_LINE}
)
_AT_A_WATCHED_LINE = _BEHIND_A_RELAY | watched_ends.WHERE_IT_CALLS
_WHERE_FRAMES_ARE_HANDED_OVER = _BEHIND_A_RELAY | watched_ends.WHERE_IT_HANDS_OVER | {watched_ends.CABLE_OUT}
_NO_TLS = "a frame is handed over at a time, and its answer back: there is no line that could be encrypted"
_OUR_END_ALONE = "only our own end can do this to the line"


def _later_than_it_waits(clocks: Clocks) -> Options:
    return {"ms": round(1500 * clocks.host_timeout_s) + 400}


_BY_THE_ACQUIRER = {
    "declined": Made("declined"),
    "partial": Made("partial"),
    "wrong_amount": _fixed("wrong_amount", fen=1),
    "unclear_charged": _fixed("unclear_code", charged=True),
    "unclear_not_charged": _fixed("unclear_code", charged=False),
    "lost_request": Made("lost_request"),
    "lost_answer": Made("lost_answer"),
    "late_answer": Made("late_answer", _later_than_it_waits),
    "slow_answer": _fixed("late_answer", ms=200),
    "torn_answer": Made("cut_answer"),
    "doubled": Made("doubled_answer"),
    "strangers_answer": _fixed("previous_answer", then_right=False),
    "crossed_answer": _fixed("previous_answer", then_right=True),
}

# A terminal that is only watched: its control address is the acquirer's, which has the books.
RELAY = Counterpart(
    calls={"take": "sale", "void": "void", "refund": "refund", "reverse": "reversal"},
    day_ended={"refund": "refund"},
    books={**_CARD_BOOKS, "reversal": GIVEN_BACK},
    order=(),
    at_our_end=_AT_A_WATCHED_LINE,
    by_emulator=_BY_THE_ACQUIRER,
    not_here=dict.fromkeys(_AT_A_WATCHED_LINE, _OUR_END_ALONE),
    undone_by=_without_reversed_voids,
    watched=True,
)
HAND_OVER = msgspec.structs.replace(
    RELAY,
    at_our_end=_WHERE_FRAMES_ARE_HANDED_OVER,
    not_here={
        **dict.fromkeys(_WHERE_FRAMES_ARE_HANDED_OVER, _OUR_END_ALONE),
        our_end.ENCRYPTED_TO_US: _NO_TLS,
    },
    hands_over=True,
)

_BY_A_CHANNEL = {
    "declined": Made("declined"),
    "lost_request": Made("lost_request"),
    "lost_answer": Made("lost_answer"),
    "late_answer": Made("late_answer", _late),
    "slow_answer": _fixed("late_answer", ms=200),
    "torn_answer": Made("torn_answer"),
    "wrong_signature": Made("wrong_key"),
    "doubled": Made("doubled_request"),
    "wrong_amount": _fixed("wrong_amount", fen=1),
    "noise": Made("garbage"),
    "unclear_charged": _fixed("system_error", charged=True),
    "unclear_not_charged": _fixed("system_error", charged=False),
    "at_work": _fixed("userpaying", ms=1000),
    "wrong_currency": Made("wrong_currency"),
    "not_known_yet": _fixed("not_found_lag", ms=1500),
}
_NOT_AT_A_CHANNEL = {
    "broken_answer": "the emulator signs with a wrong key instead",
    "crossed_answer": _ONE_ANSWER,
    "unplug": _NO_CABLE,
}

WECHAT = Counterpart(
    calls={"take": "pay", "query": "query", "reverse": "reverse", "refund": "refund"},
    books={"charge": TAKEN, "reversal": GIVEN_BACK, "refund": GIVEN_BACK},
    order=("out_trade_no",),
    at_our_end=_OVER_HTTP,
    by_emulator={
        **_BY_A_CHANNEL,
        "strangers_answer": Made("wrong_order"),
        "wrong_merchant": Made("wrong_merchant"),
        "unknown_key": Made("unknown_key"),
        "confirmed_not_done": Made("reverse_lost"),
    },
    not_here=_NOT_AT_A_CHANNEL,
    code_prefix="13",
    code_digits=18,
)

ALIPAY = Counterpart(
    calls={"take": "pay", "query": "query", "reverse": "cancel", "refund": "refund"},
    books={"pay": TAKEN, "cancel": GIVEN_BACK, "refund": GIVEN_BACK},
    order=("out_trade_no",),
    at_our_end=_OVER_HTTP,
    by_emulator={
        **_BY_A_CHANNEL,
        "strangers_answer": Made("previous_answer"),
        "confirmed_not_done": Made("cancel_lost"),
    },
    by_emulator_at={("refund", "declined"): _fixed("declined", code="ACQ.SELLER_BALANCE_NOT_ENOUGH")},
    not_here={
        **_NOT_AT_A_CHANNEL,
        "wrong_merchant": "its answers name no merchant",
        "unknown_key": "its answers name no key, but where certificates are used",
    },
    undoes_unknown=False,
    code_prefix="28",
    code_digits=18,
)

UNIONPAY = Counterpart(
    calls={"take": "pay", "query": "query", "reverse": "reverse", "refund": "refund"},
    day_ended={"refund": "refund"},
    books={"charge": TAKEN, "reversal": GIVEN_BACK, "refund": GIVEN_BACK},
    order=("order_id", "orig"),
    at_our_end=_OVER_HTTP,
    by_emulator={
        **_BY_A_CHANNEL,
        "strangers_answer": Made("wrong_order"),
        "unclear_charged": _fixed("unclear_code", charged=True),
        "unclear_not_charged": _fixed("unclear_code", charged=False),
        "wrong_merchant": Made("wrong_merchant"),
        "unknown_key": Made("unknown_key"),
    },
    not_here={**_NOT_AT_A_CHANNEL, "confirmed_not_done": _PROOF, "closed_not_held": _PROOF},
    says_at_once=False,
    undoes_unknown=False,
    code_prefix="62",
    code_digits=19,
)

WECHAT_SHOWN = msgspec.structs.replace(
    WECHAT,
    calls={"take": "native", "query": "query", "reverse": "close", "refund": "refund"},
    by_emulator={
        **WECHAT.by_emulator,
        "confirmed_not_done": Made("close_lost"),
        "closed_not_held": Made("close_lost"),
    },
    shown=True,
    code_digits=0,
)
# Alipay knows of no payment until the code is scanned, so a stopped one waits until its time is over.
ALIPAY_SHOWN = msgspec.structs.replace(
    ALIPAY,
    calls={"take": "show", "query": "query", "reverse": "cancel", "refund": "refund"},
    by_emulator={
        **{fault: made for fault, made in ALIPAY.by_emulator.items() if fault != "confirmed_not_done"},
        "closed_not_held": Made("cancel_lost"),
    },
    not_here={**ALIPAY.not_here, "confirmed_not_done": "what nobody has scanned cannot be cancelled"},
    shown=True,
    code_digits=0,
    knows_unscanned=False,
    show_for_s=2.0,
)
UNIONPAY_SHOWN = msgspec.structs.replace(
    UNIONPAY,
    calls={"take": "show", "query": "query", "reverse": "reverse", "refund": "refund"},
    shown=True,
    code_digits=0,
)
