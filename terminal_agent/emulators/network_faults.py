"""What can be made to go wrong at a terminal on the network?

Most of what can go wrong on a serial line can here too, in the same words; the rest is about connections.
"""

from collections.abc import Mapping

from terminal_agent.emulators.faults import KNOWN as SERIAL
from terminal_agent.emulators.faults import Kind, Number

_ALIKE = (
    "declined",
    "lost_request",
    "lost_answer",
    "late_answer",
    "doubled_answer",
    "crossed_answer",
    "wrong_amount",
    "partial",
    "wrong_terminal",
    "unclear_code",
    "clear_card",
    "split",
    "progress",
    "silent_query",
    "void_declined",
    "kill",
)

NEXO_KNOWN: Mapping[str, Kind] = {
    **{name: SERIAL[name] for name in _ALIKE},
    "wrong_nonce": Kind("answers under another ServiceID"),
    "torn_answer": Kind("sends half of the answer and hangs up"),
    "noise": Kind("sends bytes that are no message before the answer"),
    "slow_card": Kind(
        "waits for the card for `ms`; can be aborted until then", "sale", {"ms": Number(None, 1, 600_000)}
    ),
    "unplug_after_ack": Kind(
        "hangs up and is away for `ms` when the request is there", options={"ms": Number(500, 1, 600_000)}
    ),
}
