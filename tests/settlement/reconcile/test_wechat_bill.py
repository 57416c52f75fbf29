"""Is WeChat's bill taken whole or refused with line and remedy, whatever is broken in it?"""

import re

import night_files as files
import pytest
from night import DAY, WECHAT, WECHAT_NO, NightDay, pay_ref

from settlement.reconcile.sources.text import Place
from settlement.reconcile.sources.wechat_bill import COLUMNS, read
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError

PLACE = Place(WECHAT, DAY, f"wechat-{DAY}.csv")
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A small day as the emulator writes it."""
    made = NightDay(tmp_path_factory.mktemp("day"))
    made.sold = made.sell(Tender.QR_SCAN)
    made.stop(Tender.QR_SCAN, charged=True)
    made.plain_sale()
    made.returned = made.sell_and_return(Tender.QR_SCAN)
    made.write_files()
    return made


@pytest.fixture(scope="module")
def raw(day):
    return day.wechat_file().read_bytes()


@pytest.fixture
def bill(day):
    return files.read_bill(day.wechat_file())


def refused(raw):
    with pytest.raises(FileError) as wrong:
        read(raw, PLACE)
    assert str(wrong.value).startswith(f"wechat-{DAY}.csv, line ")
    assert wrong.value.remedy
    return wrong.value


def money(raw):
    return [(one.kind, one.fen) for one in read(raw, PLACE).lines]


def test_the_emulators_bill_is_read(day, raw):
    found = read(raw, PLACE)
    assert [one.kind for one in found.lines] == ["sale", "sale", "void", "sale", "sale", "refund"]
    assert {one.merchant_no for one in found.lines} == {WECHAT_NO}
    assert {one.own_day for one in found.lines} == {DAY}
    assert found.lines[0].pay_ref == pay_ref(day.sold)
    assert found.lines[3].pay_ref == ""  # another program's order under the same merchant number
    assert found.lines[5].refund_no == f"{pay_ref(day.returned)}R"
    assert (found.sales, found.backs) == (4, 2)
    assert found.sale_fen - found.back_fen == sum(one.net_fen for one in found.lines)


def test_the_shoppers_name_at_wechat_and_the_goods_are_not_kept(raw):
    assert OPENID in raw.decode()
    for line in read(raw, PLACE).lines:
        assert OPENID not in str(line)
        assert "冰箱" not in line.raw
        assert len(line.raw.split(",`")) == 27


def test_a_name_with_a_comma_a_formula_or_a_backtick_stays_in_its_column(bill, raw):
    good = money(raw)
    for name in ("空调,以旧换新", "=1+1", "@SUM(A1)", "a`b", "“引号”", "", "冰箱 　 🧊"):
        bill[0]["商品名称"] = name
        assert money(files.bill_bytes(bill)) == good


def test_columns_are_found_by_their_names(bill, raw):
    turned = [dict(reversed(row.items())) for row in bill]
    assert money(files.bill_bytes(turned)) == money(raw)


def test_with_and_without_the_mark_and_with_either_line_end(raw):
    bare = raw.removeprefix(b"\xef\xbb\xbf")
    assert bare != raw
    assert money(bare) == money(raw) == money(bare.replace(b"\r\n", b"\n"))


def test_a_sub_merchants_number_is_the_one_that_counts(bill):
    bill[0]["特约商户号"] = "1900000109"
    assert read(files.bill_bytes(bill), PLACE).lines[0].merchant_no == "1900000109"


def test_a_coupon_of_wechats_own_leaves_the_amount_that_was_asked(bill):
    asked = files.fen(bill[0]["订单金额"])
    bill[0]["应结订单金额"], bill[0]["代金券金额"] = files.yuan(asked - 500), "5.00"
    assert read(files.bill_bytes(bill), PLACE).lines[0].fen == asked


def test_every_byte_that_is_lost_is_noticed(raw):
    good = money(raw)
    for place in range(len(raw)):
        try:
            found = money(raw[:place] + raw[place + 1 :])
        except FileError:
            continue
        assert found == good, place


def test_every_byte_that_is_another_keeps_the_money_or_is_refused(raw):
    good = money(raw)
    for place in range(len(raw)):
        for other in (raw[place] ^ 0x01, raw[place] ^ 0x80, 0x00, ord("`"), ord("9")):
            try:
                found = money(raw[:place] + bytes([other]) + raw[place + 1 :])
            except FileError:
                continue
            assert found == good, (place, other)


def test_a_bill_that_is_cut_off_anywhere_is_refused_or_the_same(raw):
    good = money(raw)
    for end in range(len(raw)):
        try:
            found = money(raw[:end])
        except FileError:
            continue
        assert found == good, end


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (lambda text: text.encode("gbk"), 1, "not UTF-8"),
        (lambda text: text.replace("交易时间,", "交易时刻,").encode(), 1, "the columns are not the bill's"),
        (lambda text: text.replace("费率备注\r\n", "\r\n").encode(), 1, "the columns are not the bill's"),
        (lambda text: text.replace(",费率备注", ",费率").encode(), 1, "the columns are not the bill's"),
        (lambda text: text.replace("`2026", "2026", 1).encode(), 2, "no backtick"),
        (lambda text: text.replace(",`CNY", ",CNY", 1).encode(), 2, "26 values, not 27"),
        (lambda text: text.replace("`CNY", "`USD", 1).encode(), 2, "not what belongs in 货币种类"),
        (lambda text: text.replace("`SUCCESS", "`NOTPAY", 1).encode(), 2, "not SUCCESS, REVOKED or REFUND"),
        (
            lambda text: text.replace("2026-03-01 12:00:00", "2026-03-01 12：00：00", 1).encode(),
            2,
            "not a time",
        ),
        (lambda text: text.replace("2026-03-01 ", "2026-02-28 ").encode(), 2, "no row is of 2026-03-01"),
        (lambda text: text.replace("\r\n", "\n", 1).encode(), 2, "a control character"),
        (lambda text: text.replace("总交易单数", "总交易笔数").encode(), 8, "the columns are not the bill's"),
        (lambda text: text.replace("`6,`", "`7,`").encode(), 9, "the totals count"),
        (lambda text: re.sub("`6,`([0-9]+)", "`6,`1\\1", text).encode(), 9, "应结订单总金额 is not the sum"),
        (lambda text: text.replace(".00,`", ".000,`", 1).encode(), 2, "not yuan with two decimals"),
        (lambda text: text.replace("`0.60%", "`0.60%,`", 1).encode(), 2, "28 values, not 27"),
        (lambda text: "".join(text.splitlines(True)[:2]).encode(), 2, "no totals"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(raw, change, line, problem):
    text = raw.decode("utf-8-sig")
    broken = change(text)
    assert broken != text.encode()
    wrong = refused(broken)
    assert (wrong.line, wrong.problem[: len(problem)]) == (line, problem)


@pytest.mark.parametrize(
    "changes",
    [
        {"订单金额": "0.00", "应结订单金额": "0.00"},
        {"申请退款金额": "1.00"},
        {"交易状态": "REFUND", "退款状态": "SUCCESS"},
    ],
)
def test_amounts_that_are_not_those_of_the_rows_state_are_refused(bill, changes):
    bill[0].update(changes)
    assert refused(files.bill_bytes(bill)).line == 2


def test_a_refund_in_a_state_that_nobody_knows_is_refused(bill):
    bill[5]["退款状态"] = "MAYBE"
    assert refused(files.bill_bytes(bill)).line == 7


def test_the_columns_are_the_emulators():
    from terminal_agent.emulators.wechat_bill import HEADER

    assert HEADER.split(",") == COLUMNS
