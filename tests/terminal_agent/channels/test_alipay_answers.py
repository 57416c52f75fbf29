"""What does each answer of Alipay mean, and is nothing else ever raised, kept or shown?"""

import os
import random

import msgspec
import pytest
from alipay_answers import ASK, PHONE, PROFILE, REFUND_NO, TRADE_NO, Told, no, paid, refunded, said, state
from cpu_time import cpu_time
from wechat import RealClock

from subsidy.records.payment import Evidence
from terminal_agent.channels.alipay import Alipay, open_alipay
from terminal_agent.channels.alipay_client import Believed
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.checkout.ports import Answer, Back, Payment, Say

BACK = Back(REFUND_NO, 339_915, Evidence())
A, D, N, P, U = Say.APPROVED, Say.DECLINED, Say.NOT_FOUND, Say.PENDING, Say.UNCLEAR
FUZZED = int(os.environ.get("MUTATIONS", "2000"))
"""So many mutated answers for each call; more are a parameter of `mutate_and_judge`."""


def told(*answers):
    client = Told(*answers)
    return Alipay(PROFILE, client, lambda: None), client


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        (paid(), A),
        (paid(total_amount=3399.15), A),
        (paid(total_amount="1.00"), A),  # of another amount: the checkout compares
        (paid(total_amount="0.00"), U),
        (paid(total_amount="-1.00"), U),
        (paid(total_amount="3399.150"), U),
        (paid(total_amount="3,399.15"), U),
        (paid(total_amount=None), U),
        (paid(total_amount=...), U),
        (paid(total_amount={"a": 1}), U),
        (paid(trans_currency="CNY"), A),
        (paid(trans_currency="USD"), U),
        (paid(out_trade_no="SOMEBODYELSES"), U),
        (paid(out_trade_no=...), U),
        (paid(out_trade_no=ASK.pay_ref.lower()), U),
        (said("10003"), P),
        (said("10003", out_trade_no="SOMEBODYELSES"), U),
        (said("20000", sub_code="isp.unknow-error"), U),
        (said("20000", sub_code="ACQ.PAYMENT_AUTH_CODE_INVALID"), U),
        (said("10000", sub_code="ACQ.BUYER_BALANCE_NOT_ENOUGH"), U),
        (no("ACQ.BUYER_BALANCE_NOT_ENOUGH"), D),
        (no("ACQ.BUYER_BALANCE_NOT_ENOUGH", out_trade_no="SOMEBODYELSES"), U),
        (no("ACQ.BUYER_BALANCE_NOT_ENOUGH", out_trade_no=...), U),
        (no("ACQ.SYSTEM_ERROR"), U),
        (no("ACQ.TRADE_HAS_SUCCESS"), U),
        (no("ACQ.CONTEXT_INCONSISTENT"), U),
        (no("ACQ.TRADE_NOT_EXIST"), U),
        (no("ACQ.OF_TOMORROW"), U),
        (no("isv.invalid-signature", "40002", out_trade_no=...), D),
        (no("isv.invalid-signature", "40002", out_trade_no="SOMEBODYELSES"), U),
        (no("aop.invalid-auth-token", "20001", out_trade_no=...), U),
        (no(""), U),
        (Believed(b"{}"), U),
        (Believed(b'{"code":"10000"}'), U),
        (Believed(b'{"code":"40004","code":"10000"}'), U),
        (Believed(b"{" * 1000), U),
        (Silence.NO_ANSWER, U),
        (Silence.WRONG_SIGNATURE, U),
        (Silence.NO_KEYS, D),
    ],
)
def test_what_an_answer_to_a_payment_means(answer, say):
    channel, client = told(answer)
    found = channel.take(ASK)
    assert found.say is say
    assert (found.approved_fen is not None) == (say is A)
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        (state("TRADE_SUCCESS"), A),
        (state("TRADE_FINISHED"), A),
        (state("TRADE_CLOSED"), D),
        (state("WAIT_BUYER_PAY"), P),
        (state("OF_TOMORROW"), U),
        (state("TRADE_SUCCESS", out_trade_no="SOMEBODYELSES"), U),
        (state("TRADE_CLOSED", out_trade_no="SOMEBODYELSES"), U),
        (state("TRADE_CLOSED", out_trade_no=...), U),
        (state("TRADE_SUCCESS", trans_currency="USD"), U),
        (no("ACQ.TRADE_NOT_EXIST"), N),
        (no("ACQ.TRADE_NOT_EXIST", out_trade_no=...), N),
        (no("ACQ.TRADE_NOT_EXIST", out_trade_no="SOMEBODYELSES"), U),
        (no("ACQ.TRADE_NOT_EXIST", "20000"), U),
        (no("ACQ.SYSTEM_ERROR"), U),
        (no("ACQ.BUYER_BALANCE_NOT_ENOUGH"), U),
        (said("20000"), U),
        (said("10003"), U),
        (Silence.NO_ANSWER, U),
        (Silence.NO_KEYS, U),
    ],
)
def test_what_an_answer_to_a_question_means(answer, say):
    assert told(answer)[0].query(ASK).say is say


@pytest.mark.parametrize(
    ("names", "kept"),
    [({}, "ACQ.SYSTEM_ERROR"), ({"out_trade_no": ...}, "ACQ.SYSTEM_ERROR"), ({"out_trade_no": "OTHERS"}, "")],
    ids=["ours", "none", "another"],
)
def test_of_an_unclear_answer_the_reason_is_kept_unless_it_names_another_order(names, kept):
    unclear = no("ACQ.SYSTEM_ERROR", **names)
    assert told(unclear)[0].take(ASK).evidence.code == kept
    assert told(unclear)[0].query(ASK).evidence.code == kept


@pytest.mark.parametrize(
    ("cancel", "query", "say"),
    [
        (said("10000", action="refund", retry_flag="N"), state("TRADE_CLOSED"), A),
        (said("10000", action="close", retry_flag="N"), state("TRADE_CLOSED"), A),
        (said("10000", action="refund", retry_flag="N"), state("TRADE_SUCCESS"), U),  # said, and not done
        (said("10000", action="close", retry_flag="N"), state("WAIT_BUYER_PAY"), P),
        (said("10000", retry_flag="N"), no("ACQ.TRADE_NOT_EXIST"), N),
        (no("ACQ.TRADE_NOT_EXIST"), no("ACQ.TRADE_NOT_EXIST"), N),
        # Who refuses to cancel an order may know it, though a question does not find it yet.
        (no("ACQ.TRADE_CANCEL_TIME_OUT"), no("ACQ.TRADE_NOT_EXIST"), U),
        (no("ACQ.SYSTEM_ERROR"), no("ACQ.TRADE_NOT_EXIST"), U),
        (no("ACQ.TRADE_NOT_EXIST", out_trade_no="SOMEBODYELSES"), no("ACQ.TRADE_NOT_EXIST"), U),
        (said("40004", retry_flag="Y"), state("TRADE_SUCCESS"), U),
        (no("ACQ.TRADE_CANCEL_TIME_OUT"), state("TRADE_SUCCESS"), D),
        (no("ACQ.TRADE_HAS_FINISHED"), state("TRADE_FINISHED"), D),
        (no("ACQ.TRADE_HAS_FINISHED"), Silence.NO_ANSWER, U),
        (no("ACQ.SELLER_BALANCE_NOT_ENOUGH"), state("TRADE_SUCCESS"), U),
        (no("ACQ.SYSTEM_ERROR"), state("TRADE_CLOSED"), A),
        (Silence.NO_ANSWER, state("TRADE_CLOSED"), U),
    ],
)
def test_what_answers_to_a_cancel_mean(cancel, query, say):
    assert told(cancel, query)[0].reverse(ASK, Evidence()).say is say


@pytest.mark.parametrize(
    ("refund", "query", "say"),
    [
        (said("10000", fund_change="Y", refund_fee="3399.15"), refunded(), A),
        (said("10000", fund_change="N", refund_fee="3399.15"), refunded(), A),
        (said("10000", fund_change="Y"), Silence.NO_ANSWER, U),
        (said("10000", fund_change="Y"), said("10000", out_trade_no=...), N),
        (said("10000", fund_change="Y"), refunded(refund_status="REFUND_OF_TOMORROW"), U),
        (said("10000", fund_change="Y"), refunded(out_request_no="SOMEBODYELSES"), U),
        (said("10000", fund_change="Y"), refunded(out_trade_no="SOMEBODYELSES"), U),
        (said("10000", fund_change="Y"), refunded(refund_amount="0.00"), U),
        (said("10000", out_trade_no="SOMEBODYELSES"), refunded(), U),
        (no("ACQ.SELLER_BALANCE_NOT_ENOUGH"), said("10000", out_trade_no=...), D),
        (
            no("ACQ.SELLER_BALANCE_NOT_ENOUGH", out_trade_no="SOMEBODYELSES"),
            said("10000", out_trade_no=...),
            U,
        ),
        (no("ACQ.SELLER_BALANCE_NOT_ENOUGH"), refunded(), A),  # an earlier try was taken
        (no("ACQ.SELLER_BALANCE_NOT_ENOUGH"), Silence.NO_ANSWER, U),
        (no("ACQ.TRADE_NOT_EXIST"), refunded(), U),
        (no("ACQ.SYSTEM_ERROR"), refunded(), U),
        (said("20000"), refunded(), U),
        (Silence.NO_ANSWER, refunded(), U),
    ],
)
def test_what_answers_to_a_refund_mean(refund, query, say):
    found = told(refund, query)[0].refund(ASK, BACK)
    assert found.say is say
    assert found.approved_fen == (339_915 if say is A else None)


def test_the_amount_of_a_refund_is_its_own_and_not_the_sum():
    channel, client = told(said("10000", refund_fee="3399.15"), refunded(refund_amount="50.00"))
    assert channel.refund(ASK, Back(REFUND_NO, 5_000, Evidence())).approved_fen == 5_000
    assert client.asked == [
        (
            "alipay.trade.refund",
            {"out_trade_no": ASK.pay_ref, "refund_amount": "50.00", "out_request_no": REFUND_NO},
        ),
        (
            "alipay.trade.fastpay.refund.query",
            {"out_trade_no": ASK.pay_ref, "out_request_no": REFUND_NO},
        ),
    ]


def test_the_payment_is_asked_for_as_documented():
    channel, client = told()
    channel.take(ASK)
    assert client.asked == [
        (
            "alipay.trade.pay",
            {
                "out_trade_no": ASK.pay_ref,
                "scene": "bar_code",
                "auth_code": ASK.pay_code.reveal(),
                "product_code": "FACE_TO_FACE_PAYMENT",
                "subject": "以旧换新",
                "total_amount": "3399.15",
                "timeout_express": "2m",
                "store_id": "0001",
            },
        )
    ]


def test_what_is_kept_of_a_payment():
    assert told(paid())[0].take(ASK).evidence == Evidence(
        code="10000",
        merchant_no=PROFILE.app_id,
        channel_no=TRADE_NO,
        host_date="20261123",
        host_time="103456",
    )


def test_a_refusal_is_told_in_our_own_words():
    found = told(no("ACQ.BUYER_BALANCE_NOT_ENOUGH"))[0].take(ASK)
    assert found.evidence == Evidence(code="ACQ.BUYER_BALANCE_NOT_ENOUGH", text="余额不足")


@pytest.mark.parametrize("put", [PHONE, "6222021234567890123", "11010519491231002X", "a" * 100, "\u0000"])
def test_what_stands_where_it_does_not_belong_is_not_kept(put):
    for answer in (
        paid(trade_no=put, gmt_payment=put),
        state(put),
        said("20000", sub_code=put),
        said(put, sub_code=...),
        no(put),
    ):
        for call in (lambda one: one.take(ASK), lambda one: one.query(ASK)):
            assert put not in str(msgspec.to_builtins(call(told(answer)[0])))


def test_without_a_code_nothing_is_sent():
    channel, client = told(paid())
    assert channel.take(msgspec.structs.replace(ASK, pay_code=None)).say is D
    assert client.asked == []


def test_without_keys_there_is_no_payment_to_begin():
    channel = open_alipay(PROFILE, RealClock())
    assert channel.prepare(ASK) is None
    assert channel.take(ASK).evidence.code == "NO_KEYS"


def test_it_fits_the_port():
    channel: Payment = told()[0]
    assert (channel.not_found_is_no, channel.reverses_blind) == (False, True)
    assert channel.prepare(ASK) == "-"


def mutate_and_judge(count, seed):
    """Judge `count` mutated answers by each call. None raises, and none is a yes of another order."""
    made = random.Random(seed)
    rights = [paid(), state("TRADE_SUCCESS"), refunded(), no("ACQ.TRADE_NOT_EXIST"), said("10003")]
    rights += [no("ACQ.BUYER_BALANCE_NOT_ENOUGH"), no("ACQ.SELLER_BALANCE_NOT_ENOUGH")]
    calls = [
        lambda one: one.take(ASK),
        lambda one: one.query(ASK),
        lambda one: one.reverse(ASK, Evidence()),
        lambda one: one.refund(ASK, BACK),
    ]
    heard = set()
    for at in range(count):
        answers = [mutated(made, made.choice(rights).body) for _ in range(2)]
        with cpu_time() as cost:
            found = calls[at % len(calls)](told(*answers)[0])
        assert cost.s < 0.1
        assert isinstance(found, Answer)
        if found.say is A and found.approved_fen is not None:
            assert ASK.pay_ref.encode() in b"".join(one.body for one in answers)
        heard.add(found.say)
    return heard


def mutated(made, body):
    changed = bytearray(body)
    for _ in range(made.randrange(3)):
        place = made.randrange(len(changed))
        match made.randrange(3):
            case 0:
                changed[place] = made.randrange(256)
            case 1:
                del changed[place : place + made.randrange(1, 30)]
            case _:
                start = made.randrange(len(changed))
                changed[place:place] = changed[start : start + made.randrange(1, 60)] * made.randrange(1, 40)
        if not changed:
            break
    return Believed(bytes(changed))


def test_no_answer_however_mutated_raises_or_takes_long():
    assert mutate_and_judge(FUZZED, 3) == {A, D, N, P, U}
