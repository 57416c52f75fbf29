"""How much later does a frame arrive that passes through the agent than one that does not?

Frames of a card sale at 50 a second, each answered by a host in a process of its own, taken in turn over a
direct connection and over one through a relay in another process, which watches with an amount armed. Both
sides of the difference are measured in the same run, tick by tick.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RATE = 50
FRAMES, FEW_FRAMES = 3000, 300
_WARM = 50
_FEN = 85_000


def run(asked: Namespace) -> dict[str, Any]:
    """Return the bench's document."""
    count = FEW_FRAMES if asked.quick else FRAMES
    host = _start("host")
    relay = _start("relay", str(host.port))
    try:
        lines = {"direct": _connect(host.port), "relayed": _connect(relay.port)}
        took = _take_turns(lines, count)
        seen = relay.ask()
    finally:
        host.stop()
        relay.stop()
    if seen["frames_seen"] != 2 * (count + _WARM) or seen["frames_not_understood"] or seen["breaks"]:
        raise SystemExit(f"the relay did not see every frame: {seen}")
    direct, relayed = took["direct"], took["relayed"]
    return {
        "name": "relay",
        "ratio": round(_at(relayed, 0.99) - _at(direct, 0.99), 3),
        "better": "lower",
        "against": "ms at p99 of a direct connection in the same run",
        "figures": {
            "frames": count,
            "frames_per_s": RATE,
            **{
                f"{name}_{word}_ms": round(_at(times, share), 3)
                for name, times in took.items()
                for word, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))
            },
            "understood": seen["frames_seen"],
        },
    }


def _take_turns(lines: dict[str, socket.socket], count: int) -> dict[str, list[float]]:
    """Return the round trips of each line in ms, sorted; every other tick begins with the other line."""
    frames = _frames(count + _WARM)
    took: dict[str, list[float]] = {name: [] for name in lines}
    names = list(lines)
    start = time.perf_counter()
    for no, frame in enumerate(frames):
        time.sleep(max(0.0, start + no / RATE - time.perf_counter()))
        for name in names if no % 2 else reversed(names):
            before = time.perf_counter()
            lines[name].sendall(frame)
            _read_one(lines[name])
            if no >= _WARM:
                took[name].append((time.perf_counter() - before) * 1000)
    return {name: sorted(times) for name, times in took.items()}


def _frames(count: int) -> list[bytes]:
    from terminal_agent.emulators import line_frames
    from terminal_agent.emulators.line_terminal import LineTerminal

    terminal = LineTerminal(("127.0.0.1", 1))
    return [
        line_frames.write(*terminal.request("sale", f"{no % 1_000_000:06d}", _FEN + no % 7 + 1))
        for no in range(count)
    ]


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def _connect(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _read_one(line: socket.socket) -> bytes:
    held = b""
    while len(held) < 2 or len(held) < int.from_bytes(held[:2], "big") + 2:
        more = line.recv(65_536)
        if not more:
            raise ConnectionError
        held += more
    return held


class _Part:
    """One of the other processes: says its port first, and answers a line with a line."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self.port = int(self._out.readline())

    def ask(self) -> dict[str, Any]:
        self._in.write("\n")
        self._in.flush()
        found: dict[str, Any] = json.loads(self._out.readline())
        return found

    def stop(self) -> None:
        self._in.close()
        self._process.wait(10)


def _start(*words: str) -> _Part:
    return _Part(*words)


def _be_host() -> None:
    from terminal_agent.emulators import line_frames

    door = socket.create_server(("127.0.0.1", 0))
    print(door.getsockname()[1], flush=True)

    def serve(line: socket.socket) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                _, asked = line_frames.read(_read_one(line)[2:])
                told = {no: asked[no] for no in (3, 4, 11, 25, 41, 42, 49, 60)}
                line.sendall(line_frames.write("0210", told | {37: "900000000001", 39: "00"}))
        except ConnectionError:
            line.close()

    def welcome() -> None:
        while True:
            threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()

    threading.Thread(target=welcome, daemon=True).start()
    sys.stdin.read()


def _be_relay(host_port: int) -> None:
    from terminal_agent.system import SystemClock
    from terminal_agent.terminals.relay import profile as relay
    from terminal_agent.terminals.relay.forward import Forwarder
    from terminal_agent.terminals.relay.observer import Observer
    from terminal_agent.terminals.relay.understand import Reader

    file = ROOT / "config" / "terminals" / "relay.yaml"
    profile = relay.read_profile(file.read_text(encoding="utf-8"), str(file))
    clock = SystemClock()
    observer = Observer(Reader(profile.dialect, profile.codes).understand, profile.no_original_ms, clock)
    forwarder = Forwarder(("127.0.0.1", 0), ("127.0.0.1", host_port), observer, clock)

    def nobody(*_told: object, **_more: object) -> None:
        return

    threading.Thread(target=observer.run, args=("EMU00001", nobody, nobody), daemon=True).start()
    threading.Thread(target=forwarder.run, args=(nobody,), daemon=True).start()
    while forwarder.port is None or not observer.runs:
        time.sleep(0.01)
    observer.arm("BENCH", _FEN, 600)
    print(forwarder.port, flush=True)
    for _ in sys.stdin:
        observer.word("BENCH")  # in order: everything before it was looked at
        seen = ("frames_seen", "frames_not_understood", "breaks")
        print(json.dumps({name: getattr(observer, name) for name in seen}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "host":
        _be_host()
    else:
        _be_relay(int(sys.argv[2]))
