"""What can be made to go wrong at the emulated Alipay?

"Done" below means that the request has its whole effect in the books, whatever is answered.
"""

from collections.abc import Mapping

from terminal_agent.emulators.faults import Flag, Kind, Number, Word

_MOST_MS = 600_000
_MOST_FEN = 10**12 - 1

POINTS = ("request_received", "after_booking", "after_answer")
QUESTIONS = ("query", "refund_query", "bill")
TARGETS = ("any", "pay", "show", "cancel", "refund", *QUESTIONS)

_CODE = Word(
    "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    shape=r"ACQ\.[A-Z_]{1,60}|(isv|isp|aop)\.[a-z_-]{1,60}",
    described="a reason as ACQ.SYSTEM_ERROR or isv.invalid-signature",
)
_MS = Number(None, 1, _MOST_MS)

KNOWN: Mapping[str, Kind] = {
    "declined": Kind("refuses with 40004 and `code`, does nothing", options={"code": _CODE}),
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
    "offer": Kind(
        "done, and `platform` and `merchant` fen of the price are borne by others than the shopper",
        on="pay",
        options={"platform": Number(0, 0, _MOST_FEN), "merchant": Number(0, 0, _MOST_FEN)},
    ),
    "wrong_amount": Kind(
        "takes and answers `fen` instead of what was asked",
        on="pay",
        options={"fen": Number(None, 1, _MOST_FEN)},
    ),
    "wrong_currency": Kind("done, and answers in another currency"),
    "wrong_order": Kind("done, and answers for another order"),
    "previous_answer": Kind("done, and answers what it said last of another order"),
    "wrong_key": Kind("done, and signs with a stranger's key"),
    "unknown_certificate": Kind("done, and names a certificate that nobody knows"),
    "missing_signature": Kind("done, and does not sign"),
    "other_bytes": Kind("done, and somebody on the way writes the signed answer in other bytes"),
    "doubled_member": Kind("done, and somebody on the way puts another answer before the signed one"),
    "garbage": Kind("done, and answers with signed bytes that are no JSON"),
    "system_error": Kind("answers 20000; done only with `charged`", options={"charged": Flag(True)}),
    "not_found_lag": Kind(
        "done, and for `ms` a query says that there is no such order", on="pay", options={"ms": _MS}
    ),
    "cancel_lost": Kind("confirms the cancel and does not do it", on="cancel"),
    "kill": Kind(
        "sends SIGKILL to process `pid` at `point`, then goes on; at request_received it drops the request",
        on="pay",
        options={"point": Word(None, POINTS), "pid": Number(None, 2, 2**31 - 1)},
    ),
}
