"""What can go wrong at each kind of card terminal? Wishes for its emulator, which knows what they do."""

from typing import Any, NamedTuple

Wish = dict[str, Any]


class Wishes(NamedTuple):
    """What one kind's emulator can be asked for.

    `any` strikes what comes next, `question` beside it what is asked about it then; `amount` takes another
    amount than was asked, and `undo_refused` refuses to undo that. `void_refused` and `back` spoil what gives
    money back; `stale` lets a no be followed by the answer to the sale before.
    """

    any: tuple[Wish, ...]
    question: Wish
    amount: tuple[Wish, ...]
    undo_refused: Wish
    back: tuple[Wish, ...]
    stale: tuple[Wish, ...]
    void_refused: Wish


_BACK: tuple[Wish, ...] = (
    {"fault": "declined", "on": "refund"},
    {"fault": "lost_answer", "on": "refund"},
    {"fault": "lost_request", "on": "refund"},
    {"fault": "unclear_code", "on": "refund", "charged": False},
)
_AMOUNT: tuple[Wish, ...] = ({"fault": "partial"}, {"fault": "wrong_amount", "fen": 12_300})
_VOID_DECLINED: Wish = {"fault": "void_declined"}
_STALE: tuple[Wish, ...] = ({"fault": "declined"}, {"fault": "crossed_answer", "then_right": False})
CHILD_DIES = "child_dies"
MISTYPED = "mistyped"
LOST: Wish = {"fault": "lost_request"}
LOST_ANSWER: Wish = {"fault": "lost_answer"}
_SILENT: Wish = {"fault": "silent_query", "times": 3}
_ALIKE: tuple[Wish, ...] = (
    {"fault": "declined"},
    {"fault": "lost_request"},
    {"fault": "lost_answer"},
    {"fault": "late_answer", "ms": 20_000},
    {"fault": "late_answer", "ms": 100_000},
    {"fault": "late_answer", "ms": 250_000},
    {"fault": "doubled_answer"},
    {"fault": "crossed_answer"},
    {"fault": "crossed_answer", "then_right": False},
    {"fault": "wrong_terminal"},
    {"fault": "wrong_nonce"},
    {"fault": "unclear_code"},
    {"fault": "unclear_code", "charged": False},
    {"fault": "progress", "n": 20, "every_ms": 7000},
    {"fault": "unplug_after_ack", "ms": 8_000},
    {"fault": "unplug_after_ack", "ms": 90_000},
    {"fault": "lost_answer", "on": "void"},
    {"fault": "lost_answer", "on": "refund"},
    {"fault": "void_declined"},
    {"fault": "unclear_code", "on": "refund"},
    {"fault": "declined", "on": "refund"},
)
_ON_NETWORK: tuple[Wish, ...] = (
    *_ALIKE,
    {"fault": "torn_answer"},
    {"fault": "torn_answer", "on": "void"},
    {"fault": "split", "pause_ms": 5},
)
SERIAL = Wishes(
    (
        *_ALIKE,
        {"fault": "no_ack", "frames": 2},
        {"fault": "no_ack", "frames": 3},
        {"fault": "no_ack", "frames": 3, "charged": True},
        {"fault": "nak", "n": 2},
        {"fault": "bad_lrc", "n": 1},
        {"fault": "bad_lrc", "n": 3},
        {"fault": "noise"},
    ),
    _SILENT,
    _AMOUNT,
    _VOID_DECLINED,
    _BACK,
    _STALE,
    _VOID_DECLINED,
)
NEXO = Wishes(
    (
        *_ON_NETWORK,
        {"fault": "noise"},
        {"fault": "slow_card", "ms": 30_000},
        {"fault": "slow_card", "ms": 100_000},
    ),
    _SILENT,
    _AMOUNT,
    _VOID_DECLINED,
    _BACK,
    _STALE,
    _VOID_DECLINED,
)
MIS = Wishes(
    (
        *_ON_NETWORK,
        {"fault": "hung"},
        {"fault": "hung", "on": "void"},
        {"fault": CHILD_DIES},
        {"fault": CHILD_DIES},
    ),
    _SILENT,
    _AMOUNT,
    _VOID_DECLINED,
    _BACK,
    _STALE,
    _VOID_DECLINED,
)
HOST = Wishes(
    (
        {"fault": "declined"},
        {"fault": "lost_request"},
        {"fault": "cut_request"},
        {"fault": "late_request", "ms": 20_000},
        {"fault": "late_request", "ms": 70_000},
        {"fault": "lost_answer"},
        {"fault": "late_answer", "ms": 20_000},
        {"fault": "late_answer", "ms": 70_000},
        {"fault": "late_answer", "ms": 250_000},
        {"fault": "cut_answer"},
        {"fault": "doubled_answer"},
        {"fault": "previous_answer"},
        {"fault": "previous_answer", "then_right": False},
        {"fault": "split", "pause_ms": 5},
        {"fault": "noise"},
        {"fault": "wrong_mac"},
        {"fault": "no_mac"},
        {"fault": "wrong_terminal"},
        {"fault": "unclear_code"},
        {"fault": "unclear_code", "charged": False},
        {"fault": "lost_answer", "on": "reversal"},
        {"fault": "lost_request", "on": "reversal", "times": 3},
        {"fault": "wrong_mac", "on": "reversal"},
        {"fault": "unclear_code", "on": "reversal"},
        {"fault": "lost_answer", "on": "void"},
        {"fault": "declined", "on": "void"},
        {"fault": "lost_answer", "on": "refund"},
        {"fault": "declined", "on": "refund"},
        {"fault": "unclear_code", "on": "refund"},
    ),
    {"fault": "lost_answer", "on": "echo", "times": 2},
    _AMOUNT,
    {"fault": "declined", "on": "reversal", "code": "21"},
    _BACK,
    ({"fault": "declined"}, {"fault": "previous_answer", "then_right": False}),
    {"fault": "declined", "on": "void"},
)
RELAY = HOST._replace(any=(*HOST.any, {"fault": MISTYPED}, {"fault": MISTYPED}))
