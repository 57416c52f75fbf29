"""The agent is killed from outside at every point of a sale. Started again, it must end each sale rightly.

The terminal kills it around the charge and around the void; the line to the centre kills it around each
message. What was charged and booked is read from the terminal's and the centre's own books.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from audit import bookings
from killing_proxy import cut
from shop import SETTLED


@dataclass(frozen=True)
class Point:
    """Where the agent dies: arm it, then `course` makes the sale that gets there."""

    name: str
    arm: Callable
    course: Callable

    def __str__(self) -> str:
        return self.name


class Death(NamedTuple):
    point: str
    charges: int
    state: str
    attempt: str
    final: str


def at_the_terminal(point, on="sale"):
    def arm(shop):
        shop.terminal().fault("kill", point=point, pid=shop.agent.pid, on=on)

    return arm


def on_the_line(kind, when):
    def before(shop, exchange):
        shop.kill()

    def between(shop, exchange):
        exchange.pass_on()
        shop.kill()

    def after(shop, exchange):
        exchange.answer(exchange.pass_on())
        exchange.wait_until_read()
        shop.kill()

    kill = {"before": before, "before the answer of": between, "after the answer of": after}[when]

    def arm(shop):
        shop.proxy.next(kind, lambda exchange: kill(shop, exchange))

    return arm


def sell(shop, body, arm):
    arm(shop)
    shop.selling(body)


def sell_another_amount(shop, body, arm):
    """Another amount is charged than was asked: it is undone."""
    shop.terminal().fault("wrong_amount", fen=1)
    sell(shop, body, arm)


def fetch_packs_and_sell(shop, body, arm):
    shop.kill()
    shop.forget_packs()
    shop.restart()
    sell(shop, body, arm)


def decline_and_stop(shop, body, arm):
    shop.terminal().fault("declined")
    sold = shop.post("/v1/sales", body)
    arm(shop)
    shop.submit(lambda: shop.stop(sold["record_id"]))


def sell_again_while_the_first_is_not_released(shop, body, arm):
    shop.proxy.always("records", cut)
    shop.terminal().fault("declined")
    first = shop.post("/v1/sales", body)
    shop.stop(first["record_id"])
    sell(shop, body, arm)


WHEN = ("before", "before the answer of", "after the answer of")
TERMINAL = ("frame_received", "after_ack", "after_approval", "after_answer")
POINTS = [
    *(Point(f"sale, {one}", at_the_terminal(one), sell) for one in TERMINAL),
    *(Point(f"void, {one}", at_the_terminal(one, "void"), sell_another_amount) for one in TERMINAL),
    *(Point(f"{when} facts", on_the_line("facts", when), sell) for when in WHEN),
    *(Point(f"{when} packs", on_the_line("packs", when), fetch_packs_and_sell) for when in WHEN),
    *(Point(f"{when} holds", on_the_line("holds", when), sell) for when in WHEN),
    *(Point(f"{when} records, paid", on_the_line("records", when), sell) for when in WHEN),
    *(Point(f"{when} records, closed", on_the_line("records", when), decline_and_stop) for when in WHEN),
    *(
        Point(f"{when} release", on_the_line("release", when), sell_again_while_the_first_is_not_released)
        for when in WHEN
    ),
]
CHARGED_OR_NOT = POINTS[:4]


class Deaths:
    """What was seen at each point, each tried once."""

    def __init__(self, shop) -> None:
        self._shop = shop
        self.seen: dict[str, Death] = {}

    def at(self, point: Point) -> Death:
        if point.name not in self.seen:
            self.seen[point.name] = self._die(point)
        return self.seen[point.name]

    def _die(self, point: Point) -> Death:
        shop = self._shop
        body = shop.body()
        point.course(shop, body, point.arm)
        shop.agent.wait_dead()
        # At once: the terminal goes on without us.
        standing = shop.standing()
        commands = shop.sale_commands()
        journal = shop.journal()
        killed = journal.sale_of(body["item"]["serial_no"])
        attempts = journal.attempts_of(killed["record_id"])
        shop.proxy.clear()
        shop.terminal().clear_faults()
        shop.restart()
        sale = shop.wait_for_sale(killed["record_id"], lambda sale: sale["state"] in SETTLED)
        shop.wait_for_empty_outbox()
        assert shop.sale_commands() == commands, "the terminal was told again"
        return Death(
            point=point.name,
            charges=len(standing.get(sale["record_id"], [])),
            state=killed["state"],
            attempt=attempts[-1]["state"] if attempts else "-",
            final=_checked(shop, sale),
        )


def _checked(shop, sale):
    """Return how a sale that is at rest has ended, when the books of others say the same."""
    record = shop.centre_record(sale["record_id"])
    charges = shop.charges(sale["record_id"])
    if sale["state"] == "paid":
        assert charges == 1
        assert (record["state"], bookings(record)) == ("PAYABLE", 1)
        return "PAID"
    assert charges == 0
    assert record is None or record["state"] == "RELEASED"
    if sale["state"] == "refused":
        return "REFUSED"
    assert sale["closed_because"]
    return "CLOSED"


@pytest.fixture(scope="module")
def shop(open_shop):
    # Slow terminals: there is time to look at their books before they go on without the agent.
    return open_shop(work_ms=150)


@pytest.fixture(scope="module")
def deaths(shop):
    return Deaths(shop)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_sale_whose_agent_was_killed_ends_in_one_charge_and_one_record_or_in_none(point, deaths, shop):
    death = deaths.at(point)

    assert death.charges <= 1
    assert death.final in ("PAID", "CLOSED", "REFUSED")
    assert shop.agent.is_running()
    balance = shop.centre.ask("/v1/ledger/trial-balance")
    assert (balance["sum_fen"], balance["imbalance"]) == (0, [])


def test_paying_in_the_journal_tells_nothing_of_the_money(deaths, capsys):
    seen = {death.charges for death in map(deaths.at, CHARGED_OR_NOT) if death.state == "PAYING"}
    with capsys.disabled():
        print(f"\n{'killed':<38} {'charges':<8} {'sale':<8} {'attempt':<10} in the end")
        for one in deaths.seen.values():
            print(f"{one.point:<38} {one.charges:<8} {one.state:<8} {one.attempt:<10} {one.final}")
    assert seen == {0, 1}


def test_the_agent_was_really_killed(shop):
    shop.kill()
    assert shop.agent._running.returncode == -signal.SIGKILL
    shop.restart()
