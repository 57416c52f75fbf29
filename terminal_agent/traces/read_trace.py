"""How does a trace from the field become a test, and what does a test of it ask?

A case holds what passed, masked, and what we understood of it when it was made. Replayed, it must be
understood the same: a version that reads a real terminal otherwise is found before a shop finds it. Pure.
"""

from collections.abc import Iterable

import msgspec

from terminal_agent.terminals import framing, nexo_messages
from terminal_agent.terminals.framing import Decoder, Frame
from terminal_agent.terminals.relay.cut_frames import Cutter
from terminal_agent.traces.mask_frames import ISO8583, SEPARATED
from terminal_agent.traces.mask_http import WALLET
from terminal_agent.traces.mask_mis import MIS
from terminal_agent.traces.mask_nexo import NEXO
from terminal_agent.traces.understand import ReadText, Understand, understander
from terminal_agent.traces.write_trace import Passed


class TraceUnreadable(Exception):
    """A line that is none of a trace. Says which, and what to do."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One frame that passed, and what it was understood to be, None when it could not be."""

    way: str
    frame: str
    understood: dict[str, object] | None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test from a trace. `why` is written by whoever makes it: what went wrong that day."""

    why: str
    kind: str
    dialect: str
    steps: tuple[Step, ...]


def read_trace(content: bytes, file_name: str) -> list[Passed]:
    """Return what a trace holds; half a last line is what a power cut leaves. Raises TraceUnreadable."""
    lines = content.split(b"\n")
    found = []
    for no, line in enumerate(lines[:-1], start=1):
        try:
            found.append(msgspec.json.decode(line, type=Passed))
            bytes.fromhex(found[-1].frame)
        except (msgspec.DecodeError, ValueError):
            raise TraceUnreadable(
                f"{file_name}, line {no}: no line of a trace. Take the file as the agent wrote it"
            ) from None
    return found


def make_case(passed: Iterable[Passed], why: str, text_of: ReadText) -> Case:
    """Return the case that a trace of one link makes. Raises TraceUnreadable when it has no frames."""
    frames = [one for one in passed if one.frame]
    places = {(one.link, one.kind, one.dialect) for one in frames}
    if len(places) != 1:
        raise TraceUnreadable("No frame of exactly one link is in it. Nothing can be replayed")
    _, kind, dialect = places.pop()
    understand = _understander(kind, dialect, text_of)
    steps = tuple(Step(one.way, one.frame, understand(bytes.fromhex(one.frame))) for one in frames)
    return Case(why, kind, dialect, steps)


def replay(case: Case, text_of: ReadText) -> list[str]:
    """Return what is understood otherwise than when the case was made, nothing when all is the same."""
    understand = _understander(case.kind, case.dialect, text_of)
    told = []
    for no, step in enumerate(case.steps, start=1):
        now = understand(bytes.fromhex(step.frame))
        if now != step.understood:
            told.append(f"step {no} ({step.way}) was {step.understood}, and is {now}")
    if not _comes_out_again(case):
        told.append("the frames do not come out of the line as they went in")
    return told


def _understander(kind: str, dialect: str, text_of: ReadText) -> Understand:
    understand = understander(kind, dialect, text_of)
    if understand is not None:
        return understand
    if kind == SEPARATED:
        raise TraceUnreadable(
            "Fields that go by their places cannot be replayed: which is which stands in the shop's profile. "
            "Look at them with `terminal-agent trace show`"
        )
    raise TraceUnreadable(
        f"{kind[:20]!r} is no kind of link that is replayed here. Use the version that wrote it"
    )


def _comes_out_again(case: Case) -> bool:
    """Whether the frames, put on a line one after the other and read byte by byte, are cut as they were."""
    frames = [bytes.fromhex(step.frame) for step in case.steps]
    if case.kind == ISO8583:
        cutter = Cutter()
        stream = b"".join(len(one).to_bytes(2) + one for one in frames)
        return [one for at in stream for one in cutter.feed(bytes((at,)))] == frames
    if case.kind in (WALLET, MIS):
        return True  # one body, one exchange: nothing is cut
    if case.kind == NEXO:
        bodies = nexo_messages.Decoder()
        stream = b"".join(len(one).to_bytes(4) + one for one in frames)
        return [one for at in stream for one in bodies.feed(bytes((at,)))] == frames
    decoder = Decoder()
    stream = b"".join(framing.frame(one) for one in frames)
    events = [event for at in stream for event in decoder.feed(bytes((at,)))]
    return [event.data for event in events if isinstance(event, Frame)] == frames
