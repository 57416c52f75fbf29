import pytest
from iso8583_messages import shipped

from subsidy.strict.yaml_text import FileError
from terminal_agent.iso8583.dialect import SHIPPED, place_of, read_dialect

TEXT = place_of("unionpay_terminal").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_dialect_reads_under_its_own_name(file):
    assert shipped(file.stem).name == file.stem


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("length: bin2", "length: bin3", "bin3"),
        ('tpdu: "6000030000"', 'tpdu: "60000300"', "not 10 digits"),
        ("mac: cup ", "mac: md5 ", "md5"),
        ('write: "0"', 'write: "1"', "not a pad"),
        ('read: ["0", "F"]', 'read: ["F"]', "we would not take 0"),
        ('"3": {is: n, exactly: 6}', '"3": {is: n}', "its size is not clear"),
        ('"3": {is: n, exactly: 6}', '"3": {is: n, up_to: 6}', "its size is not clear"),
        ('"3": {is: n, exactly: 6}', '"3": {is: z, exactly: 6}', "no fixed size"),
        ('"3": {is: n, exactly: 6}', '"65": {is: n, exactly: 6}', "no field"),
        ('"3": {is: n, exactly: 6}', '"03": {is: n, exactly: 6}', "no field"),
        ('"3": {is: n, exactly: 6}', '"3": {is: q, exactly: 6}', "'q'"),
        ("length: LL, show: pan}", "length: LL}", "field 2 would be shown in clear"),
        ('"14": {is: n, exactly: 4, check: yymm, show: hidden}', '"14": {is: n, exactly: 4}', "field 14"),
        ('"52": {is: b, exactly: 8, show: hidden}', '"52": {is: b, exactly: 8, show: text}', "field 52"),
        ("parts: tlv, show: tlv", "parts: tlv", "field 55 would be shown in clear"),
        ('"64": {is: b, exactly: 8}', '"64": {is: b, exactly: 4}', "field 64 is not the MAC"),
        ("parts: function", "parts: functions", "functions"),
        ("up_to: 19, at_least: 12, length: LL,", "up_to: 119, at_least: 12, length: LL,", "119"),
    ],
)
def test_a_dialect_that_cannot_be_is_refused_with_its_line(was, becomes, why):
    assert was in TEXT
    with pytest.raises(FileError, match=why) as refused:
        read_dialect(TEXT.replace(was, becomes, 1), "mine.yaml")
    assert refused.value.line > 1 or "64" in why


def test_a_name_is_a_shipped_dialect_and_never_a_way_out_of_the_folder():
    assert place_of("../../x").parent == SHIPPED
