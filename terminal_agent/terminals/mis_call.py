"""How is the vendor's MIS client called without being able to hold us up?

In a child process (`mis_child.py`), one for each call, over its standard input and output. When its time is
over it is killed: what it was doing at the terminal may be done all the same.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.mis_record import ANSWER_BYTES

Call = Callable[[bytes, float], bytes]
"""Hand over a request and return its answer, waiting so many seconds. Raises LinkFault."""

_PROGRAM = Path(__file__).with_name("mis_child.py")
_HEAD = 3


def child_command(python: str, arguments: Sequence[str]) -> list[str]:
    """Return how the child is started. An empty `python` is the one that runs us."""
    return [python or sys.executable, "-I", str(_PROGRAM), *arguments]


def call_child(command: Sequence[str], request: bytes, wait_s: float) -> bytes:
    """Return the answer of one call. Raises LinkFault, after which the request may have been done."""
    framed = b"Q" + len(request).to_bytes(2) + request
    try:
        done = subprocess.run(  # noqa: S603 - our own program, arguments from the shop's configuration
            list(command),
            input=framed,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library's own words may hold anything
            timeout=wait_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LinkFault("The terminal's MIS client gave no answer in time and was ended") from None
    except OSError:
        raise LinkFault(
            "The program that calls the MIS client cannot be started. Check `python` in the profile"
        ) from None
    return read_reply(done.stdout)


def read_reply(reply: bytes) -> bytes:
    """Return the answer in what the child wrote. Raises LinkFault."""
    content = reply[_HEAD:]
    whole = len(reply) >= _HEAD and int.from_bytes(reply[1:_HEAD]) == len(content)
    if whole and reply[:1] == b"A" and len(content) == ANSWER_BYTES:
        return content
    if whole and reply[:1] == b"E" and content == b"link":
        raise LinkFault("The MIS client is not there. Check the library's path or the client's address")
    raise LinkFault("The program that calls the MIS client ended without an answer")
