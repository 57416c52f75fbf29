"""What the UnionPay channel answers for each fault of the emulator, what moved, and what it never keeps."""

import logging
import time
from typing import NamedTuple

import msgspec
import pytest
from unionpay import (
    PROFILE_FILE,
    new_unionpay_ask,
    new_unionpay_shown_ask,
)
from wechat import RealClock

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.channels import unionpay as unionpay_link
from terminal_agent.channels.unionpay_client import Said
from terminal_agent.channels.unionpay_profile import read_profile
from terminal_agent.checkout.ports import Back, Say

FEN = 85_000
PROFILE = read_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name, PROFILE_FILE.parent)
PAID, UNPAID = [("charge", FEN)], []
A, D, N, P, U = Say.APPROVED, Say.DECLINED, Say.NOT_FOUND, Say.PENDING, Say.UNCLEAR


@pytest.fixture
def channel(unionpay):
    return unionpay.channel()


def prepared(channel, ask=None):
    ask = ask or new_unionpay_ask(FEN)
    return msgspec.structs.replace(ask, mark=channel.prepare(ask))


def back_of(channel, ask, fen=FEN):
    return Back(ids.refund_no(ask.pay_ref), fen, Evidence(), channel.prepare(ask))


class Case(NamedTuple):
    fault: str
    options: dict
    took: Say
    found: Say
    booked: list
    evidence: str = ""


TAKING = [
    Case("declined", {"code": "64"}, D, D, UNPAID, "64"),
    Case("declined", {"code": "99"}, U, D, UNPAID, "99"),  # no sure no: asked for
    Case("unclear_code", {}, U, A, PAID, "04"),
    Case("unclear_code", {"charged": False}, U, N, UNPAID, "04"),
    Case("lost_request", {}, U, N, UNPAID, "NO_ANSWER"),
    Case("lost_answer", {}, U, A, PAID, "NO_ANSWER"),
    Case("torn_answer", {}, U, A, PAID, "NO_ANSWER"),
    Case("late_answer", {"ms": 900}, U, A, PAID, "NO_ANSWER"),
    Case("late_answer", {"ms": 100}, P, A, PAID, "00"),
    Case("doubled_request", {}, U, A, PAID, "12"),
    Case("userpaying", {"ms": 60_000}, P, P, UNPAID, "05"),
    Case("userpaying", {"ms": 1}, P, A, PAID, "05"),
    Case("userpaying", {"ms": 1, "then": "declines"}, P, D, UNPAID, "05"),
    Case("wrong_amount", {"fen": 1}, P, A, [("charge", 1)], "00"),
    Case("offer", {"fen": 500}, P, A, PAID, "00"),
    Case("wrong_currency", {}, P, A, PAID, "00"),
    Case("wrong_order", {}, U, A, PAID, "00"),
    Case("wrong_merchant", {}, U, A, PAID, "00"),
    Case("wrong_order", {"code": "64"}, U, A, PAID, "64"),
    Case("wrong_merchant", {"code": "64"}, U, A, PAID, "64"),
    Case("wrong_key", {}, U, A, PAID, "WRONG_SIGNATURE"),
    Case("unknown_key", {}, U, A, PAID, "UNKNOWN_KEY"),
    Case("missing_signature", {}, U, A, PAID, "NOT_SIGNED"),
    Case("garbage", {}, U, A, PAID, "NOT_SIGNED"),
    Case("system_error", {}, U, A, PAID, "NOT_SIGNED"),
    Case("system_error", {"charged": False}, U, N, UNPAID, "NOT_SIGNED"),
    Case("not_found_lag", {"ms": 60_000}, P, N, PAID, "00"),
]
ELSEWHERE = {"kill"}  # journeys have an agent to kill

SPOILT = [
    ("lost_answer", {}),
    ("torn_answer", {}),
    ("late_answer", {"ms": 900}),
    ("wrong_order", {}),
    ("wrong_merchant", {}),
    ("wrong_key", {}),
    ("unknown_key", {}),
    ("missing_signature", {}),
    ("garbage", {}),
    ("system_error", {}),
    ("unclear_code", {}),
]
UNHEARD = [("lost_request", {}), ("system_error", {"charged": False}), ("unclear_code", {"charged": False})]


@pytest.mark.parametrize("case", TAKING, ids=lambda case: f"{case.fault} {case.options}")
def test_a_fault_while_paying_is_answered_as_it_is(case, unionpay, channel):
    ask = prepared(channel)
    unionpay.fault(case.fault, on="pay", **case.options)
    took = channel.take(ask)
    found = channel.query(ask)
    assert (took.say, found.say) == (case.took, case.found)
    assert took.evidence.code == case.evidence
    assert unionpay.moved(ask.pay_ref) == case.booked
    assert found.approved_fen == (case.booked[0][1] if found.say is A else None)


@pytest.mark.parametrize("fault", ["wrong_order", "wrong_merchant"])
def test_a_refusal_of_somebody_elses_order_refuses_no_code_of_ours(fault, unionpay):
    showing = unionpay.showing()
    ask = prepared(showing, new_unionpay_shown_ask(FEN))
    unionpay.fault(fault, on="show", code="64")
    assert (showing.take(ask).say, showing.query(ask).say) == (U, P)


@pytest.mark.parametrize("fault", ["wrong_order", "wrong_merchant"])
def test_a_code_of_somebody_elses_order_is_shown_to_nobody(fault, unionpay):
    showing = unionpay.showing()
    unionpay.fault(fault, on="show")
    took = showing.take(prepared(showing, new_unionpay_shown_ask(FEN)))
    assert (took.say, took.show) == (U, "")


class Told:
    """A line that gives a prepared answer to everything."""

    def __init__(self, said):
        self._said = said

    def call(self, path, fields):
        return Said(self._said)


NAMED = {"merId": "000000000000000", "orderId": "", "txnTime": "20261123103456"}


@pytest.mark.parametrize("link", [unionpay_link.UnionPay, unionpay_link.UnionPayShown])
@pytest.mark.parametrize("code", ["64", "10", "11"])
@pytest.mark.parametrize(
    ("changes", "say"),
    [
        ({}, D),
        ({"merId": "999999999999999"}, U),
        ({"orderId": "SOMEBODYELSES"}, U),
        ({"txnTime": "20200101000000"}, U),
        # Who refuses may name nothing: then nobody knows what was refused.
        ({"merId": None, "orderId": None, "txnTime": None}, U),
    ],
    ids=str,
)
def test_a_refusal_is_a_no_only_to_the_order_that_it_names(changes, say, code, link):
    make = new_unionpay_ask if link is unionpay_link.UnionPay else new_unionpay_shown_ask
    ask = msgspec.structs.replace(make(FEN), mark=NAMED["txnTime"])
    said = {"respCode": code, **NAMED, "orderId": ask.pay_ref, **changes}
    line = Told({name: value for name, value in said.items() if value is not None})
    assert link(PROFILE, line, lambda: None, RealClock()).take(ask).say is say


def test_every_known_fault_has_a_case_and_a_row(unionpay):
    known = set(unionpay.call("GET", "/faults")["known"])
    assert {case.fault for case in TAKING} | ELSEWHERE == known
    readme = (PROFILE_FILE.parents[2] / "terminal_agent/emulators/README.md").read_text(encoding="utf-8")
    table = readme.partition("## UnionPay")[2]
    assert [name for name in known if f"`{name}`" not in table] == []


@pytest.mark.parametrize(
    ("fault", "options"), [*SPOILT, *UNHEARD, ("wrong_currency", {}), ("declined", {"code": "37"})], ids=str
)
def test_a_spoilt_answer_to_a_question_is_no_answer(fault, options, unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    unionpay.fault(fault, on="query", **options)
    assert channel.query(ask).say is U
    assert channel.query(ask).say is A


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *UNHEARD], ids=str)
def test_a_spoilt_reversal_is_repeated_and_gives_back_once(fault, options, unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    unionpay.fault(fault, on="reverse", **options)
    assert channel.reverse(ask, Evidence()).say is U
    assert [channel.reverse(ask, Evidence()).say for _ in range(2)] == [A, A]
    assert unionpay.moved(ask.pay_ref) == [("charge", FEN), ("reversal", FEN)]


def test_after_the_settlement_day_the_payment_stands_and_a_refund_gives_it_back(unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    unionpay.settle()
    assert channel.reverse(ask, Evidence()).say is D
    back = back_of(channel, ask)
    assert [channel.refund(ask, back).say for _ in range(2)] == [A, A]
    assert unionpay.moved(ask.pay_ref) == [("charge", FEN), ("refund", FEN)]


def test_a_refused_reversal_of_what_nobody_knows_is_no_end(unionpay, channel):
    ask = prepared(channel)
    unionpay.fault("declined", on="reverse", code="35")
    assert channel.reverse(ask, Evidence()).say is U
    assert channel.reverse(ask, Evidence()).say is N, "it knows of none, and says so"


def test_a_reversal_is_refused_of_a_payment_that_is_not_found_yet(unionpay, channel):
    ask = prepared(channel)
    unionpay.fault("not_found_lag", ms=60_000)
    channel.take(ask)
    unionpay.fault("declined", on="reverse", code="35")
    assert channel.query(ask).say is N
    assert channel.reverse(ask, Evidence()).say is U


def test_a_reversal_while_the_shopper_types_is_to_be_repeated(unionpay, channel):
    ask = prepared(channel, new_unionpay_ask(339_915))
    assert channel.take(ask).say is P
    assert channel.reverse(ask, Evidence()).say is P
    while channel.query(ask).say is P:
        pass
    assert channel.reverse(ask, Evidence()).say is A
    assert unionpay.moved(ask.pay_ref) == [("charge", 339_915), ("reversal", 339_915)]


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *UNHEARD], ids=str)
def test_a_spoilt_refund_is_repeated_and_gives_back_once(fault, options, unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    back = back_of(channel, ask)
    unionpay.fault(fault, on="refund", **options)
    assert channel.refund(ask, back).say is U
    assert channel.refund(ask, back).say is A
    assert unionpay.moved(ask.pay_ref) == [("charge", FEN), ("refund", FEN)]


def test_more_than_was_paid_is_not_given_back(unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    more = msgspec.structs.replace(ask, amount_fen=FEN + 1)
    assert channel.refund(more, back_of(channel, ask, FEN + 1)).say is D
    assert unionpay.moved(ask.pay_ref) == PAID


def test_the_same_number_at_another_time_is_another_order(unionpay, channel):
    ask = prepared(channel)
    channel.take(ask)
    assert channel.query(msgspec.structs.replace(ask, mark="20260101000000")).say is N


def test_a_code_pays_once(unionpay, channel):
    first = prepared(channel)
    second = prepared(channel, new_unionpay_ask(FEN, first.pay_code.reveal()))
    assert channel.take(first).say is P
    assert channel.take(second).say is D
    assert unionpay.moved(second.pay_ref) == []


def test_without_a_code_nothing_is_sent(unionpay, channel):
    ask = msgspec.structs.replace(prepared(channel), pay_code=None)
    assert channel.take(ask).say is D
    assert channel.query(ask).say is N


# Codes that we show, where the order cannot be closed.


def test_a_code_that_cannot_be_closed_is_not_paid_only_when_its_time_is_over(unionpay):
    showing = unionpay.showing(host_timeout_ms=100)
    ask = prepared(showing, new_unionpay_shown_ask(FEN, for_s=3))
    code = showing.take(ask).show
    unionpay.fault("declined", on="reverse", code="35", times=1000)
    assert showing.reverse(ask, Evidence()).say is U
    end = time.monotonic() + 20
    while (said := showing.reverse(ask, Evidence()).say) is U:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert said is A
    assert time.time_ns() // 1_000_000 >= ask.show_until_ms
    assert not unionpay.scan(code)


def test_a_code_that_cannot_be_closed_and_is_not_found_yet_may_still_be_scanned(unionpay):
    showing = unionpay.showing()
    ask = prepared(showing, new_unionpay_shown_ask(FEN))
    unionpay.fault("not_found_lag", on="show", ms=60_000)
    code = showing.take(ask).show
    unionpay.fault("declined", on="reverse", code="35")
    assert showing.query(ask).say is N
    assert showing.reverse(ask, Evidence()).say is U
    assert unionpay.scan(code)


def test_a_code_whose_payment_is_not_known_yet_may_still_be_scanned(unionpay):
    showing = unionpay.showing(host_timeout_ms=100)
    ask = prepared(showing, new_unionpay_shown_ask(FEN, for_s=5))
    code = showing.take(ask).show
    unionpay.fault("declined", on="reverse", code="34", times=1000)
    assert showing.reverse(ask, Evidence()).say is U
    assert unionpay.scan(code)
    assert showing.reverse(ask, Evidence()).say is D


def test_an_order_whose_code_nobody_has_is_undone_at_once(unionpay):
    """Nothing of it can be scanned, so that it is not known is told before its time is over."""
    showing = unionpay.showing(host_timeout_ms=100)
    ask = prepared(showing, new_unionpay_shown_ask(FEN))
    unionpay.fault("lost_request", on="show", times=1000)
    assert (took := showing.take(ask)).say is U
    assert took.show == ""
    assert showing.reverse(ask, Evidence()).say is N


def test_who_scanned_a_code_that_cannot_be_reversed_is_refunded(unionpay):
    showing = unionpay.showing()
    ask = prepared(showing, new_unionpay_shown_ask(FEN))
    assert unionpay.scan(showing.take(ask).show)
    unionpay.settle()
    assert showing.reverse(ask, Evidence()).say is D
    assert showing.refund(ask, back_of(showing, ask)).say is A


# Canaries.


def test_no_code_card_or_phone_is_logged_kept_or_written_into_the_books(unionpay, channel, caplog):
    caplog.set_level(logging.DEBUG)
    ask = prepared(channel)
    answers = [channel.take(ask), channel.query(ask), channel.refund(ask, back_of(channel, ask))]
    answers.append(channel.reverse(ask, Evidence()))
    unionpay.fault("declined", code="64")
    answers.append(channel.take(second := prepared(channel)))
    shown = caplog.text + repr(answers) + str([msgspec.to_builtins(one) for one in answers]) + repr(ask)
    shown += unionpay.books_file.read_text()
    for code in (ask.pay_code, second.pay_code):
        assert code.reveal() not in shown
    for personal in ("6216261000000000018", "13800138000"):
        assert personal not in shown


def test_an_offer_of_unionpays_is_kept(unionpay, channel):
    ask = prepared(channel)
    unionpay.fault("offer", on="pay", fen=500)
    channel.take(ask)
    found = channel.query(ask)
    assert (found.approved_fen, found.evidence.offer_fen, found.evidence.shop_offer_fen) == (FEN, 500, 0)


@pytest.mark.parametrize(
    ("coupons", "kept"),
    [
        ('[{"spnsrId":"00010000","offstAmt":"500"}]', (500, 0)),
        ('[{"spnsrId":"777290058110048","offstAmt":"300"},{"offstAmt":"200"}]', (200, 300)),
        ('[{"spnsrId":"00010000","offstAmt":"1001"}]', (0, 0)),  # more than was paid
        ('[{"spnsrId":"00010000","offstAmt":"-5"}]', (0, 0)),
        ("{500}", (0, 0)),
        ("[" * 5000, (0, 0)),
        ("", (0, 0)),
    ],
)
def test_coupons_that_cannot_be_meant_are_no_offers(coupons, kept):
    assert unionpay_link._offers(coupons, "777290058110048", 1000) == kept
