"""Is an acquirer's file taken whole or refused with line and remedy, whatever is broken in it?"""

import night_files as files
import pytest
from night import ACQUIRER, DAY, NightDay
from scanner import looks_personal

from settlement.reconcile.sources import text
from settlement.reconcile.sources.acquirer_csv import read
from settlement.reconcile.sources.text import Place
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError

PLACE = Place(ACQUIRER, DAY, f"acquirer-{DAY}.csv")


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A small day as the emulator writes it."""
    made = NightDay(tmp_path_factory.mktemp("day"))
    made.sell(Tender.CARD)
    made.stop(Tender.CARD, charged=True)
    made.plain_sale()
    made.sell_and_return(Tender.CARD)
    made.write_files()
    return made


@pytest.fixture(scope="module")
def raw(day):
    return day.card_file().read_bytes()


def refused(raw):
    with pytest.raises(FileError) as wrong:
        read(raw, PLACE)
    assert str(wrong.value).startswith(f"acquirer-{DAY}.csv, line ")
    assert wrong.value.remedy
    return wrong.value


def rows(raw):
    return [(one.kind, one.fen, one.pay_ref, one.merchant_no, one.own_day) for one in read(raw, PLACE).lines]


def test_the_emulators_file_is_read(day, raw):
    found = read(raw, PLACE)
    assert [one.kind for one in found.lines] == ["sale", "sale", "void", "sale", "sale", "refund"]
    assert [one.line_no for one in found.lines] == [2, 3, 4, 5, 6, 7]
    assert found.lines[0].ref == "EMU00001/000001/000001/000000000001"
    assert [bool(one.pay_ref) for one in found.lines] == [True, True, True, False, True, True]
    assert found.sale_fen == sum(one.fen for one in found.lines if one.kind == "sale")
    assert (found.sales, found.backs) == (4, 2)
    assert found.lines[0].raw == raw.decode().splitlines()[1]


def test_an_empty_day_has_its_totals():
    found = read(files.card_bytes([]), PLACE)
    assert (found.lines, found.sales, found.sale_fen) == ((), 0, 0)


def test_a_byte_order_mark_and_other_line_ends_are_taken(raw):
    assert rows(b"\xef\xbb\xbf" + raw) == rows(raw)
    assert rows(raw.replace(b"\n", b"\r\n")) == rows(raw)


def test_every_byte_that_is_lost_is_noticed(raw):
    """Dropped anywhere, the file is refused, or its rows say the same, or the night has something to tell."""
    good = rows(raw)
    silent = []
    for place in range(len(raw)):
        try:
            found = read(raw[:place] + raw[place + 1 :], PLACE)
        except FileError:
            continue
        if money(found) != money_of(good):
            silent.append(place)
    assert silent == []


def test_every_byte_that_is_another_keeps_the_money_or_is_refused(raw):
    good = money_of(rows(raw))
    for place in range(len(raw)):
        for other in (raw[place] ^ 0x01, raw[place] ^ 0x80, 0x00, ord(","), ord("9"), ord("=")):
            try:
                found = read(raw[:place] + bytes([other]) + raw[place + 1 :], PLACE)
            except FileError:
                continue
            assert money(found) == good, (place, other)


def money(found):
    """What a file says of money: how much moved which way, whatever its numbers are."""
    return [(one.kind, one.fen) for one in found.lines]


def money_of(found):
    return [(kind, fen) for kind, fen, *_ in found]


def test_a_file_that_is_cut_off_anywhere_is_refused(raw):
    for end in range(len(raw) - 1):
        refused(raw[:end])


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (lambda raw: b"", 1, "empty"),
        (lambda raw: raw.decode().encode("utf-16"), 1, "not UTF-8"),
        (lambda raw: raw.replace(b"EMU00001", "终端".encode("gbk"), 1), 2, "not UTF-8"),
        (lambda raw: raw.replace(b"settle_date,mid", b"mid,settle_date"), 1, "the header is another"),
        (lambda raw: raw.replace(b"pay_ref\n", b"pay_ref,memo\n"), 1, "the header is another"),
        (
            lambda raw: raw.replace(
                b"\n", b"\nsettle_date,mid,tid,batch,trace,rrn,auth,kind,fen,pay_ref\n", 1
            ),
            2,
            "not what belongs in settle_date",
        ),
        (lambda raw: raw.replace(b"\n", b"\r\n", 1), 1, "a control character"),
        (lambda raw: raw.replace(b",sale,", b",sale\x00,", 1), 2, "a control character"),
        (lambda raw: raw.replace(b",sale,", b",reversal,", 1), 2, "not what belongs in kind"),
        (lambda raw: raw.replace(b",sale,", b",sale,-", 1), 2, "not what belongs in fen"),
        (lambda raw: raw.replace(b",sale,", b",sale,0", 1), 2, "not a whole number of fen"),
        (lambda raw: raw.replace(b",sale,", "，sale,".encode(), 1), 2, "9 cells, not 10"),
        (lambda raw: raw.replace(b"EMU00001", b"=EMU()", 1), 2, "not what belongs in tid"),
        (lambda raw: raw.replace(b"EMU00001", b'"EMU0001"', 1), 2, "not what belongs in tid"),
        (lambda raw: raw.replace(b"2026-03-01", b"2026-3-1", 1), 2, "not what belongs in settle_date"),
        (lambda raw: raw.replace(b"2026-03-01", b"2026-02-28"), 2, "no row is of 2026-03-01"),
        (lambda raw: raw.replace(b"total,6", b"total,7"), 8, "the totals say"),
        (lambda raw: raw.replace(b"total,6", b"total,06"), 8, "not a whole number of fen"),
        (lambda raw: raw.replace(b"total,", b"total,0,"), 8, "the totals have 9 cells, not 8"),
        (lambda raw: raw + b"2026-03-01,rest\n", 9, "the last line is not the totals"),
        (lambda raw: raw + b"\n", 9, "the last line is not the totals"),
        (lambda raw: b"\n".join(raw.split(b"\n")[:-2]) + b"\n", 7, "the last line is not the totals"),
        (lambda raw: b"\n".join([*raw.split(b"\n")[:2], *raw.split(b"\n")[3:]]), 7, "the totals say"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(raw, change, line, problem):
    broken = change(raw)
    assert broken != raw
    wrong = refused(broken)
    assert (wrong.line, wrong.problem[: len(problem)]) == (line, problem)


def test_swapped_columns_show_nothing_of_what_stood_there(raw):
    wrong = refused(raw.replace(b"000000000001", b"6222021234567890123", 1))
    assert "622202" not in str(wrong)


def test_a_card_number_in_the_order_numbers_place_is_not_kept(raw):
    row = {**files.read_card_text(raw)[0], "pay_ref": "6222021234567890128"}
    (found,) = read(files.card_bytes([row]), PLACE).lines
    assert found.pay_ref == "[removed]"
    assert looks_personal(found.raw) == []
    assert "6222021234567890128" not in str(found)


def test_a_file_beyond_all_measure_is_refused(raw, monkeypatch):
    monkeypatch.setattr(text, "MOST_BYTES", len(raw) - 1)
    assert "larger than" in refused(raw).problem
    monkeypatch.setattr(text, "MOST_BYTES", len(raw))
    monkeypatch.setattr(text, "MOST_LINES", 7)
    assert "more than 7 lines" in refused(raw).problem


@pytest.mark.parametrize("fen", ["1" * 13, "9" * 400, "１００", "1_0", "+1", "1.0", "1e3", " 1"])
def test_an_amount_that_is_no_amount_is_refused(raw, fen):
    row = {**files.read_card_text(raw)[0]}
    header, line, _ = files.card_bytes([row]).decode().splitlines()
    line = line.replace(f",{row['fen']},", f",{fen},")
    assert refused(f"{header}\n{line}\ntotal,1,1,{fen},0,0,0,0\n".encode()).line == 2
