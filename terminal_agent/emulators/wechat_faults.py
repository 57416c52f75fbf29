"""What can be made to go wrong at the emulated WeChat Pay?

"Done" below means that the request has its whole effect in the books, whatever is answered.
"""

from collections.abc import Mapping

from terminal_agent.emulators.faults import Flag, Kind, Number, Word

_MOST_MS = 600_000

POINTS = ("request_received", "after_booking", "after_answer")
QUESTIONS = ("query", "refund_query", "bill")
TARGETS = ("any", "pay", "native", "reverse", "close", "refund", *QUESTIONS)

_CODE = Word("NOT_ENOUGH", shape="[A-Z_]{1,32}", described="capital letters and underscores")
_MS = Number(None, 1, _MOST_MS)

KNOWN: Mapping[str, Kind] = {
    "declined": Kind("refuses with `code`, does nothing", options={"code": _CODE}),
    "lost_request": Kind("closes the line unheard: nothing is done"),
    "lost_answer": Kind("done, and closes the line without an answer"),
    "torn_answer": Kind("done, and closes the line in the middle of its answer"),
    "late_answer": Kind("done, and answers after `ms`", options={"ms": _MS}),
    "doubled_request": Kind("hears the request twice, and answers the second one"),
    "userpaying": Kind(
        "asks for the password; after `ms` the shopper `then` pays or declines",
        on="pay",
        options={"ms": Number(1000, 1, _MOST_MS), "then": Word("pays", ("pays", "declines"))},
    ),
    "not_paid_yet": Kind(
        "takes the order and says NOTPAY; after `ms` it is charged", on="pay", options={"ms": _MS}
    ),
    "wrong_amount": Kind(
        "takes and answers `fen` instead of what was asked",
        on="pay",
        options={"fen": Number(None, 1, 10**12 - 1)},
    ),
    "wrong_currency": Kind("done, and answers in another currency"),
    "wrong_order": Kind("done, and answers for another order"),
    "wrong_merchant": Kind("done, and answers for another merchant"),
    "wrong_key": Kind("done, and signs with a stranger's key under its own id"),
    "unknown_key": Kind("done, and signs under a key id that nobody knows"),
    "missing_signature": Kind("done, and does not sign"),
    "stale_timestamp": Kind("done, and signs a time `s` seconds ago", options={"s": Number(301, 1, 10**6)}),
    "garbage": Kind("done, and answers with signed bytes that are no JSON"),
    "system_error": Kind(
        "answers 500 SYSTEM_ERROR; done only with `charged`", options={"charged": Flag(True)}
    ),
    "not_found_lag": Kind(
        "done, and for `ms` a query says that there is no such order", on="pay", options={"ms": _MS}
    ),
    "reverse_lost": Kind("confirms the reversal and does not do it", on="reverse"),
    "close_lost": Kind("confirms that an order is closed and does not close it", on="close"),
    "refund_unknown": Kind(
        "done, answers 500, and for `ms` a query says that there is no such refund",
        on="refund",
        options={"ms": _MS},
    ),
    "kill": Kind(
        "sends SIGKILL to process `pid` at `point`, then goes on; at request_received it drops the request",
        on="pay",
        options={"point": Word(None, POINTS), "pid": Number(None, 2, 2**31 - 1)},
    ),
}
