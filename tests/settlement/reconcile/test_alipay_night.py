"""Does the night match what phones paid with Alipay, and find what was planted into its bill?"""

import pytest
from alipay_day import ALIPAY, AlipayDay, rewritten
from fake_device import promised
from night import DAY, NEXT_DAY, changed, pay_ref, to_pay, triples

from settlement.reconcile.kinds import Kind
from settlement.reconcile.sources.alipay_bill import DETAIL
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError

PHONE = Tender.QR_SCAN


@pytest.fixture
def day(tmp_path):
    return AlipayDay(tmp_path)


def test_a_whole_day_with_alipay_matches(day):
    day.sell(PHONE)
    day.sell(Tender.CARD)
    day.sell_again(PHONE, Tender.CARD)
    day.sell_again(PHONE, PHONE)
    day.stop(PHONE, charged=True)
    day.stop(PHONE, charged=False)
    day.give_back(PHONE)
    day.sell_and_return(PHONE)
    day.plain_sale()
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)
    night = day.run()
    assert triples(night.report) == []
    assert night.exit_code == 0
    assert night.report.complete


def test_a_day_on_which_alipay_says_that_nothing_moved_is_complete(day):
    day.sell(Tender.CARD)
    day.write_files()
    assert (day.incoming / f"alipay-{DAY}.csv.zip.none").exists()
    day.pass_to(NEXT_DAY)
    assert day.run().report.complete


def test_a_missing_refunded_or_wrong_payment_is_found_to_the_fen(day):
    missing, refunded, more = day.sell(PHONE), day.sell(PHONE), day.sell(PHONE)
    day.alipay = [
        changed(one, fen=one.fen + 100) if one.out_trade_no == pay_ref(more) else one
        for one in day.alipay
        if one.out_trade_no != pay_ref(missing)
    ]
    day.refund(refunded)
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)
    assert triples(day.run().report) == sorted(
        [
            (Kind.MISSING_IN_FILE, pay_ref(missing), to_pay(missing)),
            (Kind.REFUND_WITHOUT_RETURN, pay_ref(refunded), to_pay(refunded)),
            (Kind.AMOUNT, pay_ref(more), 100),
        ]
    )
    for sealed in (missing, refunded, more):
        assert day.record(sealed).state == "BLOCKED"


def test_what_the_wallet_or_the_shop_bears_there_is_a_difference_and_never_the_pools_money(day):
    sold = day.sell(PHONE)
    day.alipay = [changed(one, platform_fen=500, merchant_fen=200) for one in day.alipay]
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.CHANNEL_DISCOUNT, pay_ref(sold), 700)]
    record = day.record(sold)
    assert (record.state, record.subsidy_fen) == ("BLOCKED", promised(sold).amounts.subsidy_fen)


def test_a_bill_of_somebody_elses_account_is_told_row_by_row(day):
    sold = day.sell(PHONE)
    day.write_files()
    file = day.alipay_file()
    raw = rewritten(file.read_bytes(), DETAIL, lambda text: text.replace("0156]", "0157]"))
    file.write_bytes(rewritten(raw, "(汇总).csv", lambda text: text.replace("0156]", "0157]")))
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.FOREIGN_MERCHANT, pay_ref(sold), to_pay(sold))]


def test_a_broken_bill_changes_nothing_and_names_its_line(day):
    day.sell(PHONE)
    day.write_files()
    file = day.alipay_file()
    file.write_bytes(
        rewritten(file.read_bytes(), DETAIL, lambda text: text.replace("交易合计：1", "交易合计：2"))
    )
    day.pass_to(NEXT_DAY)
    with pytest.raises(FileError, match="counts other rows") as wrong:
        day.run()
    assert str(file) in str(wrong.value)
    assert ALIPAY in str(wrong.value)
