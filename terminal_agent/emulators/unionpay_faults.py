"""What can be made to go wrong at the emulated UnionPay?

"Done" below means that the request has its whole effect in the books, whatever is answered.
"""

from collections.abc import Mapping
from dataclasses import replace

from terminal_agent.emulators.faults import Flag, Kind, Number, Word

_MOST_MS = 600_000

POINTS = ("request_received", "after_booking", "after_answer")
QUESTIONS = ("query", "file")
TARGETS = ("any", "pay", "show", "reverse", "refund", *QUESTIONS)

_CODE = Word("64", shape="[0-9A-Z]{2}", described="two digits or capital letters")
_ITS_OWN = replace(_CODE, default="")
_MS = Number(None, 1, _MOST_MS)

KNOWN: Mapping[str, Kind] = {
    "declined": Kind("refuses with `code`, does nothing", options={"code": _CODE}),
    "unclear_code": Kind("answers 04, not clear; done only with `charged`", options={"charged": Flag(True)}),
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
    "wrong_amount": Kind(
        "takes `fen` instead of what was asked", on="pay", options={"fen": Number(None, 1, 10**12 - 1)}
    ),
    "offer": Kind(
        "takes the whole, `fen` of it from a coupon of UnionPay's own",
        on="pay",
        options={"fen": Number(100, 1, 10**12 - 1)},
    ),
    "wrong_currency": Kind("done, and answers in another currency"),
    "wrong_order": Kind("done, and answers for another order, with `code`", options={"code": _ITS_OWN}),
    "wrong_merchant": Kind("done, and answers for another merchant, with `code`", options={"code": _ITS_OWN}),
    "wrong_key": Kind("done, and signs with a stranger's key under its own certificate"),
    "unknown_key": Kind("done, and signs under a certificate that does not lead to the root"),
    "missing_signature": Kind("done, and does not sign"),
    "garbage": Kind("done, and answers with bytes that are no form"),
    "system_error": Kind("answers 500; done only with `charged`", options={"charged": Flag(True)}),
    "not_found_lag": Kind(
        "done, and for `ms` a query says that there is no such payment", on="pay", options={"ms": _MS}
    ),
    "kill": Kind(
        "sends SIGKILL to process `pid` at `point`, then goes on; at request_received it drops the request",
        on="pay",
        options={"point": Word(None, POINTS), "pid": Number(None, 2, 2**31 - 1)},
    ),
}
