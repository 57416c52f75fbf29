"""What does every emulated channel answer at its control address: its faults and its books?"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from terminal_agent.emulators.control import Body, Route, read_lines
from terminal_agent.emulators.faults import Faults, Kind

Step = Callable[[], Any]


class Server(Protocol):
    """Does one thing at a time."""

    def alone(self, step: Step) -> Any:
        """Do `step` while nothing else is done."""


def shared_routes(
    known: Mapping[str, Kind], server: Server, faults: Faults, lines: Step
) -> dict[tuple[str, str], Route]:
    """Return the routes of `/faults` and `/books`. `lines` returns the books, line by line."""

    def show_faults(_: Body) -> object:
        return {
            "faults": server.alone(faults.show),
            "known": {name: kind.does for name, kind in known.items()},
        }

    def arm(body: Body) -> object:
        server.alone(lambda: faults.arm(body))
        return {"faults": server.alone(faults.show)}

    def clear(_: Body) -> object:
        server.alone(faults.clear)
        return {"faults": []}

    def show_books(query: Body) -> object:
        return server.alone(lambda: read_lines(query, lines()))

    return {
        ("GET", "/faults"): show_faults,
        ("POST", "/faults"): arm,
        ("DELETE", "/faults"): clear,
        ("GET", "/books"): show_books,
    }
