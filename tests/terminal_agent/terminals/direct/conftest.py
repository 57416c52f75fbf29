import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from acquirer import EmulatedAcquirer, direct_terminal
from tapped_line import Tap
from wechat import RealClock

from subsidy import ids
from terminal_agent.checkout.ports import Answer, Ask, Back, Say
from terminal_agent.terminals.direct.driver import DirectTerminal

_sales = itertools.count(1)


@pytest.fixture(scope="package")
def shared_acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAcquirer]:
    with EmulatedAcquirer.start(tmp_path_factory.mktemp("acquirer")) as running:
        yield running


@pytest.fixture
def acquirer(shared_acquirer: EmulatedAcquirer) -> EmulatedAcquirer:
    shared_acquirer.clear_faults()
    return shared_acquirer


@pytest.fixture
def driver(acquirer: EmulatedAcquirer, tmp_path: Path) -> DirectTerminal:
    return direct_terminal(acquirer.address, tmp_path)


@pytest.fixture
def tap(acquirer: EmulatedAcquirer) -> Iterator[Tap]:
    with Tap(acquirer.address) as tap:
        yield tap


@pytest.fixture
def tapped(tap: Tap, tmp_path: Path) -> DirectTerminal:
    """Return the driver of a terminal whose line is tapped."""
    return direct_terminal(tap.address, tmp_path)


@pytest.fixture
def ask_for() -> Callable[..., Ask]:
    """Return an attempt that no test has had before, without its mark."""

    def ask(fen: int = 12_000) -> Ask:
        record_id = ids.record_id(1_790_000_000_000, next(_sales).to_bytes(10))
        return Ask(ids.pay_ref(record_id, 1), fen, operator="07", till_no="1")

    return ask


@pytest.fixture
def prepared(driver: DirectTerminal, ask_for: Callable[..., Ask]) -> Callable[..., Ask]:
    """Return an attempt with its mark."""

    def ask(fen: int = 12_000, at: DirectTerminal = driver) -> Ask:
        made = ask_for(fen)
        mark = at.prepare(made)
        assert mark is not None
        return msgspec.structs.replace(made, mark=mark)

    return ask


@pytest.fixture
def sell(driver: DirectTerminal, prepared: Callable[..., Ask]) -> Callable[..., tuple[Ask, Answer]]:
    """Take a payment and return it with its answer."""

    def sale(fen: int = 12_000, at: DirectTerminal = driver) -> tuple[Ask, Answer]:
        ask = prepared(fen, at)
        answer = at.take(ask)
        assert answer.say is Say.APPROVED
        return ask, answer

    return sale


@pytest.fixture
def begin_return(driver: DirectTerminal) -> Callable[..., Back]:
    """Return what a return of a payment is asked with, prepared now."""

    def back(ask: Ask, paid: Answer, fen: int | None = None, at: DirectTerminal = driver) -> Back:
        mark = at.prepare(ask)
        assert mark is not None
        return Back(ids.refund_no(ask.pay_ref), fen or ask.amount_fen, paid.evidence, mark)

    return back


@pytest.fixture
def clock() -> RealClock:
    return RealClock()
