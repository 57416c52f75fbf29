"""What is done at our own end of the wire to a request or to its answer?

Faults that can be made without the other side's help, so that any counterpart can be tried: what leaves us
and what reaches us is in our hands. `on_lines.py`, `on_http.py` and `on_calls.py` do it to bytes, and
`on_watched_lines.py` at both ends of a line that passes through us.
"""

from collections.abc import Callable

from terminal_agent.checkout.ports import Clock
from terminal_agent.system import Mailbox

LOST_REQUEST, LOST_ANSWER, LATE_ANSWER, SLOW_ANSWER = (
    "lost_request",
    "lost_answer",
    "late_answer",
    "slow_answer",
)
BROKEN_ANSWER, TORN_ANSWER, DOUBLED = "broken_answer", "torn_answer", "doubled"
STRANGERS_ANSWER, CROSSED_ANSWER, NOISE, UNPLUG = "strangers_answer", "crossed_answer", "noise", "unplug"

# On a line that passes through us, on its way to the acquirer:
NO_LINE, TORN_REQUEST = "no_line", "torn_request"
HELD_ANSWER = "held_answer"
# and between the terminal and us:
LOST_TO_US, TORN_TO_US, DOUBLED_TO_US, NOISE_TO_US, ENCRYPTED_TO_US = (
    "lost_to_us",
    "torn_to_us",
    "doubled_to_us",
    "noise_to_us",
    "encrypted_to_us",
)
HELD_REQUEST, HELD_AND_TORN = "held_request", "held_and_torn"
LOST_TO_TERMINAL, TORN_TO_TERMINAL = "lost_to_terminal", "torn_to_terminal"
# and where it hands its frames over, acknowledged and sent again:
LOST_ONCE_TO_US, BROKEN_ONCE_TO_US, NO_FRAME_TO_US, OUR_ACK_LOST = (
    "lost_once_to_us",
    "broken_once_to_us",
    "no_frame_to_us",
    "our_ack_lost",
)
LOST_ONCE_TO_TERMINAL, BROKEN_ONCE_TO_TERMINAL, BROKEN_TO_TERMINAL, NOISE_TO_TERMINAL = (
    "lost_once_to_terminal",
    "broken_once_to_terminal",
    "broken_to_terminal",
    "noise_to_terminal",
)
THEIR_ACK_LOST, THEIR_ACKS_LOST, NOISE_FOR_THEIR_ACK = (
    "their_ack_lost",
    "their_acks_lost",
    "noise_for_their_ack",
)

NEED_ONE_BEFORE = frozenset({STRANGERS_ANSWER, CROSSED_ANSWER})

_SLOW_S = 0.2
_MOST_HELD_S = 120.0


class PowerCut(BaseException):
    """The till is dead: nothing of ours runs after this."""


class OurEnd:
    """What is to be done to what passes on one link, and the answers that passed before.

    Kinds of requests are the words of `counterparts.py`, such as sale or pay; what none strikes has none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._armed: tuple[str, str] | None = None
        self._before: dict[str, object] = {}
        self._left: int | None = None
        self.sent = 0
        self.left_whole = False
        """Whether what left last before the power failed had left whole, and nobody has answered it."""
        self.late = b""
        """An answer that is still on its way to us."""
        self._held: Mailbox[bool] = Mailbox()
        self._goes_on: Mailbox[bool] = Mailbox()

    def arm(self, kind: str, fault: str) -> None:
        """Let the next request of this kind be struck."""
        self._armed = (kind, fault)

    def clear(self) -> None:
        """Let nothing be struck, cut off or on its way any more. What came before is kept."""
        self._armed = None
        self.late = b""
        self._goes_on.put(True)
        self._held, self._goes_on = Mailbox(), Mailbox()
        self.cut_after(None)

    @property
    def waits(self) -> bool:
        """Whether something is armed that no request has met yet."""
        return self._armed is not None

    def strike(self, kinds: frozenset[str], among: frozenset[str] | None = None) -> str:
        """Return what strikes a request that may be called by any of `kinds`, empty for nothing.

        With `among` only a fault that is one of these, which are made in one place where there are several.
        """
        if self._armed is None or self._armed[0] not in kinds:
            return ""
        if among is not None and self._armed[1] not in among:
            return ""
        fault, self._armed = self._armed[1], None
        return fault

    def heard(self, kinds: frozenset[str], answer: object) -> None:
        """Keep the answer to such a request."""
        self.left_whole = False
        self._before |= dict.fromkeys(kinds, answer)

    def before(self, kinds: frozenset[str]) -> object | None:
        """Return the answer that came before to such a request, None when none did."""
        return next((self._before[one] for one in kinds if one in self._before), None)

    def pause(self) -> None:
        """Keep an answer back for a moment."""
        self._clock.sleep(_SLOW_S)

    def hold(self) -> None:
        """Keep something back until `release`."""
        self._held.put(True)
        self._goes_on.take(_MOST_HELD_S)

    def until_held(self) -> bool:
        """Return once something is kept back, False when nothing ever is."""
        return self._held.take(_MOST_HELD_S) is not None

    def release(self) -> None:
        """Let go on what is kept back."""
        self._goes_on.put(True)

    def cut_after(self, count: int | None) -> None:
        """Let the power fail once so many bytes have left; None: never. The count begins anew."""
        self._left = count
        self.sent = 0
        self.left_whole = False

    def send(self, data: bytes, write: Callable[[bytes], object], close: Callable[[], object]) -> None:
        """Write what of `data` still leaves. Raises PowerCut, once the line is closed."""
        going = data if self._left is None else data[: self._left]
        if going:
            write(going)
        self.sent += len(going)
        if self._left is not None:
            self._left -= len(going)
            if self._left <= 0:
                # The end of a request or of its head: which, only the other side could say.
                self.left_whole = len(going) == len(data)
                close()
                raise PowerCut
