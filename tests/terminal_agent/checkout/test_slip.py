"""What is printed for a paid sale."""

import unicodedata

from msgspec.structs import replace
from quiet_till import FRIDGE

from subsidy.records.payment import Evidence
from terminal_agent.checkout import slip

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
    assert slip.receipt(sale) == SLIP.format(gtin=FRIDGE, record_id=sale.record_id)


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
