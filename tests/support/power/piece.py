"""How is one piece of a campaign done, in a process of its own?

    python -m power.piece TASK        prints what came of it as a line of the ledger

It ends itself, in order, when its standard input ends: whoever started it is gone, or wants it to end.
"""

import os
import resource
import signal
import sys
import threading
import time

import msgspec
from power.kinds import Kind, Piece, named
from power.ledger import BROKEN_OFF, Tried, commit, now
from power.shipped import Reading, code


class Task(msgspec.Struct, frozen=True):
    """The piece of a kind to do, and the name of the code on which the campaign goes on."""

    kind: Kind
    seed: int
    code: str


def do(task: Task, reading: Reading) -> Tried:
    """Do a piece and return what came of it, which is none of its kind when it tried other code."""
    kind = task.kind
    began, used = time.monotonic(), _processor_s()
    try:
        _must_be(task.code, kind)
        piece: Piece = named(kind.do)(task.seed, *kind.words)
        _must_be(task.code, kind)
        if outside := reading.outside(kind.ships):
            raise OtherCode(f"it tries {', '.join(outside[:5])}, which its kind does not name")
    except Exception as failed:
        # What breaks the trial itself has to be looked at too, and the others go on.
        piece = Piece(BROKEN_OFF, 0, [f"{type(failed).__name__}: {failed}"])
    return Tried(
        kind=kind.name,
        seed=task.seed,
        point=piece.point,
        count=piece.count,
        wrong=tuple(piece.wrong),
        saw=piece.saw,
        seconds=round(time.monotonic() - began, 1),
        processor_s=round(_processor_s() - used, 1),
        code=task.code,
        commit=commit(),
        at=now(),
    )


class OtherCode(Exception):
    """A piece has not tried the code that its line would name."""


def _must_be(name: str, kind: Kind) -> None:
    if code(kind.ships) != name:
        raise OtherCode("what ships was changed meanwhile: begin the campaign again, it goes on where it was")


def _processor_s() -> float:
    """Return the processor's seconds that this process and the programs that it has ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _end_with(line: int) -> None:
    while os.read(line, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _kept_apart() -> tuple[int, int]:
    """Return the standard input and output, in whose place what is tried finds nothing and the log."""
    line, answer = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return line, answer


def main() -> None:
    """Do what the command line says."""
    # First of all: what is imported from here on is seen.
    reading = Reading()
    task = msgspec.json.decode(sys.argv[1], type=Task)
    line, answer = _kept_apart()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    os.write(answer, msgspec.json.encode(do(task, reading)))


if __name__ == "__main__":
    main()
