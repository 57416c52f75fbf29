"""What is printed for a paid sale."""

import unicodedata

import pytest
from msgspec.structs import replace
from quiet_till import FRIDGE
from return_desk import ReturnDesk
from unit_shop import BY_PHONE, TO_PAY_FEN

from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout import slip
from terminal_agent.checkout.goods_return import Wish
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.why_granted import why_granted

SLIP = """\
以旧换新补贴销售小票
--------------------------------
商品条码           {gtin}
序列号                ******0001
销售价格                 4599.00
商家优惠                    0.00
最终售价                 4599.00
政府补贴                 -919.80
实付金额                 3679.20
--------------------------------
补贴出资 central          781.83
补贴出资 city             137.97
补贴项目                  P 2026
补贴品类                  FRIDGE
补贴比例                     20%
依据                  notice two
依据                notice three
规则包              {pack}
--------------------------------
支付方式                  银行卡
卡号         629999*********9384
凭证号                    000042
参考号                         -
终端号                  EMU00001
收银员                 cashier-1
时间         2026-03-01 12:00:00
补贴单号
{record_id}
退货仅退实付金额, 补贴退回资金池
"""


def width(line):
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def test_the_slip_shows_the_amounts_the_funders_and_the_proof(unit_shop):
    sale = unit_shop.sell()
    pack = unit_shop.centre.kept
    shown = SLIP.format(gtin=FRIDGE, record_id=sale.record_id, pack=pack.hash[:12])
    assert slip.receipt(sale, why_granted(pack, sale.held)) == shown


def test_without_the_pack_the_slip_names_it_and_leaves_the_clauses_out(unit_shop):
    sale = unit_shop.sell()
    assert why_granted(None, sale.held) == ()
    another = replace(unit_shop.centre.kept, hash="0" * 64)
    assert why_granted(another, sale.held) == ()
    text = slip.receipt(sale)
    assert unit_shop.centre.kept.hash[:12] in text
    assert "依据" not in text


def test_rules_that_would_grant_another_amount_are_not_shown(unit_shop):
    sale = unit_shop.sell()
    promise = sale.held.promise
    other = replace(promise, amounts=replace(promise.amounts, subsidy_fen=1))
    assert why_granted(unit_shop.centre.kept, replace(sale.held, promise=other)) == ()


def test_the_slip_is_the_same_whenever_it_is_printed(unit_shop):
    sale = unit_shop.sell()
    first = slip.receipt(sale)
    unit_shop.restart()
    unit_shop.clock.sleep(100_000)
    assert slip.receipt(unit_shop.now(sale)) == first


def test_every_line_but_the_record_id_fits_the_paper(unit_shop):
    sale = unit_shop.sell()
    lines = slip.receipt(sale).splitlines()
    assert {line for line in lines if width(line) > 32} == {sale.record_id}


def test_an_old_item_stands_on_the_slip_only_when_there_is_one(unit_shop):
    sale = unit_shop.sell()
    assert "旧机抵扣" not in slip.receipt(sale)
    promise = sale.held.promise
    amounts = replace(promise.amounts, trade_in_fen=10_000)
    with_old_item = replace(sale, held=replace(sale.held, promise=replace(promise, amounts=amounts)))
    assert "旧机抵扣                 -100.00\n" in slip.receipt(with_old_item)


def test_what_the_terminal_did_not_say_is_a_dash(unit_shop):
    sale = unit_shop.sell()
    silent = replace(sale, attempts=(replace(sale.attempts[0], evidence=Evidence()),))
    lines = slip.receipt(silent).splitlines()
    assert [line.split() for line in lines if line.startswith(("卡号", "凭证号", "参考号"))] == [
        ["卡号", "-"],
        ["凭证号", "-"],
        ["参考号", "-"],
    ]


def test_a_serial_number_is_shown_by_its_last_four(unit_shop):
    assert "ABCDEFGH" not in slip.receipt(unit_shop.sell(serial_no="ABCDEFGH1234"))


# Paid by phone, printed again, returned.


@pytest.fixture
def desk(tmp_path):
    desk = ReturnDesk(tmp_path)
    yield desk
    desk.connection.close()


def by_phone(desk):
    order = Evidence(code="SUCCESS", channel_no="4200002345202603011234567890")
    desk.channel.takes[0] = Answer(Say.APPROVED, TO_PAY_FEN, order)
    return desk.sell(way=BY_PHONE)


def test_a_payment_by_phone_is_named_by_the_channels_order(desk):
    lines = slip.receipt(by_phone(desk)).splitlines()
    assert lines[lines.index("微信订单号") + 1] == "4200002345202603011234567890"
    assert "支付方式                微信支付" in lines
    assert not [line for line in lines if line.startswith("卡号")]
    assert "终端号                  EMU00001" in lines


def test_a_slip_that_is_printed_again_says_so(desk):
    sale = desk.sell()
    first, again = slip.receipt(sale).splitlines(), slip.receipt(sale, again=True).splitlines()
    assert again == [first[0], "*** 重打印 ***", *first[1:]]
    after, _ = desk.give_back(sale)
    first, again = (
        slip.return_receipt(after).splitlines(),
        slip.return_receipt(after, again=True).splitlines(),
    )
    assert again == [first[0], "*** 重打印 ***", *first[1:]]


RETURN_SLIP = """\
以旧换新补贴退货小票
--------------------------------
商品条码           {gtin}
序列号                ******0001
退款金额                 3679.20
退回方式          银行卡原路退回
卡号         629999*********9384
退款凭证号                000077
退款参考号          123456789012
退款单号
{refund_no}
--------------------------------
补贴不退消费者, 退回出资方
补贴合计                  919.80
退回 central              781.83
退回 city                 137.97
商户已收到的补贴由商户退还
--------------------------------
收银员                 cashier-1
主管                supervisor-1
原因                  不喜欢颜色
终端号                  EMU00001
时间         2026-03-01 12:00:00
补贴单号
{record_id}
"""


def test_the_slip_of_a_return_says_what_went_back_where(desk):
    after, _ = desk.give_back(desk.sell())
    shown = RETURN_SLIP.format(
        gtin=FRIDGE, refund_no=after.attempts[0].pay_ref + "R", record_id=after.record_id
    )
    assert slip.return_receipt(after) == shown


def test_the_slip_of_a_return_by_phone_names_the_order(desk):
    after, _ = desk.give_back(by_phone(desk))
    lines = slip.return_receipt(after).splitlines()
    assert lines[lines.index("微信订单号") + 1] == "4200002345202603011234567890"
    assert "退回方式        微信支付原路退回" in lines


@pytest.mark.parametrize("reason", ["长" * 64, "w" * 64, "a b" * 21])
def test_the_longest_reason_is_printed_whole_within_the_paper(reason, desk):
    after, _ = desk.give_back(desk.sell(), Wish("c" * 32, "主" * 32, reason))
    text = slip.return_receipt(after)
    assert reason in text.replace("\n", "")
    assert {line for line in text.splitlines() if width(line) > 32} == {after.record_id}


def test_what_others_bore_stands_between_what_was_due_and_what_was_paid(unit_shop):
    said = Evidence(code="SUCCESS", offer_fen=1500, shop_offer_fen=500)
    unit_shop.channel.takes[0] = Answer(Say.APPROVED, TO_PAY_FEN, said)
    lines = slip.receipt(unit_shop.sell(way=BY_PHONE)).splitlines()
    shown = [line.split() for line in lines if line.split()[0] in ("应付金额", "支付渠道优惠", "实付金额")]
    assert shown == [["应付金额", "3679.20"], ["支付渠道优惠", "-20.00"], ["实付金额", "3659.20"]]


def test_cash_is_printed_without_numbers_that_it_does_not_have(unit_shop):
    lines = slip.receipt(unit_shop.sell()).splitlines()
    assert "凭证号" in "".join(lines)
    sold = unit_shop.sell()
    in_cash = replace(sold, attempts=(replace(sold.attempts[0], tender=Tender.CASH),))
    text = slip.receipt(in_cash)
    assert "支付方式                    现金" in text
    assert "凭证号" not in text
