"""Is Alipay's bill taken whole or refused with line and remedy, whatever is broken or hostile in it?"""

import io
import os
import random
import re
import zipfile

import pytest
from alipay_day import ACCOUNT, ALIPAY, AlipayDay, packed, rewritten, unpacked
from cpu_time import cpu_time
from night import DAY, changed, pay_ref, to_pay

from settlement.reconcile.sources.alipay_bill import COLUMNS, DETAIL, SUMMARY, read
from settlement.reconcile.sources.text import Place
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError
from terminal_agent.emulators.alipay_bill import HEADER, trade_bill

PLACE = Place(ALIPAY, DAY, f"alipay-{DAY}.csv.zip")
FUZZED = int(os.environ.get("MUTATIONS", "1500"))
"""How many mutated bills are tried, packed and unpacked; more on demand."""


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A small day as the emulator writes it."""
    made = AlipayDay(tmp_path_factory.mktemp("day"))
    made.sold = made.sell(Tender.QR_SCAN)
    made.stop(Tender.QR_SCAN, charged=True)
    made.plain_sale()
    made.returned = made.sell_and_return(Tender.QR_SCAN)
    made.write_files()
    return made


@pytest.fixture(scope="module")
def raw(day):
    return day.alipay_file().read_bytes()


def refused(raw):
    with pytest.raises(FileError) as wrong:
        read(raw, PLACE)
    assert str(wrong.value).startswith(f"alipay-{DAY}.csv.zip, line ")
    assert wrong.value.remedy
    return wrong.value


def money(raw):
    return [one.net_fen for one in read(raw, PLACE).lines]


def test_the_emulators_bill_is_read(day, raw):
    found = read(raw, PLACE)
    assert [one.kind for one in found.lines] == ["sale", "sale", "void", "sale", "sale", "refund"]
    assert {one.merchant_no for one in found.lines} == {ACCOUNT}
    assert {one.own_day for one in found.lines} == {DAY}
    assert (found.lines[0].pay_ref, found.lines[0].fen) == (pay_ref(day.sold), to_pay(day.sold))
    assert found.lines[3].pay_ref == ""  # another program's order of the same account
    assert found.lines[5].refund_no == f"{pay_ref(day.returned)}R"
    assert (found.sales, found.backs) == (4, 2)
    assert found.sale_fen - found.back_fen == sum(one.net_fen for one in found.lines)


def test_the_files_are_gbk_in_name_and_content(raw):
    names = [info.orig_filename.encode("cp437") for info in zipfile.ZipFile(io.BytesIO(raw)).infolist()]
    assert [name.decode("gbk") for name in names] == [
        f"{ACCOUNT}_20260301_业务明细.csv",
        f"{ACCOUNT}_20260301_业务明细(汇总).csv",
    ]
    assert "支付宝交易号".encode("gbk") in next(iter(unpacked(raw).values()))


def test_the_columns_are_the_emulators_and_all_are_known():
    named = {re.sub("（元）", "", one) for one in HEADER.split(",")}
    assert named == set(COLUMNS)
    assert len(COLUMNS) == 25


def test_the_shopper_and_the_goods_are_not_kept(raw):
    text = unpacked(raw)[f"{ACCOUNT}_20260301_{DETAIL}"].decode("gbk")
    assert "138****8000" in text
    for line in read(raw, PLACE).lines:
        for personal in ("138****8000", "张", "冰箱", "测试门店"):
            assert personal not in line.raw


def test_names_marked_as_utf8_and_stored_files_and_either_line_end_are_taken(raw):
    files = unpacked(raw)
    good = money(raw)
    assert money(packed(files)) == money(packed(files, stored=True)) == good
    assert money(packed({name: text.replace(b"\r\n", b"\n") for name, text in files.items()})) == good
    assert money(packed(dict(reversed(files.items())))) == good


def test_values_without_tabs_and_columns_that_are_new_are_taken(raw):
    good = money(raw)
    assert money(rewritten(raw, DETAIL, lambda text: text.replace("双门冰箱,", "").replace("\t", ""))) == good
    for ending in (DETAIL, SUMMARY):
        assert (
            money(
                rewritten(
                    raw,
                    ending,
                    lambda text: re.sub(
                        r"(?m)^(?!#)(.*?)(\t?)\r$",
                        lambda row: f"{row[1]}{row[2]},新列{row[2]}\r",
                        text,
                    ),
                )
            )
            == good
        )


@pytest.mark.parametrize("how", ["cut", "lost"])
def test_a_byte_that_is_lost_keeps_the_money_or_is_refused(how, raw):
    good = money(raw)
    for place in range(len(raw)):
        try:
            found = money(raw[:place] if how == "cut" else raw[:place] + raw[place + 1 :])
        except FileError:
            continue
        assert found == good, place


def test_a_byte_of_the_text_that_is_another_keeps_the_money_or_is_refused(raw):
    files = unpacked(raw)
    good = money(raw)
    for name, content in files.items():
        for place in range(0, len(content), 3):
            other = content[:place] + bytes((content[place] ^ 0x01,)) + content[place + 1 :]
            try:
                found = money(packed({**files, name: other}, stored=True))
            except FileError:
                continue
            assert found == good, (name, place)


@pytest.mark.parametrize(
    ("ending", "old", "new", "problem"),
    [
        (DETAIL, f"[{ACCOUNT}]", "[2088]", "no line #账号"),
        (DETAIL, "#账号", "#帐号", "no line #账号"),
        (SUMMARY, f"[{ACCOUNT}]", "[EMU20880000000157]", "of another account"),
        (DETAIL, "2026年03月01日 00", "2026年03月02日 00", "it is not the bill of 2026-03-01"),
        (SUMMARY, "2026年03月01日 00", "2026年02月28日 00", "it is not the bill of 2026-03-01"),
        (DETAIL, "订单金额（元）", "订单总额（元）", "the columns are not the bill's: 订单金额"),
        (DETAIL, "备注", "订单金额", "the columns are not the bill's"),
        (SUMMARY, "合计\t", "总计\t", "no row 合计"),
        (SUMMARY, "0001\t,测试门店\t,4", "0001\t,测试门店\t,5", "not the sum of its stores"),
        (DETAIL, "\t,交易\t", "\t,预付\t", "not 交易 or 退款"),
        (DETAIL, "\t,交易\t", "\t,退款\t", "its amount is not that of a payment"),
        (DETAIL, "2026-03-01 12:00:00\t,0001", "2026-03-01T12:00:00\t,0001", "not a time"),
        (DETAIL, "交易合计：4笔", "交易合计：5笔", "counts other rows"),
        (DETAIL, "退款合计：2笔", "退款合计：1笔", "counts other rows"),
        (DETAIL, "#退款合计", "#退款小计", "no totals after the rows"),
        (DETAIL, "#交易合计", "#退款合计：2笔，商家实收退款共0.00元\r\n#交易合计", ""),
        (DETAIL, "\t,0.00\t,0.00\t,0.00\t,0.00\t", "\t,0.0\t,0.00\t,0.00\t,0.00\t", "not yuan with two"),
        (DETAIL, "\t,0.00\t,0.00\t,0.00\t,0.00\t", "\t,0.00\t,0.00\t,0.00\t", "values, not 25"),
        (DETAIL, "\r\n", "\n", "control character"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(ending, old, new, problem, raw):
    wrong = refused(rewritten(raw, ending, lambda text: text.replace(old, new, 1)))
    assert problem in wrong.problem


def test_every_total_that_is_stated_is_checked(raw):
    """Change each digit of the totals, in both files."""
    files = unpacked(raw)
    tried = 0
    for name, content in files.items():
        text = content.decode("gbk")
        for found in re.finditer(r"(?m)^(#..合计：.*|合计\t.*)$", text):
            for place in range(found.start(), found.end()):
                if not text[place].isdecimal():
                    continue
                other = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
                column = text[found.start() : place].count(",")
                if found[0].startswith("#") and "商家优惠" in text[found.start() : place]:
                    continue  # what the shop bears is summed in the other file
                if not found[0].startswith("#") and column == 11:
                    continue  # 实收净额: what it is made of is checked
                refused(packed({**files, name: other.encode("gbk")}))
                tried += 1
    assert tried > 40


def test_money_that_both_files_agree_on_and_the_rows_do_not_is_refused(raw):
    def less(text):
        return text.replace("0001\t,测试门店\t,4\t,2", "0001\t,测试门店\t,3\t,2").replace(
            "合计\t,\t,4\t,2", "合计\t,\t,3\t,2"
        )

    assert f"{SUMMARY} counts other rows" in refused(rewritten(raw, SUMMARY, less)).problem


def zip_of(*members):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return whole.getvalue()


def test_a_zip_that_would_burst_is_refused_before_it_is_unpacked(raw):
    names = list(unpacked(raw))
    bomb = zip_of((names[0], b"0" * (40 << 20)), (names[1], b""))
    assert len(bomb) < 100_000
    with cpu_time() as cost:
        assert "unpacks to 41943040 bytes" in refused(bomb).problem
    assert cost.s < 0.1


def test_a_zip_that_lies_about_its_size_is_refused_without_being_unpacked_whole(raw):
    names = list(unpacked(raw))
    bomb = bytearray(zip_of((names[0], b"0" * (40 << 20)), (names[1], b"")))
    size = (40 << 20).to_bytes(4, "little")
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = (1000).to_bytes(4, "little")
    with cpu_time() as cost:
        refused(bytes(bomb))
    assert cost.s < 0.1


@pytest.mark.parametrize("name", ["../{}", "/{}", "..\\{}", "C:{}", "a/{}", ".{}", "{}\n", "\\\\host\\{}"])
def test_a_name_that_could_be_a_path_is_refused(name, raw):
    (detail, content), (summary, sums) = unpacked(raw).items()
    odd = name.format(f"_{detail}")
    wrong = refused(zip_of((odd, content), (summary, sums)))
    assert "could be a path" in wrong.problem or "no file in it" in wrong.problem


def test_a_name_with_a_nul_in_it_is_refused(raw):
    (detail, content), (summary, sums) = unpacked(raw).items()
    odd = zip_of((f"Z_{detail}", content), (summary, sums)).replace(b"Z_EMU", b"\x00_EMU")
    assert "could be a path" in refused(odd).problem


def test_other_files_beside_the_two_or_one_twice_are_refused(raw):
    (detail, content), (summary, sums) = unpacked(raw).items()
    assert "3 files in it" in refused(zip_of((detail, content), (summary, sums), ("x", b""))).problem
    assert "1 files in it" in refused(zip_of((detail, content))).problem
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zip_of((detail, content), (detail, content))
    assert "two files of one name" in refused(twice).problem
    assert "no file in it whose name ends in" in refused(zip_of(("a.csv", content), (summary, sums))).problem
    assert "a folder in it" in refused(zip_of(("a/", b""), (summary, sums))).problem


def test_another_encoding_or_packing_is_refused(raw):
    (detail, content), (summary, sums) = unpacked(raw).items()
    utf8 = content.decode("gbk").encode("utf-8")
    assert refused(packed({detail: utf8, summary: sums}))
    assert refused(packed({detail: content.decode("gbk").encode("utf-16"), summary: sums}))
    assert "not GBK" in refused(packed({detail: content + b"\xff\xff", summary: sums})).problem
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_LZMA) as made:
        made.writestr(detail, content)
        made.writestr(summary, sums)
    assert "packed in a way" in refused(whole.getvalue()).problem


def test_a_locked_file_is_refused(raw):
    locked = bytearray(raw)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := locked.find(signature, at + 1)) >= 0:
            locked[at + flags] |= 1
    assert "locked by a password" in refused(bytes(locked)).problem


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"a,b\r\n" * 100, b"\0" * 1000])
def test_what_is_no_bill_is_refused(content):
    refused(content)


def mutate_and_read(raw, count, seed):
    """Read `count` mutated bills: each is refused with our own error, or says the same. None takes long."""
    made = random.Random(seed)
    good, files = money(raw), unpacked(raw)
    same = 0
    for at in range(count):
        content = bytearray(raw if at % 2 else files[name := made.choice(list(files))])
        for _ in range(made.randrange(1, 4)):
            place = made.randrange(len(content))
            match made.randrange(3):
                case 0:
                    content[place] = made.randrange(256)
                case 1:
                    del content[place : place + made.randrange(1, 30)]
                case _:
                    start = made.randrange(len(content))
                    content[place:place] = content[start : start + made.randrange(1, 200)]
        mutated = bytes(content) if at % 2 else packed({**files, name: bytes(content)})
        with cpu_time() as cost:
            try:
                assert money(mutated) == good
                same += 1
            except FileError:
                pass
        assert cost.s < 0.1
    return same


def test_a_mutated_bill_is_refused_or_says_the_same(raw):
    assert mutate_and_read(raw, FUZZED, 5) < FUZZED / 3


def test_a_merchants_and_alipays_own_offers_leave_the_amount_that_was_asked(day):
    first = next(one for one in day.alipay if one.out_trade_no == pay_ref(day.sold))
    stacked = [
        changed(one, platform_fen=500, merchant_fen=200) if one is first else one for one in day.alipay
    ]
    raw = trade_bill(stacked, DAY, ACCOUNT)
    assert money(raw) == money(day.alipay_file().read_bytes())
    lines = read(raw, PLACE).lines
    assert [one.offer_fen for one in lines] == [700, 0, 0, 0, 0, 0]
    assert [one.shop_offer_fen for one in lines if one.shop_offer_fen is not None][:2] == [200, 0]


def test_an_offer_in_any_column_is_kept_as_one_and_the_shoppers_own_points_are_none(raw):
    def paid_otherwise(text):
        head, row = text.split("\r\n")[4:6]
        values = row.split("\t,")
        for name in ("支付宝红包（元）", "集分宝（元）", "商家红包消费金额（元）"):
            values[head.split(",").index(name)] = "1.00"
        for name in ("券核销金额（元）",):  # says again what stands in the columns above
            values[head.split(",").index(name)] = "3.00"
        return text.replace(row, "\t,".join(values))

    assert read(rewritten(raw, DETAIL, paid_otherwise), PLACE).lines[0].offer_fen == 200
    below = rewritten(raw, DETAIL, lambda text: paid_otherwise(text).replace("\t,1.00\t", "\t,-1.00\t", 1))
    assert "below nothing" in refused(below).problem
