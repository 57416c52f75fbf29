"""The counter of the demo is itself counted on: doctored books must show, each as exactly one."""

import pytest
from story.count import Movement, count, of_acquirer, of_alipay, of_wechat, record_of

RECORDS = ("01a206fa-dbdb-7b51-a23d-e420f98e6f01", "01a206fa-dbdb-7b51-a23d-e420f98e6f02")
PAY_REFS = ("AGRAN6W33N5VDIR54QQPTDTPAE01", "AGRAN6W33N5VDIR54QQPTDTPAI01")
FENS = (390915, 280415)
PAID = dict(zip(RECORDS, FENS, strict=True))
AGAIN = PAY_REFS[0][:-1] + "2"


def line(record_id, event_no, happening, account, fen):
    return {
        "record_id": record_id,
        "event_no": event_no,
        "happening": happening,
        "account": account,
        "fen": fen,
    }


def booking(record_id, event_no, fen=100):
    return [
        line(record_id, event_no - 1, "hold_placed", "held", fen),
        line(record_id, event_no, "record_booked", "held", -fen),
        line(record_id, event_no, "record_booked", "payable", fen),
    ]


def taken_back(record_id, event_no, fen=100):
    return [
        line(record_id, event_no, "returned_unclaimed", "payable", -fen),
        line(record_id, event_no, "returned_unclaimed", "available", fen),
    ]


@pytest.fixture
def books():
    movements = [Movement(pay_ref, fen) for pay_ref, fen in zip(PAY_REFS, FENS, strict=True)]
    return movements, [*booking(RECORDS[0], 7), *booking(RECORDS[1], 9)]


def faults(counts):
    names = (
        *("charged_twice", "given_back_twice", "records_lost", "records_doubled"),
        *("granted_unpaid", "wrong_amounts"),
    )
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


def test_a_pay_ref_names_its_record():
    assert tuple(map(record_of, PAY_REFS)) == RECORDS


def test_true_books_show_nothing(books):
    counts = count(*books, PAID)
    assert faults(counts) == {}
    assert (counts.sales_paid, counts.granted_fen, counts.charged_fen) == (2, 200, 671330)


def test_one_record_removed_shows_as_one_lost(books):
    movements, postings = books
    kept = [one for one in postings if one["record_id"] != RECORDS[1]]
    assert faults(count(movements, kept, PAID)) == {"records_lost": 1}


def test_one_booking_more_shows_as_one_doubled(books):
    movements, postings = books
    assert faults(count(movements, [*postings, *booking(RECORDS[1], 11)], PAID)) == {"records_doubled": 1}


@pytest.mark.parametrize("pay_ref", [AGAIN, PAY_REFS[0]], ids=["another attempt", "the same one"])
def test_one_charge_more_shows_as_one_charged_twice(pay_ref, books):
    movements, postings = books
    assert faults(count([*movements, Movement(pay_ref, FENS[0])], postings, PAID)) == {"charged_twice": 1}


def test_a_charge_given_back_is_no_charge(books):
    movements, postings = books
    undone = [Movement(AGAIN, -FENS[0]), Movement(AGAIN, FENS[0])]
    assert faults(count([*movements, *undone], postings, PAID)) == {}


def test_more_given_back_than_was_taken_shows(books):
    movements, postings = books
    undone = [Movement(AGAIN, FENS[0]), Movement(AGAIN, -FENS[0]), Movement(AGAIN, -FENS[0])]
    assert faults(count([*movements, *undone], postings, PAID)) == {"given_back_twice": 1}


def test_a_return_is_a_paid_sale_whose_charge_and_grant_are_both_back(books):
    movements, postings = books
    movements = [*movements, Movement(PAY_REFS[1], -FENS[1])]
    counts = count(movements, [*postings, *taken_back(RECORDS[1], 12)], PAID)
    assert faults(counts) == {}
    assert (counts.sales_paid, counts.returns, counts.granted_fen, counts.returned_fen) == (2, 1, 200, 100)


def test_a_return_whose_money_is_not_with_the_shopper_shows_as_lost(books):
    movements, postings = books
    assert faults(count(movements, [*postings, *taken_back(RECORDS[1], 12)], PAID)) == {"records_lost": 1}


def test_a_refund_whose_grant_was_not_taken_back_shows(books):
    movements, postings = books
    assert faults(count([*movements, Movement(PAY_REFS[1], -FENS[1])], postings, PAID)) == {
        "granted_unpaid": 1
    }


def test_a_grant_without_a_charge_shows(books):
    movements, postings = books
    assert faults(count(movements[:1], postings, PAID)) == {"granted_unpaid": 1}


def test_a_charge_of_another_amount_shows(books):
    movements, postings = books
    assert faults(count(movements, postings, {**PAID, RECORDS[0]: 390914})) == {"wrong_amounts": 1}


def test_of_a_terminals_books_sales_voids_and_refunds_move_money():
    lines = [
        {"kind": kind, "pay_ref": PAY_REFS[0], "fen": 5}
        for kind in ("sale", "declined", "void", "refund", "settled")
    ]
    assert of_acquirer(lines) == [Movement(PAY_REFS[0], fen) for fen in (5, -5, -5)]


def test_of_wechats_books_charges_reversals_and_refunds_move_money():
    kinds = (("paying", 0), ("charge", 5), ("declined", 0), ("reversal", 0), ("reversal", 5), ("refund", 3))
    lines = [{"kind": kind, "out_trade_no": PAY_REFS[0], "fen": fen} for kind, fen in kinds]
    assert of_wechat(lines) == [Movement(PAY_REFS[0], fen) for fen in (5, -5, -3)]


def test_of_alipays_books_payments_cancels_and_refunds_move_money():
    still = (("shown", 5), ("waiting", 0), ("declined", 0), ("cancel", 0))
    kinds = (*still, ("pay", 5), ("cancel", 5), ("refund", 3))
    lines = [{"kind": kind, "out_trade_no": PAY_REFS[0], "fen": fen} for kind, fen in kinds]
    assert of_alipay(lines) == [Movement(PAY_REFS[0], fen) for fen in (5, -5, -3)]
