"""How does everybody read what is left, without a login and without costing the tills anything?

The books are read once a second at most, however many ask; between two looks all get the same bytes.
"""

from typing import Any

import msgspec
from litestar import Request, Response, get
from sqlalchemy import select

from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds import read_freezings
from settlement.funds.freezings import Kind
from settlement.funds.meter import Meter, read_meter
from settlement.ledger import read_books
from settlement.system import Lock
from settlement.web.edge import Edge
from settlement.web.problems import ANSWERS

_CACHED_S = 5


class LastMeter:
    """The meter's bytes, as of the second in which they were last asked for."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._lock = Lock()
        self._second = -1
        self._content = b""

    def content(self) -> bytes:
        """Return the meter of this second."""
        with self._lock:
            second = self._edge.now_ms() // 1000
            if second != self._second:
                self._content = msgspec.json.encode(self._look())
                self._second = second
            return self._content

    def _look(self) -> Meter:
        pack = self._edge.setting().pack
        with reading(self._edge.engine) as connection:
            balances = read_books.balances(connection)
            closed = set(connection.execute(select(tables.closed_year.c.year)).scalars())
            frozen = read_freezings.standing(connection)
        is_stopped = (Kind.PROGRAMME, pack.programme) in frozen
        return read_meter(balances, pack, closed, is_stopped, self._edge.now_ms())


@get("/v1/meter", sync_to_thread=True, responses=ANSWERS)
def show_meter(request: Request[Any, Any, Any]) -> Response[Meter]:
    """Return what is left of the fund, by category and programme year. Public; may be cached for 5 s."""
    last: LastMeter = request.app.state.meter
    return Response(
        last.content(),  # type: ignore[arg-type]  # its bytes: they are encoded once for all
        media_type="application/json",
        headers={"Cache-Control": f"public, max-age={_CACHED_S}"},
    )
