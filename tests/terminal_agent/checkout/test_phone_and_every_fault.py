"""A checkout on a real channel with everything that can go wrong at each step: what does it end in?

The emulator's own books say what money has moved. Whatever happens, at rest a sale is paid with one charge
that stands, or nothing stands.
"""

import time

import pytest
from unit_shop import PHONE, TO_PAY_FEN, UnitShop
from wechat import EmulatedWechat, new_code

from terminal_agent.checkout.ports import Secret, Way
from terminal_agent.checkout.states import AttemptState, SaleState

CLOCKS_MS = {
    "answer_wait_ms": 350,
    "answer_cap_ms": 500,
    "host_timeout_ms": 250,
    "poll_every_ms": 40,
    "poll_for_ms": 400,
    "reverse_not_before_ms": 50,
    "resolver_ms": 900,
}
PASSWORD_MS = 120
SPOILT = {
    "lost_request": {},
    "lost_answer": {},
    "torn_answer": {},
    "late_answer": {"ms": 600},
    "doubled_request": {},
    "wrong_order": {},
    "wrong_merchant": {},
    "wrong_currency": {},
    "wrong_key": {},
    "unknown_key": {},
    "missing_signature": {},
    "stale_timestamp": {},
    "garbage": {},
    "system_error": {},
    "declined": {"code": "SYSTEM_BUSY"},
}
ONLY_WHILE_PAYING = {
    "userpaying": {"ms": 3000},
    "not_paid_yet": {"ms": 3000},
    "wrong_amount": {"fen": TO_PAY_FEN - 1},
    "not_found_lag": {"ms": 700},
}
ONLY_ELSEWHERE = {"reverse": {"reverse_lost": {}}, "refund": {"refund_unknown": {"ms": 300}}}
AT_THE_PROCESS = {"kill"}  # tests/journeys, where there is an agent to kill
OF_SHOWN_CODES = {"close_lost"}  # tests of the channels: a code that we show has no part here

STEPS = {
    "pay": {**SPOILT, **ONLY_WHILE_PAYING},
    "query": SPOILT,
    "reverse": {**SPOILT, **ONLY_ELSEWHERE["reverse"]},
    "refund": {**SPOILT, **ONLY_ELSEWHERE["refund"]},
}
CASES = [
    pytest.param(step, fault, options, times, id=f"{step} {fault} {'once' if times == 1 else 'for long'}")
    for step, faults in STEPS.items()
    for fault, options in faults.items()
    for times in ((1,) if step == "pay" else (1, 1000))
]


@pytest.fixture(scope="module")
def wechat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wechat")
    with EmulatedWechat.start(folder, password_ms=PASSWORD_MS) as running:
        yield running


@pytest.fixture
def shop(wechat, tmp_path):
    wechat.clear_faults()
    yield UnitShop(tmp_path, wechat.channel(**CLOCKS_MS))
    wechat.clear_faults()


def sell(shop):
    """Sell an item by phone, the channel's worker included."""
    return shop.sell(way=Way(PHONE, Secret(new_code())))


def sell_and_stop(shop):
    """Sell an item by phone to a shopper who walks off while the payment is under way."""
    sale = shop.open(way=Way(PHONE, Secret(new_code()))).sale
    take = shop.channel.take

    def stopped(ask):
        answer = take(ask)
        shop.checkout.stop(sale.record_id, shop.key())
        time.sleep(2 * PASSWORD_MS / 1000)  # the password is typed all the same
        return answer

    shop.channel.take = stopped
    return shop.work(sale)


def come_to_rest(shop, sale):
    """Let the worker go on looking until nothing is open any more."""
    until = time.monotonic() + 15
    while shop.phone_lane.look_at_parked():
        assert time.monotonic() < until, f"it never comes to rest: {shop.now(sale).attempts}"
        time.sleep(0.03)
    return shop.now(sale)


def moved(wechat, sale):
    return [(kind, fen) for one in sale.attempts for kind, fen in wechat.moved(one.pay_ref)]


def standing(wechat, sale):
    """Return what the shopper of a sale has paid and not been given back, in fen."""
    return sum(fen if kind == "charge" else -fen for kind, fen in moved(wechat, sale))


def test_every_fault_of_the_emulator_is_tried(wechat):
    tried = set(SPOILT) | set(ONLY_WHILE_PAYING) | {one for step in ONLY_ELSEWHERE.values() for one in step}
    assert tried | AT_THE_PROCESS | OF_SHOWN_CODES == set(wechat.call("GET", "/faults")["known"])


@pytest.mark.parametrize("lost", [False, True], ids=["heard", "unheard"])
@pytest.mark.parametrize(("ms", "ends"), [(200, SaleState.PAID), (1500, SaleState.HELD)])
def test_an_order_that_was_not_paid_yet_is_not_charged_after_it_was_called_not_paid(
    ms, ends, lost, wechat, shop
):
    wechat.fault("not_paid_yet", ms=ms)
    if lost:
        wechat.fault("lost_answer", on="pay")

    sale = come_to_rest(shop, sell(shop))
    time.sleep(ms / 1000)

    assert (sale.state, standing(wechat, sale)) == (ends, TO_PAY_FEN if ends is SaleState.PAID else 0)


@pytest.mark.parametrize(("step", "fault", "options", "times"), CASES)
def test_at_rest_a_sale_is_paid_once_or_nothing_stands(step, fault, options, times, wechat, shop):
    if step == "refund":  # what is too late to be reversed is given back by one
        wechat.fault("declined", on="reverse", code="REVERSE_EXPIRE", times=1000)
    wechat.fault(fault, on=step, times=times, **options)

    sale = sell(shop) if step in ("pay", "query") else sell_and_stop(shop)

    undecided = sale.attempt(1).is_open
    assert sale.state in (SaleState.PAID, SaleState.HELD, SaleState.CLOSING, SaleState.PARKED)
    assert undecided == (sale.state is SaleState.PARKED)
    if not undecided:
        assert standing(wechat, sale) == (TO_PAY_FEN if sale.state is SaleState.PAID else 0)
    wechat.clear_faults()
    if step == "refund":
        wechat.fault("declined", on="reverse", code="REVERSE_EXPIRE", times=1000)

    sale = come_to_rest(shop, sale)

    paid = sale.state is SaleState.PAID
    assert standing(wechat, sale) == (TO_PAY_FEN if paid else 0)
    assert sale.attempt(1).state is AttemptState.PAID if paid else not sale.attempt(1).is_open
    assert [kind for kind, _ in moved(wechat, sale)].count("charge") <= 1
    assert len(moved(wechat, sale)) <= 2, "given back twice"
    if step == "refund":
        assert sale.attempt(1).state is AttemptState.GIVEN_BACK
