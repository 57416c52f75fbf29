"""Send requests that were made and signed beforehand, over keep-alive connections, and time each answer.

    load.py HOST PORT FILE IN_FLIGHT            as fast as answers come, so many at a time
    load.py HOST PORT FILE CONNECTIONS RATE     so many a second, whatever comes back

FILE holds each request's length (4 bytes, big-endian) and bytes. Prints one JSON document.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the last was answered."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.buffer = b""
        self.sent = 0.0
        self.free = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.load.ready(self)

    def send(self, request: bytes) -> None:
        self.free = False
        self.sent = time.perf_counter()
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"content-length: ")
        length = int(self.buffer[at + 16 : self.buffer.find(b"\r\n", at)])
        if len(self.buffer) < head + 4 + length:
            return
        kind = self.buffer[9:12].decode()
        if kind == "200":
            kind = "promise" if b'"promise.v1"' in self.buffer else "refusal"
        self.buffer = b""
        self.free = True
        self.load.answered(self, kind, time.perf_counter() - self.sent)

    def connection_lost(self, _wrong: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """The requests, and what came back."""

    def __init__(self, requests: list[bytes], in_flight: int, rate: float) -> None:
        self.requests = requests
        self.next = 0
        self.in_flight = in_flight
        self.rate = rate
        self.idle: list[Caller] = []
        self.answers: list[tuple[str, float]] = []
        self.dropped = 0
        self.done = asyncio.get_running_loop().create_future()

    def ready(self, caller: Caller) -> None:
        if self.rate:
            self.idle.append(caller)
            return
        if self.next < len(self.requests):
            self.next += 1
            caller.send(self.requests[self.next - 1])

    def answered(self, caller: Caller, kind: str, seconds: float) -> None:
        self.answers.append((kind, seconds))
        if len(self.answers) + self.dropped >= len(self.requests):
            self.finish()
        else:
            self.ready(caller)

    def lost(self, _caller: Caller) -> None:
        self.answers.append(("lost", 0.0))
        if len(self.answers) + self.dropped >= len(self.requests):
            self.finish()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    async def drive(self) -> None:
        """Send at the rate; what finds no free connection is a request that nobody could send."""
        began = time.perf_counter()
        while self.next < len(self.requests):
            due = int((time.perf_counter() - began) * self.rate)
            while self.next < min(due, len(self.requests)):
                self.next += 1
                if self.idle:
                    self.idle.pop().send(self.requests[self.next - 1])
                else:
                    self.dropped += 1
            await asyncio.sleep(0.001)
        if len(self.answers) + self.dropped >= len(self.requests):
            self.finish()


async def main(host: str, port: int, file: str, in_flight: int, rate: float) -> None:
    raw = Path(file).read_bytes()
    requests, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        requests.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    load = Load(requests, in_flight, rate)
    loop = asyncio.get_running_loop()
    callers = [await loop.create_connection(lambda: Caller(load), host, port) for _ in range(in_flight)]
    began = time.perf_counter()
    if rate:
        await load.drive()
    await asyncio.wait_for(load.done, 300)
    wall = time.perf_counter() - began
    for transport, _ in callers:
        transport.abort()
    kinds = Counter(kind for kind, _ in load.answers)
    by_kind = {kind: sorted(seconds for one, seconds in load.answers if one == kind) for kind in kinds}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall_s": wall,
                "kinds": kinds,
                "not_sent": load.dropped,
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "ms": {
                    kind: {
                        "p50": at_share(found, 0.5),
                        "p99": at_share(found, 0.99),
                        "max": round(found[-1] * 1000, 2),
                    }
                    for kind, found in by_kind.items()
                },
            }
        )
    )


def at_share(found: list[float], share: float) -> float:
    return round(found[min(len(found) - 1, int(len(found) * share))] * 1000, 2)


if __name__ == "__main__":
    _, host, port, file, in_flight, *rate = sys.argv
    uvloop.install()
    asyncio.run(main(host, int(port), file, int(in_flight), float(rate[0]) if rate else 0.0))
