"""The counter of the demo is itself counted on: doctored books must show, each as exactly one."""

import pytest
from story.count import count, record_of

RECORDS = ("01a206fa-dbdb-7b51-a23d-e420f98e6f01", "01a206fa-dbdb-7b51-a23d-e420f98e6f02")
PAY_REFS = ("AGRAN6W33N5VDIR54QQPTDTPAE01", "AGRAN6W33N5VDIR54QQPTDTPAI01")
PAID = dict(zip(RECORDS, (390915, 280415), strict=True))


def sale(pay_ref, fen, trace, kind="sale", orig_trace="", tid="EMU00001"):
    return {
        "kind": kind,
        "tid": tid,
        "trace": trace,
        "fen": fen,
        "pay_ref": pay_ref,
        "orig_trace": orig_trace,
    }


def booking(record_id, event_no, fen=100):
    return [
        {
            "record_id": record_id,
            "event_no": event_no,
            "happening": happening,
            "account": account,
            "fen": sum_fen,
        }
        for happening, account, sum_fen in (
            ("hold_placed", "held", fen),
            ("record_booked", "held", -fen),
            ("record_booked", "payable", fen),
        )
    ]


@pytest.fixture
def books():
    acquirer = [sale(PAY_REFS[0], 390915, "000001"), sale(PAY_REFS[1], 280415, "000002")]
    postings = [*booking(RECORDS[0], 7), *booking(RECORDS[1], 9)]
    return acquirer, postings


def faults(counts):
    names = ("charged_twice", "records_lost", "records_doubled", "granted_unpaid", "wrong_amounts")
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


def test_a_pay_ref_names_its_record():
    assert tuple(map(record_of, PAY_REFS)) == RECORDS


def test_true_books_show_nothing(books):
    counts = count(*books, PAID)
    assert faults(counts) == {}
    assert (counts.sales_paid, counts.granted_fen, counts.charged_fen) == (2, 200, 671330)


def test_one_record_removed_shows_as_one_lost(books):
    acquirer, postings = books
    kept = [line for line in postings if line["record_id"] != RECORDS[1]]
    assert faults(count(acquirer, kept, PAID)) == {"records_lost": 1}


def test_one_line_doubled_shows_as_one_doubled(books):
    acquirer, postings = books
    assert faults(count(acquirer, [*postings, *booking(RECORDS[1], 10)], PAID)) == {"records_doubled": 1}


def test_one_charge_more_shows_as_one_charged_twice(books):
    acquirer, postings = books
    again = sale(PAY_REFS[0][:-1] + "2", 390915, "000003", tid="EMU00002")
    assert faults(count([*acquirer, again], postings, PAID)) == {"charged_twice": 1}


def test_a_charge_taken_back_is_no_charge(books):
    acquirer, postings = books
    voided = [
        sale(PAY_REFS[0][:-1] + "2", 390915, "000003"),
        sale(PAY_REFS[0][:-1] + "2", 390915, "000004", kind="void", orig_trace="000003"),
    ]
    assert faults(count([*acquirer, *voided], postings, PAID)) == {}


def test_a_void_on_another_terminal_takes_nothing_back(books):
    acquirer, postings = books
    other = sale(PAY_REFS[0], 390915, "000003", kind="void", orig_trace="000001", tid="EMU00002")
    assert count([*acquirer, other], postings, PAID).sales_paid == 2


def test_a_grant_without_a_charge_shows(books):
    acquirer, postings = books
    assert faults(count(acquirer[:1], postings, PAID)) == {"granted_unpaid": 1}


def test_a_charge_of_another_amount_shows(books):
    acquirer, postings = books
    assert faults(count(acquirer, postings, {**PAID, RECORDS[0]: 390914})) == {"wrong_amounts": 1}


def test_a_declined_try_is_no_charge(books):
    acquirer, postings = books
    declined = sale(PAY_REFS[0], 390915, "000003", kind="declined")
    assert faults(count([*acquirer, declined], postings, PAID)) == {}
