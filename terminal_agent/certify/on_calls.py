"""How are faults made at our own end of a vendor's MIS client, which is called with one record at a time?"""

from collections.abc import Callable

from terminal_agent.certify import our_end
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.mis_call import Call


def disturbed(call: Call, end: OurEnd, peek: Callable[[bytes], frozenset[str]]) -> Call:
    """Return the call with our hands on it. A record goes over whole or not at all."""

    def made(request: bytes, wait_s: float) -> bytes:
        kinds = peek(request)
        fault = end.strike(kinds)
        if fault == our_end.LOST_REQUEST:
            raise LinkFault("The request was lost")
        answers: list[bytes] = []

        def hand_over(going: bytes) -> None:
            if len(going) == len(request):
                answers.append(call(request, wait_s))

        end.send(request, hand_over, lambda: None)
        answer = answers[0]
        before = end.before(kinds)
        if kinds:
            end.heard(kinds, answer)
        match fault:
            case our_end.LOST_ANSWER:
                raise LinkFault("The answer was lost")
            case our_end.TORN_ANSWER:
                return answer[: len(answer) // 2]
            case our_end.STRANGERS_ANSWER:
                assert isinstance(before, bytes)
                return before
            case our_end.SLOW_ANSWER:
                end.pause()
        return answer

    return made
