"""The agent is killed from outside at every point of a return. Started again, the money has gone back once.

The terminal and WeChat Pay kill it around the refund; the line to the centre around each message. Before the
refund may have left, nothing goes on by itself: the till sends the return again, and it is the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from audit import bookings
from killing_proxy import cut, kinds_in, passing


@dataclass(frozen=True)
class Point:
    """Where the agent dies in a return of a sale that was paid and, it may be, settled."""

    name: str
    arm: Callable
    how: str = "card"

    def __str__(self) -> str:
        return f"{self.how}: {self.name}"


class Death(NamedTuple):
    point: str
    given_back: int
    state: str
    sub_state: str
    goes_on: bool


def at_the_terminal(point, on):
    def arm(shop):
        shop.terminal().fault("kill", point=point, pid=shop.agent.pid, on=on)

    return arm


def at_wechat_pay(point):
    def arm(shop):
        shop.wechat.fault("kill", point=point, pid=shop.agent.pid, on="refund")

    return arm


def on_the_line(when):
    def before(shop, exchange):
        shop.kill()

    def between(shop, exchange):
        exchange.pass_on()
        shop.kill()

    def after(shop, exchange):
        exchange.answer(exchange.pass_on())
        exchange.wait_until_read()
        shop.kill()

    return {"before": before, "before the answer of": between, "after the answer of": after}[when]


def on_a_message(kind, when):
    kill = on_the_line(when)
    return lambda shop: shop.proxy.next(kind, lambda exchange: kill(shop, exchange))


def on_the_upload_of(entry, when):
    """Kill around the upload that has this entry; those before it pass."""
    kill = on_the_line(when)

    def kill_or_pass(shop, exchange):
        return kill(shop, exchange) if entry in kinds_in(exchange) else passing(exchange)

    return lambda shop: shop.proxy.always("records", lambda exchange: kill_or_pass(shop, exchange))


def on_the_upload_of_the_beginning(when):
    kill = on_the_upload_of("returning", when)

    def arm(shop):
        shop.proxy.always("returns", cut)  # else it may be acknowledged before it is its turn
        kill(shop)

    return arm


WHEN = ("before", "before the answer of", "after the answer of")
TERMINAL = ("frame_received", "after_ack", "after_approval", "after_answer")
POINTS = [
    *(Point(f"{when} facts", on_a_message("facts", when)) for when in WHEN),
    *(Point(f"{when} returns", on_a_message("returns", when)) for when in WHEN),
    *(Point(f"{when} records, returning", on_the_upload_of_the_beginning(when)) for when in WHEN),
    *(Point(f"void, {one}", at_the_terminal(one, "void")) for one in TERMINAL),
    *(Point(f"refund, {one}", at_the_terminal(one, "refund"), "settled card") for one in TERMINAL),
    *(
        Point(f"refund, {one}", at_wechat_pay(one), "phone")
        for one in ("request_received", "after_booking", "after_answer")
    ),
    *(Point(f"{when} records, returned", on_the_upload_of("returned", when)) for when in WHEN),
]
AROUND_THE_REFUND = [one for one in POINTS if "void" in one.name or "refund" in one.name]


class Deaths:
    """What was seen at each point, each tried once."""

    def __init__(self, shop) -> None:
        self._shop = shop
        self.seen: dict[str, Death] = {}

    def at(self, point: Point) -> Death:
        if str(point) not in self.seen:
            self.seen[str(point)] = self._die(point)
        return self.seen[str(point)]

    def _die(self, point: Point) -> Death:
        shop = self._shop
        sold = shop.sell(tender=shop.by_phone()) if point.how == "phone" else shop.sell()
        record_id = sold["record_id"]
        if point.how == "settled card":
            shop.terminal().settle()
        shop.wait_for_empty_outbox()
        point.arm(shop)
        calling = shop.submit(lambda: shop.give_back(record_id))
        shop.agent.wait_dead()
        # At once: the terminal goes on without us.
        given_back = record_id not in shop.standing()
        left = shop.journal().sale_of(sold["item"]["serial_no"])
        sub_state = shop.journal().return_of(record_id)
        calling.exception(timeout=60)
        shop.proxy.clear()
        shop.terminal().clear_faults()
        shop.wechat.clear_faults()
        shop.restart()
        return Death(
            point=str(point),
            given_back=given_back,
            state=left["state"],
            sub_state=sub_state,
            goes_on=_ended(shop, record_id, sub_state),
        )


def _ended(shop, record_id, sub_state):
    """Let a return come to its end, say that every book knows it once, and whether it went on by itself."""
    goes_on = sub_state in ("SENDING", "REFUNDED")
    if goes_on:
        shop.wait_for_sale(record_id, lambda sale: sale["return"]["ended_at"] is not None)
    else:
        sale = shop.sale(record_id)
        assert sale["return"] is None or sale["return"]["state"] in ("waiting", "waiting_for_centre")
        assert len(shop.standing()[record_id]) == 1
    back = shop.give_back(record_id)
    assert (back["state"], back["return"]["state"], back["return"]["tries"]) == ("returned", "refunded", 1)
    assert record_id not in shop.standing()
    assert len(shop.moved(record_id) + shop.moved_by_phone(record_id)) == 2
    shop.wait_for_empty_outbox()
    record = shop.wait_for_record(record_id, "RETURNED")
    assert bookings(record) == 1
    assert sum(line["fen"] for line in record["postings"]) == 0
    return goes_on


@pytest.fixture(scope="module")
def shop(open_shop):
    # Slow terminals: there is time to look at their books before they go on without the agent.
    return open_shop(work_ms=150, phones=True)


@pytest.fixture(scope="module")
def deaths(shop):
    return Deaths(shop)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_return_whose_agent_was_killed_gives_the_money_back_once(point, deaths, shop):
    deaths.at(point)

    assert shop.agent.is_running()
    balance = shop.centre.ask("/v1/ledger/trial-balance")
    assert (balance["sum_fen"], balance["imbalance"]) == (0, [])


def test_a_refund_that_may_have_left_tells_nothing_of_the_money(deaths, capsys):
    """Killed while it was on its way, the money had gone back or not: only the other side knows."""
    seen = {one.given_back for one in map(deaths.at, AROUND_THE_REFUND) if one.sub_state == "SENDING"}
    with capsys.disabled():
        print(f"\n{'killed':<44} {'back':<6} {'sale':<10} {'return':<10} goes on by itself")
        for one in deaths.seen.values():
            print(f"{one.point:<44} {one.given_back!s:<6} {one.state:<10} {one.sub_state:<10} {one.goes_on}")
    assert seen == {False, True}
