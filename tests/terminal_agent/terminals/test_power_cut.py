"""The till loses its power before and after each byte that it sends: is money taken at most once, and found?

`EVERY_BYTE=1` cuts at every byte; without it at some of them, and around the end of the request.
"""

import os
import time

import msgspec
import pytest
from driver_bench import KINDS, Cut, PowerCut, bench_of
from wechat import RealClock

from subsidy import ids
from terminal_agent.checkout.ports import Back, Say

FEN = 339_915
STEP = int(os.environ.get("EVERY_BYTE", "29"))


@pytest.fixture(scope="module", params=KINDS)
def bench(request, tmp_path_factory):
    with bench_of(request.param, tmp_path_factory.mktemp(request.param), RealClock()) as bench:
        yield bench


def until(step, says, for_s=8):
    end = time.monotonic() + for_s
    while (answer := step()).say not in says:
        assert time.monotonic() < end, answer
        time.sleep(0.05)
    return answer


def cuts_of(length):
    return sorted({*range(0, length, STEP), length - 2, length - 1, length})


def do(call):
    """Carry out a call of a till that may die in it."""
    try:
        return call()
    except PowerCut:
        return None


def prepared(bench, ask):
    return msgspec.structs.replace(ask, mark=ready(bench, ask))


def ready(bench, ask):
    end = time.monotonic() + 8
    while (mark := bench.payment().prepare(ask)) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return mark


def test_a_sale_cut_at_a_byte_is_charged_at_most_once_and_told_as_it_is(bench, ask_for):
    ask = prepared(bench, ask_for(FEN))
    whole = Cut()
    assert bench.payment(whole).take(ask).say is Say.APPROVED
    lengths = whole.sent
    charged = 0
    for at in cuts_of(lengths):
        ask = prepared(bench, ask_for(FEN))
        before = len(bench.emulator.books())
        cut = Cut()
        cut.left = at
        do(lambda ask=ask, cut=cut: bench.payment(cut).take(ask))
        found = until(lambda ask=ask: bench.payment().query(ask), {Say.APPROVED, Say.NOT_FOUND})
        moved = bench.moved(before)
        assert moved == ([("sale", FEN)] if found.say is Say.APPROVED else []), at
        if moved:
            charged += 1
            until(lambda ask=ask, found=found: bench.payment().reverse(ask, found.evidence), {Say.APPROVED})
            assert bench.moved(before) == [("sale", FEN), ("void", FEN)]
    assert 1 <= charged <= len(cuts_of(lengths))


def test_a_return_cut_at_a_byte_is_given_back_once(bench, ask_for):
    lengths = None
    for at in [None, *range(0, 400, 4 * STEP)]:
        if lengths is not None and at > lengths:
            break
        ask = prepared(bench, ask_for(FEN))
        before = len(bench.emulator.books())
        paid = bench.payment().take(ask)
        assert paid.say is Say.APPROVED
        back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, ready(bench, ask))
        cut = Cut()
        cut.left = at
        do(lambda ask=ask, cut=cut, back=back: bench.payment(cut).refund(ask, back))
        if at is None:
            lengths = cut.sent
        survivor = bench.payment()
        answer = until(lambda ask=ask, back=back, one=survivor: one.refund(ask, back), {Say.APPROVED})
        assert answer.approved_fen == FEN
        assert bench.moved(before) == [("sale", FEN), ("void", FEN)], at
