"""Which part of a payment that others bore do two people explain, and what comes of their word?"""

import pytest
from alipay_day import AlipayDay
from books import ENGINES, Books
from borne import DISCOUNT, PHONE, THIRD_DAY, claimable, explained, found, in_bill, owed, report, told
from centre_shell import Shell
from fake_device import promised
from msgspec.structs import replace
from night import NEXT_DAY, pay_ref

from settlement.claims.settle_record import RejectRecord
from settlement.offers.bearers import BorneBy
from settlement.writer.rows import Difference, Offer, OfferExplanation
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed

OWED = (BorneBy.BANK, BorneBy.WECHAT, BorneBy.ALIPAY, BorneBy.UNIONPAY, BorneBy.OTHER)
OWED_BY_NOBODY = (BorneBy.SHOP, BorneBy.SHOPPER)


@pytest.mark.parametrize("bearer", [*OWED, *OWED_BY_NOBODY])
def test_what_two_people_explain_is_settled_and_no_later_night_finds_it(day, bearer):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sold), 500)]
    assert claimable(day) == 0
    day.books.done(explained(sold, bearer))
    assert day.books.differences(pay_ref(sold)) == []
    assert day.record(sold).blocks == ()
    assert claimable(day) == 0  # before a night has matched it
    assert found(day) == []
    day.pass_to(THIRD_DAY)
    assert found(day, NEXT_DAY) == []
    assert found(day) == []
    assert owed(day) == ({f"offer:{bearer}": 500} if bearer in OWED else {})
    said = day.books.row(OfferExplanation, pay_ref(sold))
    assert (said.borne_by, said.fen, said.decided_by) == (bearer, 500, "wang, li")
    assert claimable(day) == 1


def test_what_a_shop_says_after_two_people_have_changes_nothing(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.SHOP))
    said = replace(day.attempt(sold), evidence=Evidence(offer_fen=500), terminal_no="ALIPAY@EMU00001")
    day.report(day.device.supplement(promised(sold).record_id, said))
    assert owed(day) == {}
    assert found(day) == []


def test_the_subsidy_itself_is_not_claimed_a_second_time(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.SUBSIDY))
    assert day.books.differences(pay_ref(sold)) == [DISCOUNT]
    assert found(day) == [(DISCOUNT, pay_ref(sold), 500)]
    item = day.books.row(Difference, pay_ref(sold), DISCOUNT)
    assert "it was the subsidy itself: Alipay's answer 12" in item.detail
    day.pass_to(THIRD_DAY)
    found(day, NEXT_DAY)
    assert (day.record(sold).state, claimable(day), owed(day)) == ("BLOCKED", 0, {})


def test_the_subsidy_itself_is_no_difference_any_more_once_its_record_is_rejected(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.SUBSIDY))
    day.books.done(RejectRecord(promised(sold).record_id, False, "the channel has given it", by="wang, li"))
    assert day.record(sold).state == "AVAILABLE_AGAIN"
    assert found(day) == []
    assert day.books.differences(pay_ref(sold)) == []


def test_while_the_difference_is_open_it_may_be_said_anew_and_then_no_more(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.SUBSIDY))
    day.books.done(explained(sold, BorneBy.ALIPAY))
    assert found(day) == []
    assert day.books.denied(explained(sold, BorneBy.SHOP)) == "NO_OFFER_TO_EXPLAIN"
    assert day.books.happened.count("offer_explained") == 2


def test_a_bill_that_is_replaced_by_one_with_another_amount_is_a_difference_again(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.SHOP))
    assert found(day) == []
    in_bill(day, sold, 700)
    day.write_files()
    day.run(replace_of=["alipay"])
    assert found(day) == [(DISCOUNT, pay_ref(sold), 700)]
    day.books.done(explained(sold, BorneBy.ALIPAY, 700))
    assert found(day) == []
    assert owed(day) == {"offer:alipay": 700}


@pytest.mark.parametrize(
    ("bearer", "then"),
    [(BorneBy.ALIPAY, {"offer:alipay": 500}), (BorneBy.BANK, {"offer:bank": 500}), (BorneBy.SHOP, {})],
)
def test_what_was_booked_on_the_shops_word_is_put_right_and_goes_back_with_the_goods(day, bearer, then):
    sold = told(day, 900)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    assert owed(day) == {"offer:alipay": 900}
    day.books.done(explained(sold, bearer))
    assert owed(day) == then
    day.refund(sold)
    day.report(day.returning(sold), day.returned(sold))
    assert owed(day) == {}
    assert day.books.row(Offer, promised(sold).record_id).went_back
    shell = Shell(day.folder, day.folder / "settlement.yaml")
    shell.run("ledger", "rebuild", "--check")  # books made anew from their events say the same


def test_goods_that_came_back_from_a_claim_leave_nothing_owed(day):
    sold = told(day, 500)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    assert found(day) == []
    assert claimable(day) == 1
    in_bill(day, sold, 700)
    day.write_files()
    day.run(replace_of=["alipay"])
    day.refund(sold)
    day.report(day.returning(sold), day.returned(sold))
    day.books.done(explained(sold, BorneBy.ALIPAY, 700))
    assert (day.record(sold).state, owed(day)) == ("IN_CLAIM", {})


# Of a sale whose shop is silent.


def silent(day: AlipayDay) -> Sealed:
    """Leave a hold that was paid, with a part that others bore, to the files; they prove it but for that."""
    sealed = day.hold(PHONE)
    day.charge(sealed)
    in_bill(day, sealed, 500)
    day.write_files()
    day.pass_to(THIRD_DAY)
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sealed), 500)]
    assert day.record(sealed).state == "HELD"
    return sealed


def test_a_silent_shops_sale_is_found_paid_once_it_is_explained(day):
    sealed = silent(day)
    day.books.done(explained(sealed, BorneBy.ALIPAY))
    assert owed(day) == {}  # no line yet
    assert found(day) == []
    assert (day.record(sealed).state, day.record(sealed).recovered) == ("PAYABLE", True)
    assert owed(day) == {"offer:alipay": 500}
    report(day, sealed, 500)
    assert found(day) == []
    assert (day.record(sealed).state, owed(day)) == ("PAYABLE", {"offer:alipay": 500})


def test_nobody_owes_a_part_of_a_payment_that_a_silent_shop_gave_back_afterwards(day):
    sealed = silent(day)
    day.books.done(explained(sealed, BorneBy.ALIPAY))
    assert found(day) == []
    assert owed(day) == {"offer:alipay": 500}
    day.report_closed(sealed, day.attempt(sealed, 1, "GIVEN_BACK"))
    assert (day.record(sealed).state, owed(day)) == ("RETURNED", {})
    assert day.books.row(Offer, promised(sealed).record_id).went_back
    shell = Shell(day.folder, day.folder / "settlement.yaml")
    shell.run("ledger", "rebuild", "--check")


def test_a_silent_shops_sale_stays_held_where_it_was_the_subsidy_itself(day):
    sealed = silent(day)
    day.books.done(explained(sealed, BorneBy.SUBSIDY))
    assert found(day) == [(DISCOUNT, pay_ref(sealed), 500)]
    assert day.record(sealed).state == "HELD"
    report(day, sealed, 500)
    assert found(day) == [(DISCOUNT, pay_ref(sealed), 500)]
    assert day.record(sealed).state == "BLOCKED"


@pytest.mark.parametrize(("bearer", "then"), [(BorneBy.BANK, {"offer:bank": 500}), (BorneBy.SHOP, {})])
def test_what_people_said_before_the_record_came_goes_before_its_word(day, bearer, then):
    sealed = silent(day)
    day.books.done(explained(sealed, bearer))
    report(day, sealed, 500)
    assert owed(day) == then
    assert found(day) == []


# What is refused.


def test_what_explains_nothing_changes_nothing(day):
    sold, other = told(day), told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    assert day.books.denied(explained(sold, BorneBy.SHOP)) == "NO_OFFER_TO_EXPLAIN"  # before the night
    found(day)
    assert day.books.denied(explained(other, BorneBy.SHOP)) == "NO_OFFER_TO_EXPLAIN"
    for fen in (499, 501, 0, -500):
        assert day.books.denied(explained(sold, BorneBy.SHOP, fen)) == "OFFER_AMOUNT_DIFFERS"
    for name in ("", "x", "A" * 28, pay_ref(sold).lower()):
        command = replace(explained(sold, BorneBy.SHOP), pay_ref=name)
        assert day.books.denied(command) == "NO_OFFER_TO_EXPLAIN"


@pytest.mark.parametrize("on", ENGINES)
def test_the_database_itself_keeps_what_was_said_with_its_payment(tmp_path, on):
    day = AlipayDay(tmp_path, Books(tmp_path, on=on))
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    day.books.done(explained(sold, BorneBy.ALIPAY))
    with pytest.raises(Exception, match="never deleted"):
        day.books.sql("DELETE FROM offer_explanation")
    for change in ("pay_ref = 'other'", "record_id = 'other'"):
        with pytest.raises(Exception, match="stays with it"):
            day.books.sql(f"UPDATE offer_explanation SET {change}")
    day.books.close()


# By the command.


def test_two_people_explain_it_by_the_command(day):
    sold = told(day)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    found(day)
    shell = Shell(day.folder, day.folder / "settlement.yaml")
    arguments = (
        *("offers", "explain", pay_ref(sold), "--borne-by", "alipay"),
        *("--amount", "5.00", "--reference", "answer 12"),
    )
    says = f"say that 5.00 of payment {pay_ref(sold)} was borne by Alipay"
    assert says in shell.run(*arguments, "--dry-run", token=shell.proposer)
    shell.agree(*arguments)
    assert day.books.row(OfferExplanation, pay_ref(sold)).decided_by == "wang, li"
    assert found(day) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nobody", "--borne-by", "bank", "--amount", "5.00"), 2),
        (("A" * 26 + "01", "--borne-by", "me", "--amount", "5.00"), 2),
        (("A" * 26 + "01", "--borne-by", "bank", "--amount", "5"), 2),
        (("A" * 26 + "01", "--borne-by", "bank", "--amount", "5.00"), 6),
    ],
)
def test_a_command_that_names_nothing_here_is_refused(day, words, code):
    shell = Shell(day.folder, day.folder / "settlement.yaml")
    shell.run("offers", "explain", *words, "--reference", "x", exit_code=code, token=shell.proposer)
    assert day.books.sql_rows("SELECT * FROM proposal") == []
