"""How is the emulated terminal that calls its acquirer itself told what to do?

What a person would key in comes over its control address; each answer is the slip that it would print.
"""

import json
import re
import signal
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from terminal_agent.emulators.control import Body, BodyRefused, Control, Route, read_nothing
from terminal_agent.emulators.line_terminal import LineTerminal, NoSuchSlip
from terminal_agent.emulators.pty_link import PtyLink
from terminal_agent.emulators.serial_asker import HandingTerminal, SerialAsker

_TRACE = re.compile(r"[0-9]{6}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){1,4096}", re.ASCII)
_MOST_FEN = 10**12 - 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said. With `serial` the frames are handed over a serial port at that path."""

    acquirer: tuple[str, int]
    control_port: int
    terminal_no: str
    wait_ms: int
    serial: Path | None
    ack_wait_ms: int


def run_line_terminal(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError before it is ready."""
    stopped = threading.Event()
    with ExitStack() as stack:
        ready: dict[str, object] = {"ready": True}
        terminal = LineTerminal(settings.acquirer, settings.terminal_no)
        if settings.serial is None:
            stack.callback(terminal.drop)
        else:
            link = PtyLink(settings.serial)
            asker = stack.enter_context(SerialAsker(link, settings.acquirer, settings.ack_wait_ms / 1000))
            terminal = HandingTerminal(asker, settings.terminal_no)
            ready |= {"link": str(settings.serial)}
        control = Control(settings.control_port, _routes(terminal, settings.wait_ms / 1000), ())
        stack.callback(control.close)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: stopped.set())
        print(json.dumps(ready | {"control": control.address}), flush=True)
        stopped.wait()


def _routes(terminal: LineTerminal, wait_s: float) -> dict[tuple[str, str], Route]:
    one_at_a_time = threading.Lock()

    def alone(route: Route) -> Route:
        def call(body: Body) -> object:
            with one_at_a_time:
                try:
                    return route(body)
                except NoSuchSlip:
                    raise BodyRefused("this terminal has no slip with that trace") from None

        return call

    def sale(body: Body) -> object:
        return asdict(terminal.sell(_fen(body, {"fen"}), wait_s=wait_s))

    def refund(body: Body) -> object:
        fen = _fen(body, {"fen", "trace"}) if "fen" in body else None
        return asdict(terminal.refund(_trace(body, {"fen", "trace"}), fen, wait_s=wait_s))

    def noise(body: Body) -> object:
        text = body.get("hex")
        if set(body) != {"hex"} or not isinstance(text, str) or not _HEX.fullmatch(text):
            raise BodyRefused('write {"hex": "00ff"}')
        terminal.noise(bytes.fromhex(text))
        return {"sent": len(text) // 2}

    def drop(body: Body) -> object:
        read_nothing(body)
        terminal.drop()
        return {"dropped": True}

    def settle(body: Body) -> object:
        read_nothing(body)
        terminal.settle()
        return {"open": terminal.batch}

    return {
        ("POST", "/sale"): alone(sale),
        ("POST", "/void"): alone(lambda body: asdict(terminal.void(_trace(body), wait_s=wait_s))),
        ("POST", "/reverse"): alone(lambda body: asdict(terminal.reverse(_trace(body), wait_s=wait_s))),
        ("POST", "/refund"): alone(refund),
        ("POST", "/noise"): alone(noise),
        ("POST", "/drop"): alone(drop),
        ("POST", "/settle"): alone(settle),
        ("GET", "/slips"): lambda _: [asdict(one) for one in terminal.slips],
    }


def _fen(body: Body, known: set[str]) -> int:
    fen = body.get("fen")
    if set(body) - known or type(fen) is not int or not 1 <= fen <= _MOST_FEN:
        raise BodyRefused('write {"fen": 85000}, a whole number above 0')
    return fen


def _trace(body: Body, known: frozenset[str] | set[str] = frozenset({"trace"})) -> str:
    trace = body.get("trace")
    if set(body) - known or not isinstance(trace, str) or not _TRACE.fullmatch(trace):
        raise BodyRefused('write {"trace": "000001"}, the six digits on the slip')
    return trace
