"""What can be made to go wrong at the emulated acquirer host?

"Done" below means that the request has its whole effect in the books, whatever is answered.
"""

from collections.abc import Mapping

from terminal_agent.emulators.faults import Flag, Kind, Number, Word

_MOST_MS = 600_000
_MS = Number(None, 1, _MOST_MS)
_BYTES = Number(10, 0, 1000)

POINTS = ("request_received", "after_booking", "after_answer")
QUESTIONS = ("sign_in", "settle", "echo")
TARGETS = ("any", "sale", "void", "refund", "reversal", *QUESTIONS)

KNOWN: Mapping[str, Kind] = {
    "declined": Kind("says no with `code`, does nothing", options={"code": Word("51")}),
    "lost_request": Kind("hears nothing: not done, no answer"),
    "cut_request": Kind("drops the line as the request comes: not done"),
    "late_request": Kind("works on it only after `ms`, and answers then", options={"ms": _MS}),
    "lost_answer": Kind("done, and never answers"),
    "late_answer": Kind("done, and answers after `ms`", options={"ms": _MS}),
    "cut_answer": Kind(
        "done, and drops the line after `bytes` bytes of its answer", options={"bytes": _BYTES}
    ),
    "doubled_answer": Kind("done, and answers twice"),
    "previous_answer": Kind(
        "done, and sends the answer before this one first, then its own only with `then_right`",
        options={"then_right": Flag(True)},
    ),
    "split": Kind(
        "done, and sends byte by byte, `pause_ms` apart", options={"pause_ms": Number(2, 1, 10_000)}
    ),
    "noise": Kind("done, and sends a frame of garbage before its answer"),
    "wrong_mac": Kind("done, and answers with a MAC that is wrong"),
    "no_mac": Kind("done, and answers without a MAC"),
    "wrong_terminal": Kind("done, and answers for another terminal"),
    "wrong_amount": Kind(
        "approves and books `fen` instead of what was asked",
        on="sale",
        options={"fen": Number(None, 1, 10**12 - 1)},
    ),
    "partial": Kind("approves and books half, with code 10", on="sale"),
    "unclear_code": Kind(
        "answers with `code`; done only with `charged`", options={"charged": Flag(True), "code": Word("98")}
    ),
    "clear_card": Kind("done, and puts made-up card data into fields where none belongs"),
    "wrong_key_check": Kind("gives keys whose check value is wrong", on="sign_in"),
    "kill": Kind(
        "sends SIGKILL to process `pid` at `point`, then goes on; at request_received it drops the request",
        on="sale",
        options={"point": Word(None, POINTS), "pid": Number(None, 2, 2**31 - 1)},
    ),
}
