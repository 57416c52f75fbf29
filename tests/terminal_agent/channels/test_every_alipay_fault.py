"""What does the channel answer for each fault of the emulated Alipay at each call, and did money move?"""

import logging
from typing import NamedTuple

import msgspec
import pytest
from alipay import EmulatedAlipay, new_ask

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Back, Say

FEN = 85_000
PAID, UNPAID = [("pay", FEN)], []
A, D, N, P, U = Say.APPROVED, Say.DECLINED, Say.NOT_FOUND, Say.PENDING, Say.UNCLEAR


def back_of(ask, fen=FEN):
    return Back(ids.refund_no(ask.pay_ref), fen, Evidence())


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """An Alipay whose two sides name certificates."""
    with EmulatedAlipay.start(tmp_path_factory.mktemp("certified"), certificates=True) as running:
        yield running


@pytest.fixture(params=["public_key", "certificate"])
def either(request):
    """An Alipay in either mode, without faults."""
    name = "certified" if request.param == "certificate" else "alipay"
    emulator = request.getfixturevalue(name)
    emulator.clear_faults()
    return emulator


class Case(NamedTuple):
    fault: str
    options: dict
    took: Say
    found: Say
    booked: list
    evidence: str = ""


TAKING = [
    Case("declined", {"code": "ACQ.BUYER_BALANCE_NOT_ENOUGH"}, D, D, UNPAID, "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
    Case(
        "declined", {"code": "ACQ.PAYMENT_AUTH_CODE_INVALID"}, D, D, UNPAID, "ACQ.PAYMENT_AUTH_CODE_INVALID"
    ),
    Case("declined", {"code": "ACQ.SYSTEM_ERROR"}, U, D, UNPAID, "ACQ.SYSTEM_ERROR"),  # no sure no: asked for
    Case("declined", {"code": "ACQ.TRADE_HAS_SUCCESS"}, U, D, UNPAID, "ACQ.TRADE_HAS_SUCCESS"),
    Case("lost_request", {}, U, N, UNPAID, "NO_ANSWER"),
    Case("lost_answer", {}, U, A, PAID, "NO_ANSWER"),
    Case("torn_answer", {}, U, A, PAID, "NO_ANSWER"),
    Case("late_answer", {"ms": 900}, U, A, PAID, "NO_ANSWER"),
    Case("late_answer", {"ms": 100}, A, A, PAID, "10000"),
    Case("doubled_request", {}, U, A, PAID, "ACQ.TRADE_HAS_SUCCESS"),
    Case("userpaying", {"ms": 60_000}, P, P, UNPAID, "10003"),
    Case("userpaying", {"ms": 1}, P, A, PAID, "10003"),
    Case("userpaying", {"ms": 1, "then": "declines"}, P, D, UNPAID, "10003"),
    Case("offer", {"platform": 500, "merchant": 200}, A, A, PAID, "10000"),
    Case("wrong_amount", {"fen": 1}, A, A, [("pay", 1)], "10000"),
    Case("wrong_currency", {}, U, A, PAID, "10000"),
    Case("wrong_order", {}, U, A, PAID),
    Case("previous_answer", {}, U, A, PAID),
    Case("wrong_key", {}, U, A, PAID, "WRONG_SIGNATURE"),
    Case("unknown_certificate", {}, U, A, PAID, "UNKNOWN_KEY"),
    Case("missing_signature", {}, U, A, PAID, "NOT_SIGNED"),
    Case("other_bytes", {}, U, A, PAID, "WRONG_SIGNATURE"),
    Case("doubled_member", {}, U, A, PAID, "NOT_SIGNED"),
    Case("garbage", {}, U, A, PAID),
    Case("system_error", {}, U, A, PAID, "isp.unknow-error"),
    Case("system_error", {"charged": False}, U, N, UNPAID, "isp.unknow-error"),
    Case("not_found_lag", {"ms": 60_000}, A, N, PAID, "10000"),
]
ELSEWHERE = {"cancel_lost", "kill"}  # below, and in the emulator's own tests

# What spoils an answer, so that nothing can be learnt from it, whatever was asked.
SPOILT = [
    ("lost_answer", {}),
    ("torn_answer", {}),
    ("late_answer", {"ms": 900}),
    ("wrong_key", {}),
    ("unknown_certificate", {}),
    ("missing_signature", {}),
    ("other_bytes", {}),
    ("doubled_member", {}),
    ("garbage", {}),
    ("system_error", {}),
]
STRANGERS = [("wrong_order", {}), ("previous_answer", {})]
UNHEARD = [("lost_request", {}), ("system_error", {"charged": False})]


@pytest.mark.parametrize("case", TAKING, ids=lambda case: f"{case.fault} {case.options}")
def test_a_fault_while_paying_is_answered_as_it_is(case, either):
    channel = either.channel()
    channel.take(new_ask(100))  # what was said before, of another order
    ask = new_ask(FEN)
    either.fault(case.fault, on="pay", **case.options)
    took = channel.take(ask)
    found = channel.query(ask)
    assert (took.say, found.say) == (case.took, case.found)
    assert took.evidence.code == case.evidence
    assert either.moved(ask.pay_ref) == case.booked
    for answer in (took, found):
        assert answer.approved_fen == (case.booked[0][1] if answer.say is A else None)


def test_every_known_fault_has_a_case(alipay):
    assert {case.fault for case in TAKING} | ELSEWHERE == set(alipay.call("GET", "/faults")["known"])


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *STRANGERS, *UNHEARD], ids=str)
def test_a_spoilt_answer_to_a_question_is_no_answer(fault, options, either):
    channel = either.channel()
    channel.take(new_ask(100))
    ask = new_ask(FEN)
    channel.take(ask)
    either.fault(fault, on="query", **options)
    assert channel.query(ask).say is U
    assert channel.query(ask).say is A


def undo_until_done(channel, ask):
    for _ in range(5):
        if channel.reverse(ask, Evidence()).say is A:
            return
    raise AssertionError("the cancel was never done")


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *STRANGERS, *UNHEARD, ("cancel_lost", {})], ids=str)
def test_a_spoilt_cancel_is_repeated_and_gives_back_once(fault, options, alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    alipay.fault(fault, on="cancel", **options)
    first = channel.reverse(ask, Evidence()).say
    # Where the order itself says that it is undone, what was said of the cancel does not matter.
    heard = fault in ("wrong_order", "previous_answer", "garbage", "system_error") and not options
    assert first is (A if heard else U)
    undo_until_done(channel, ask)
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("cancel", FEN)]
    assert channel.query(ask).say is D


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *STRANGERS], ids=str)
def test_a_cancel_whose_order_cannot_be_looked_up_is_not_done_yet(fault, options, alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(new_ask(100))
    channel.take(ask)
    alipay.fault(fault, on="query", **options)
    assert channel.reverse(ask, Evidence()).say is U
    undo_until_done(channel, ask)
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("cancel", FEN)]


def test_a_refused_cancel_leaves_the_payment_and_a_refund_gives_it_back(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    alipay.fault("declined", on="cancel", code="ACQ.TRADE_CANCEL_TIME_OUT")
    assert channel.reverse(ask, Evidence()).say is D
    assert channel.refund(ask, back_of(ask)).say is A
    assert channel.query(ask).say is D
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("refund", FEN)]


def test_a_cancel_refused_for_another_reason_is_repeated(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    alipay.fault("declined", on="cancel", code="ACQ.SELLER_BALANCE_NOT_ENOUGH")
    assert channel.reverse(ask, Evidence()).say is U
    undo_until_done(channel, ask)
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("cancel", FEN)]


def test_a_cancel_while_the_shopper_types_closes_the_payment_at_once(alipay):
    channel = alipay.channel()
    ask = new_ask(339_915)  # over 1000 yuan: a password
    assert channel.take(ask).say is P
    assert channel.reverse(ask, Evidence()).say is A
    assert channel.query(ask).say is D
    assert alipay.moved(ask.pay_ref) == []


def test_the_cancel_of_an_order_that_never_arrived_proves_nothing(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    assert channel.reverse(ask, Evidence()).say is N
    # It can still arrive: that is why "not found" is asked for again, and late.
    assert channel.take(ask).say is A
    undo_until_done(channel, ask)
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("cancel", FEN)]


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *UNHEARD, ("doubled_request", {})], ids=str)
def test_a_spoilt_refund_is_repeated_and_gives_back_once(fault, options, either):
    channel = either.channel()
    ask = new_ask(FEN)
    number = ids.refund_no(ask.pay_ref)
    channel.take(ask)
    either.fault(fault, on="refund", **options)
    first = channel.refund(ask, back_of(ask))
    assert first.say is (A if fault == "doubled_request" else U)
    assert channel.refund(ask, back_of(ask)).say is A
    assert channel.refund_query(ask, number).approved_fen == FEN
    assert either.moved(ask.pay_ref) == [("pay", FEN), ("refund", FEN)]


@pytest.mark.parametrize(("fault", "options"), [*SPOILT, *STRANGERS, *UNHEARD], ids=str)
def test_a_spoilt_answer_about_a_refund_is_no_answer(fault, options, alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(new_ask(100))
    channel.take(ask)
    channel.refund(ask, back_of(ask))
    alipay.fault(fault, on="refund_query", **options)
    assert channel.refund_query(ask, ids.refund_no(ask.pay_ref)).say is U


def test_a_part_that_was_given_back_is_that_part_however_the_sum_reads(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    first = Back(ids.refund_no(ask.pay_ref), 5_000, Evidence())
    other = Back(f"{ask.pay_ref[:26]}02R", 1_000, Evidence())
    assert channel.refund(ask, other).approved_fen == 1_000
    assert channel.refund(ask, first).approved_fen == 5_000  # Alipay answers 60.00, the sum
    assert channel.query(ask).approved_fen == FEN
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("refund", 1_000), ("refund", 5_000)]


def test_refunds_together_never_pass_what_was_paid(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    assert channel.refund(ask, Back(f"{ask.pay_ref[:26]}02R", 1_000, Evidence())).say is A
    assert channel.refund(ask, back_of(ask)).say is D
    assert channel.refund(ask, back_of(ask, FEN - 1_000)).say is A
    assert sum(fen for kind, fen in alipay.moved(ask.pay_ref) if kind == "refund") == FEN


def test_one_refund_number_is_of_one_amount(alipay):
    channel = alipay.channel()
    ask = new_ask(FEN)
    channel.take(ask)
    assert channel.refund(ask, back_of(ask, 1_000)).say is A
    assert channel.refund(ask, back_of(ask, 2_000)).say is U
    assert alipay.moved(ask.pay_ref) == [("pay", FEN), ("refund", 1_000)]


def test_a_code_pays_once(alipay):
    channel = alipay.channel()
    first = new_ask(FEN)
    second = new_ask(FEN, first.pay_code.reveal())
    assert channel.take(first).say is A
    assert channel.take(second).say is D
    assert alipay.moved(second.pay_ref) == []


def test_keys_and_certificates_are_changed_while_the_till_goes_on(tmp_path):
    with (
        EmulatedAlipay.start(tmp_path / "one", certificates=True) as one,
        EmulatedAlipay.start(tmp_path / "two", certificates=True) as two,
    ):
        # The shop's files hold the second merchant's keys; then the first one's are put in their place.
        names = one.profile().keys
        files = [getattr(names, name) for name in names.__struct_fields__]
        right = [file.read_bytes() for file in files]
        others = [getattr(two.profile().keys, name) for name in names.__struct_fields__]
        for file, other in zip(files, others, strict=True):
            file.write_bytes(other.read_bytes())
        channel = one.channel()
        assert channel.take(new_ask(FEN)).say is U
        for file, content in zip(files, right, strict=True):
            file.write_bytes(content)
        assert channel.take(new_ask(FEN)).say is A


def test_nothing_personal_or_secret_is_logged_kept_or_in_an_address(alipay, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    channel = alipay.channel()
    ask = new_ask(FEN)
    number = ids.refund_no(ask.pay_ref)
    answers = [channel.take(ask), channel.query(ask), channel.refund(ask, back_of(ask))]
    answers += [channel.refund_query(ask, number), channel.reverse(ask, Evidence())]
    alipay.fault("declined")
    answers.append(channel.take(second := new_ask(FEN)))
    shown = caplog.text + repr(answers) + str([msgspec.to_builtins(one) for one in answers]) + repr(ask)
    for personal in ("138****8000", "2088102146225135", "13800138000", "ALIPAYACCOUNT"):
        assert personal not in shown
    assert "gateway.do" in caplog.text  # so addresses are in it
    for code in (ask.pay_code, second.pay_code):
        assert code.reveal() not in shown
        assert code.reveal() not in alipay.books_file.read_text()


def test_an_offer_is_kept_by_who_bore_it(either):
    channel = either.channel()
    ask = new_ask(FEN)
    either.fault("offer", on="pay", platform=500, merchant=200)
    took = channel.take(ask)
    for answer in (took, channel.query(ask)):
        assert (answer.approved_fen, answer.evidence.offer_fen, answer.evidence.shop_offer_fen) == (
            FEN,
            500,
            200,
        )
