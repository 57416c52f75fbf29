"""UnionPay's settlement files: read whole, matched by the night, refused when anything in them is broken."""

import io
import os
import random
import zipfile
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress

import pytest
import reference_data as reference
from cpu_time import cpu_time
from night import DAY, NEXT_DAY, NightDay, changed, pay_ref, to_pay, triples

from settlement.reconcile.kinds import Kind
from settlement.reconcile.sources.text import Place
from settlement.reconcile.sources.unionpay_zm import ZM_WIDTHS, ZME_WIDTHS, called, read
from subsidy import ids
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError
from terminal_agent.emulators.acquirer_zm import zm_file
from terminal_agent.emulators.books import Line as CardLine
from terminal_agent.emulators.unionpay_books import Line
from terminal_agent.emulators.unionpay_file import ZM, ZME, file_content, fixed, packed

MER_ID, TERM_ID = "EMU000000000001", "EMU00001"
SOURCE = "unionpay"
PLACE = Place(SOURCE, DAY, f"unionpay-{DAY}.txt")
SOURCES = f"""\
files: incoming
sources:
  - source: {SOURCE}
    layout: unionpay_zm
    file: "unionpay-{{date}}.txt"
    tenders: [qr_scan, qr_show]
    merchants: {{"{MER_ID}": ["{reference.SHOP}"]}}
    longest_payment_s: 4500
"""
MUTATIONS = int(os.environ.get("MUTATIONS", "1500"))
"""How many broken files are tried; more on demand."""


class UnionPayDay(NightDay):
    """A day whose shoppers all pay by UnionPay."""

    def __init__(self, folder):
        super().__init__(folder)
        self.sources.write_text(SOURCES, encoding="utf-8")
        self.unionpay = []

    def _wechat_line(self, kind, fen, order, refund_no):
        self.trace += 1
        name = refund_no or order
        known = next((one for one in self.unionpay if one.order_id == name), None)
        query_id = known.query_id if known else f"2026030112000{self.trace:08d}"
        at = self.at()
        self.unionpay.append(
            Line(self.trace, kind, name, "", order if refund_no else "", query_id, fen, 0, "", 0, "", 0, at)
        )

    def write_files(self, day=DAY):
        self.file(day).write_text(file_content(self.unionpay, day, MER_ID, TERM_ID) or "")

    def file(self, day=DAY):
        return self.incoming / f"unionpay-{day}.txt"


@pytest.fixture
def day(tmp_path):
    return UnionPayDay(tmp_path)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    made = UnionPayDay(tmp_path_factory.mktemp("day"))
    for tender in (Tender.QR_SCAN, Tender.QR_SHOW):
        made.sell(tender)
    made.stop(Tender.QR_SCAN, charged=True)
    made.sell_and_return(Tender.QR_SCAN)
    made._wechat_line("charge", 4990, "POS00000000000001", "")
    made.write_files()
    return made.file().read_bytes()


def members(raw):
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(b64decode(raw)))) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def with_zm(raw, change):
    """Return the file with other bytes in its ZM."""
    found = members(raw)
    name = next(one for one in found if "ZM_" in one)
    return packed({**found, name: change(found[name])}).encode()


def refused(raw, problem="line"):
    with pytest.raises(FileError, match=problem) as wrong:
        read(raw, PLACE)
    assert str(wrong.value).startswith(f"unionpay-{DAY}.txt, line ")
    assert wrong.value.remedy
    return wrong.value


# The night.


def test_an_eventful_day_is_matched_without_a_difference(day):
    sold = [day.sell(tender) for tender in (Tender.QR_SCAN, Tender.QR_SCAN, Tender.QR_SHOW)]
    day.sell_again(Tender.QR_SCAN, Tender.QR_SHOW)
    day.stop(Tender.QR_SCAN, charged=True)
    day.stop(Tender.QR_SHOW, charged=False)
    day.give_back(Tender.QR_SCAN)
    day.sell_and_return(Tender.QR_SHOW)
    day._wechat_line("charge", 4990, "POS00000000000001", "")
    day.write_files()
    day.pass_to(NEXT_DAY)
    report = day.run().report
    assert (report.differences, report.older, report.waiting) == ((), (), ())
    assert report.complete
    assert report.proof.debited.holds
    assert report.proof.granted.holds
    assert report.proof.debited.buckets["not_of_the_programme"] == 4990
    assert report.proof.debited.buckets["matched"] == (len(sold) + 1) * to_pay(sold[0])


def test_each_plant_is_found_as_what_it_is(day):
    missing, doubled, amount, foreign, discount, refunded = (day.sell(Tender.QR_SCAN) for _ in range(6))
    at = {one.order_id: place for place, one in enumerate(day.unionpay)}
    lines = list(day.unionpay)
    lines[at[pay_ref(amount)]] = changed(lines[at[pay_ref(amount)]], fen=to_pay(amount) + 7)
    lines[at[pay_ref(discount)]] = changed(lines[at[pay_ref(discount)]], offer_fen=500)
    lines += [
        lines[at[pay_ref(doubled)]],
        changed(
            lines[at[pay_ref(refunded)]],
            kind="refund",
            order_id=ids.refund_no(pay_ref(refunded)),
            orig=pay_ref(refunded),
            query_id="202603011200099999999",
        ),
    ]
    del lines[at[pay_ref(missing)]]
    day.unionpay = lines
    day.write_files()
    content = members(day.file().read_bytes())
    name = next(one for one in content if "ZM_" in one)
    rows = [
        row.replace(MER_ID.encode(), b"999999999999999") if pay_ref(foreign).encode() in row else row
        for row in content[name].splitlines(keepends=True)
    ]
    day.file().write_text(packed({**content, name: b"".join(rows)}))
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == sorted(
        [
            (Kind.MISSING_IN_FILE, pay_ref(missing), to_pay(missing)),
            (Kind.DOUBLED, pay_ref(doubled), to_pay(doubled)),
            (Kind.AMOUNT, pay_ref(amount), 7),
            (Kind.FOREIGN_MERCHANT, pay_ref(foreign), to_pay(foreign)),
            (Kind.CHANNEL_DISCOUNT, pay_ref(discount), 500),
            (Kind.REFUND_WITHOUT_RETURN, pay_ref(refunded), to_pay(refunded)),
        ]
    )


def test_what_was_sold_after_eleven_at_night_stands_in_the_next_days_file(day):
    day.pass_to(DAY, 22.9)
    early = day.sell(Tender.QR_SCAN)
    day.unionpay[0] = changed(day.unionpay[0], at=f"{DAY}T23:10:00+08:00")
    day.file().write_text("")
    day.file().unlink()
    day.file().with_name(day.file().name + ".none").touch()
    day.write_files(NEXT_DAY)
    day.pass_to("2026-03-03")
    assert day.run().report.differences == ()
    report = day.run(NEXT_DAY).report
    assert report.differences == ()
    assert report.matched == 1
    assert day.record(early).state == "PAYABLE"


# What is read.


def test_every_line_of_the_emulators_is_read(raw):
    found = read(raw, PLACE)
    kinds = [one.kind for one in found.lines]
    assert kinds == ["sale", "sale", "sale", "void", "sale", "refund", "sale"]
    assert {one.merchant_no for one in found.lines} == {MER_ID}
    assert {one.own_day for one in found.lines} == {DAY}
    assert found.lines[5].refund_no == ids.refund_no(found.lines[4].pay_ref)
    assert found.lines[5].pay_ref == found.lines[4].pay_ref
    assert found.lines[6].pay_ref == ""
    assert found.sale_fen - found.back_fen == sum(one.net_fen for one in found.lines)


def test_the_widths_are_those_of_the_layout_on_both_sides():
    assert (ZM_WIDTHS, ZME_WIDTHS) == (ZM, ZME)
    assert (len(ZM), sum(ZM), len(ZME)) == (42, 566, 22)


def test_account_and_names_are_not_kept(raw):
    for line in read(raw, PLACE).lines:
        assert "621626" not in str(line)
        assert "示例" not in str(line)


def test_a_space_after_the_last_field_is_the_same_file(raw):
    spaced = with_zm(raw, lambda zm: zm.replace(b"\r\n", b" \r\n"))
    assert [one.fen for one in read(spaced, PLACE).lines] == [one.fen for one in read(raw, PLACE).lines]


def test_what_was_put_right_is_money_of_the_payment_it_names(raw):
    found = members(raw)
    zme_name, zm_name = sorted(found)
    first = found[zm_name].splitlines()[0]
    trace, at = first[28:34].decode(), first[35:45].decode()
    values = [
        "E74", "00010000", "00010000", "000777", "0301180000", "621626******0018", f"{300:012d}", "5732",
        "08", "", trace, at, "", f"{0:012d}", f"C{0:012d}", f"D{300:012d}", MER_ID, "", "", "", "", "",
    ]  # fmt: skip
    rows = fixed(values, ZME) + b"\r\n"
    line = read(packed({zm_name: found[zm_name], zme_name: rows}).encode(), PLACE).lines[-1]
    assert (line.kind, line.fen, line.pay_ref) == ("refund", 300, read(raw, PLACE).lines[0].pay_ref)


def card_rows(*lines):
    """Return the rows that are read of what an acquirer writes of its card terminals."""
    return read(zm_file(lines, DAY, MER_ID).encode(), PLACE).lines


def card(no, kind="sale", of=None, **changes):
    line = CardLine(
        no, kind, TERM_ID, MER_ID, "000001", f"{no:06d}", f"{no:012d}", "", 500, "", "",
        f"{DAY}T10:00:00+08:00", 2, "00", "",
    )  # fmt: skip
    return changed(line, orig_trace="" if of is None else of.trace, **changes)


def test_a_card_row_that_names_no_order_is_called_by_its_terminal_and_points_at_its_sale():
    sale = card(1)
    taken, void, refund = map(called, card_rows(sale, card(2, "void", sale), card(3, "refund", sale)))
    assert (taken.terminal_no, taken.batch, taken.trace, taken.rrn) == (TERM_ID, "", "000001", f"{1:012d}")
    assert taken.names == (f"{TERM_ID}/{1:012d}", f"{MER_ID}/000001/0301100000")
    assert (taken.about, void.about, refund.about) == ("", taken.names[0], taken.names[0])


def test_what_was_put_right_of_an_earlier_day_points_at_trace_and_time():
    sale = card(1, at="2026-02-28T10:00:00+08:00")
    (line,) = card_rows(sale, card(2, "refund", sale))
    assert (line.kind, line.fen, line.pay_ref) == ("refund", 500, "")
    said = called(line)
    assert (said.terminal_no, said.about) == ("", f"{MER_ID}/000001/0228100000")


def test_a_card_row_that_names_its_order_is_known_by_that():
    order = ids.pay_ref(ids.record_id(1, bytes(10)), 1)
    sale = card(1, pay_ref=order)
    taken, refund = card_rows(sale, card(2, "refund", sale))
    assert (taken.pay_ref, refund.pay_ref, refund.refund_no) == (order, order, ids.refund_no(order))


def test_a_trace_and_time_that_two_terminals_share_is_the_name_of_neither():
    """The same row twice is one payment still."""
    first = card(1)
    other = changed(first, tid="EMU00099", rrn="000000000099")
    assert [len(called(one).names) for one in card_rows(first, other)] == [1, 1]
    assert [len(called(one).names) for one in card_rows(first, first)] == [2, 2]


def test_a_row_of_no_terminal_is_called_nothing(raw):
    assert {called(one) for one in read(raw, PLACE).lines if one.pay_ref} == {None}


def test_december_is_before_january():
    line = Line(1, "charge", "POS00000000000001", "", "", "202512312310000000001", 100, 0, "", 0, "", 0, "")
    line = changed(line, at="2025-12-31T23:10:00+08:00")
    raw = file_content([line], "2026-01-01", MER_ID, TERM_ID).encode()
    (found,) = read(raw, Place(SOURCE, "2026-01-01", "f")).lines
    assert found.own_day == "2026-01-01"


# What is refused.


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda raw: b"", "cut off"),
        (lambda raw: b"x" + raw, "not the base64"),
        (lambda raw: raw[:-8], "cut off|not the base64"),
        (lambda raw: raw[: len(raw) // 2], "cut off|not the base64"),
        (lambda raw: raw + raw, "behind its end|not the base64"),
        (lambda raw: b64encode(b64decode(raw) + b"more"), "behind its end"),
        (lambda raw: b64encode(b64decode(raw)[:-5]), "cut off"),
        (lambda raw: b64decode(raw), "not the base64"),
        (lambda raw: b64encode(zlib.compress(b"no zip")), "not a zip"),
    ],
)
def test_a_torn_file_is_refused(change, problem, raw):
    refused(change(raw), problem)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda zm: zm[:-2], "no end"),
        (lambda zm: zm[:-40] + b"\r\n", "bytes, not"),
        (lambda zm: zm + b"\r\n", "bytes, not"),
        (lambda zm: zm[:3] + b"x" + zm[4:], "no space"),
        (lambda zm: b"s22" + zm[3:], "交易代码"),
        (lambda zm: zm.replace(b" C000000", b" X000000", 1), "结算金额|手续费|优惠金额"),
        (lambda zm: zm.replace(b"030112", b"139912", 1), "交易传输时间|not a time"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(change, problem, raw):
    refused(with_zm(raw, change), problem)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (lambda name: name.replace("260301", "260302"), "not one ZM and one ZME|not the files of"),
        (lambda name: name.replace(MER_ID, "999999999999999"), "not one ZM and one ZME"),
        (lambda name: name.replace("INN", "IND"), "neither ZM nor ZME"),
        (lambda name: f"../{name}", "could be a path"),
        (lambda name: f"/etc/{name}", "could be a path"),
    ],
)
def test_a_member_of_another_name_is_refused(name, problem, raw):
    found = members(raw)
    first = next(iter(found))
    refused(packed({(name(one) if one == first else one): found[one] for one in found}).encode(), problem)


def test_the_files_of_another_day_are_refused(raw):
    with pytest.raises(FileError, match="not the files of 2026-03-02"):
        read(raw, Place(SOURCE, NEXT_DAY, "f"))


def test_only_one_of_the_two_files_is_refused(raw):
    found = members(raw)
    for name in found:
        refused(packed({name: found[name]}).encode(), "1 files in it, not 2")


def test_a_zip_that_bursts_is_refused_before_it_is_unpacked(raw):
    found = members(raw)
    with cpu_time() as cost:
        burst = dict.fromkeys(found, b" " * 60000000)
        refused(packed(burst).encode(), "unpacks to|cut off")
        once_more = b64encode(zlib.compress(b"\0" * 300_000_000, 9))
        refused(once_more, "cut off, too large|not a zip")
    assert cost.s < 10


def test_every_mutated_byte_is_refused_or_read_as_a_whole_file(raw):
    """The zip's checksums find what was changed on the way; nothing else than our error is ever raised."""
    dice = random.Random(20_261_128)
    packed_zip = zlib.decompress(b64decode(raw))
    whole = [(one.kind, one.fen, one.pay_ref) for one in read(raw, PLACE).lines]
    slowest = 0.0
    for number in range(MUTATIONS):
        content = bytearray(raw if number % 3 == 0 else packed_zip)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(content))
            match dice.randrange(3):
                case 0:
                    content[at] = dice.randrange(256)
                case 1:
                    del content[at : at + dice.randrange(1, 40)]
                case _:
                    content[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 20)))
        broken = bytes(content) if number % 3 == 0 else b64encode(zlib.compress(bytes(content)))
        with cpu_time() as cost:
            try:
                found = [(one.kind, one.fen, one.pay_ref) for one in read(broken, PLACE).lines]
            except FileError:
                found = whole
        slowest = max(slowest, cost.s)
        assert found == whole
    assert slowest < 0.1


def test_mutated_lines_inside_a_right_zip_raise_nothing_but_ours(raw):
    dice = random.Random(20_261_129)
    for _ in range(MUTATIONS):

        def change(zm):
            content = bytearray(zm)
            at = dice.randrange(len(content))
            content[at] = dice.randrange(256)
            return bytes(content)

        with cpu_time() as cost, suppress(FileError):
            read(with_zm(raw, change), PLACE)
        assert cost.s < 0.1
