import itertools
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from emulator import EmulatedTerminal, short_profile

from subsidy import ids
from terminal_agent.checkout.ports import Answer, Ask, Back, Say
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal


class RealClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture(scope="package")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedTerminal]:
    with EmulatedTerminal.start(tmp_path_factory.mktemp("emulator"), work_ms=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: EmulatedTerminal) -> EmulatedTerminal:
    shared_emulator.clear_faults()
    while not shared_emulator.link.exists():  # a test before this one has pulled its cable
        time.sleep(0.02)
    return shared_emulator


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
def drive(clock: RealClock) -> Callable[..., DrivenTerminal]:
    """Return a driver of an emulator, with waits that may be changed by name."""

    def driver_of(emulator: EmulatedTerminal, **changes_ms: int) -> DrivenTerminal:
        profile = short_profile(**changes_ms)
        return DrivenTerminal(profile, lambda: open_serial(str(emulator.link), profile.line), clock)

    return driver_of


@pytest.fixture
def driver(drive: Callable[..., DrivenTerminal], emulator: EmulatedTerminal) -> DrivenTerminal:
    return drive(emulator)


_sales = itertools.count(1)


@pytest.fixture
def ask_for() -> Callable[..., Ask]:
    """Return an attempt that no test has had before."""

    def ask(amount_fen: int = 339_915, mark: str | None = None) -> Ask:
        record_id = ids.record_id(1_780_000_000_000, next(_sales).to_bytes(10))
        return Ask(ids.pay_ref(record_id, 1), amount_fen, operator="07", till_no="1", mark=mark)

    return ask


@pytest.fixture
def sell(driver: DrivenTerminal, ask_for: Callable[..., Ask]) -> Callable[..., tuple[Ask, Answer]]:
    """Take a payment and return it with its answer."""

    def sale(amount_fen: int = 12_000) -> tuple[Ask, Answer]:
        ask = ask_for(amount_fen)
        ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
        answer = driver.take(ask)
        assert answer.say is Say.APPROVED
        return ask, answer

    return sale


@pytest.fixture
def begin_return(driver: DrivenTerminal) -> Callable[..., Back]:
    """Return what a return of a payment is asked with, prepared now."""

    def back(ask: Ask, paid: Answer, fen: int | None = None) -> Back:
        whole = ask.amount_fen if fen is None else fen
        return Back(ids.refund_no(ask.pay_ref), whole, paid.evidence, driver.prepare(ask))

    return back
