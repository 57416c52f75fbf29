"""Is a pack taken at its word, and everything else refused with file, line and remedy?"""

import contextlib
import datetime
import re

import pytest
import small_pack
from hypothesis import given
from hypothesis import strategies as st
from small_pack import PROGRAMME, RULES, texts

from subsidy.money import Rounding
from subsidy.policy.model import Hours, PoolBy, PriceLimitBasis, Source, Tender
from subsidy.policy.read_pack import pack_hash, read_packs
from subsidy.policy.split import Share
from subsidy.strict.yaml_text import FileError

CAP = 'value: "2000.00", source: {title: notice, clause: three}}\n'
QUOTA = "value: 1, source: {title: notice, clause: four}}\n  PHONE:"
REGIONS = 'value: ["321200"]'
HOURS = 'value: {opens: "07:00", closes: "23:00"}'
SHARES = "value: {central: 8500, city: 1500}"


def refusal(*changes: tuple[str, str]) -> FileError:
    with pytest.raises(FileError) as raised:
        read_packs(texts(*changes))
    return raised.value


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_pack_holds_what_its_files_say():
    pack = small_pack.pack()
    day = datetime.date(2026, 3, 1)
    (rules,) = pack.rule_sets
    fridge, phone = rules.categories["FRIDGE"], rules.categories["PHONE"]
    assert (pack.programme, pack.title, pack.training, rules.rules, rules.programme_year) == (
        "P",
        "programme",
        False,
        "R-2026",
        2026,
    )
    assert pack.regions.on(day).value == ("321200",)
    assert pack.hours.on(day).value == Hours(datetime.time(7), datetime.time(23))
    assert pack.tenders.on(day).value == (Tender.CARD, Tender.QR_SCAN, Tender.QR_SHOW)
    assert pack.rounding.on(day).value is Rounding.HALF_UP
    assert pack.price_limit_basis.on(day).value is PriceLimitBasis.FINAL_PRICE
    assert pack.shares.on(day).value == (Share("central", 8500), Share("city", 1500))
    assert {level: rows.on(day).value for level, rows in fridge.rate_bp.items()} == {"1": 2000, "2": 1500}
    assert (fridge.cap.on(day).value, fridge.quota.on(day).value, fridge.price_limit.on(day)) == (
        200000,
        1,
        None,
    )
    assert phone.price_limit.on(day).value == 600000
    assert fridge.cap.on(day).source == Source("notice", "three")
    assert fridge.cap.on(datetime.date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        # What style asks of every number.
        ("  - {from: 2026-01-01, value: true, source: {title: bureau, clause: one}}\nregions:",
         "  - {value: true, source: {title: bureau, clause: one}}\nregions:",
         "open[0]", "from is missing. Add `from:`"),
        ("value: half_up, source: {title: bureau, clause: one}}", "value: half_up}",
         "rounding[0]", "source is missing. Add `source:`"),
        ("value: half_up, source: {title: bureau, clause: one}}", "value: half_up, source: {title: bureau}}",
         "rounding[0].source", "clause is missing. Add `clause:`"),
        ("value: half_up, source: {title: bureau, clause: one}}",
         'value: half_up, source: {title: bureau, clause: ""}}',
         "rounding[0].source.clause", "empty. Write the text"),
        # Yuan are quoted text with two decimals.
        (CAP, CAP.replace('"2000.00"', "2000.00"), "categories.FRIDGE.cap_yuan[0].value",
         '2000.00 is not quoted. Write yuan in quotes with two decimals, as in "2000.00"'),
        (CAP, CAP.replace('"2000.00"', "2000.0"), "categories.FRIDGE.cap_yuan[0].value",
         "2000.0 is not quoted"),
        (CAP, CAP.replace('"2000.00"', '"2000.0"'), "categories.FRIDGE.cap_yuan[0].value",
         "'2000.0' is not an amount in yuan. Write yuan in quotes"),
        (CAP, CAP.replace('"2000.00"', '"2000"'), "categories.FRIDGE.cap_yuan[0].value",
         "'2000' is not an amount"),
        (CAP, CAP.replace('"2000.00"', '"２000.00"'), "categories.FRIDGE.cap_yuan[0].value",
         "is not an amount"),
        # Codes are quoted.
        (REGIONS, "value: [321200]", "regions[0].value[0]",
         'value[0]: 321200 is not quoted. Write codes in quotes, as in "321200"'),
        (REGIONS, 'value: ["3212"]', "regions[0].value[0]",
         'a division code has 6 digits, as in 321202. Write it as in "321202"'),
        (REGIONS, 'value: ["32120２"]', "regions[0].value[0]", "a division code has 6 digits"),
        ('programme: "P"', "programme: P", "programme", "P is not quoted. Write codes in quotes"),
        ('programme: "P"', 'programme: " P"', "programme", "a code with a space or line end around it"),
        ('takes_up: ["R-2026"]', "takes_up: [R-2026]", "takes_up[0]", "R-2026 is not quoted"),
        ('      "1":\n', "      1:\n", "categories.FRIDGE.rate_bp",
         'the key 1 is not quoted. Write it in quotes, as in "1"'),
        # Whole numbers are written as such.
        (QUOTA, QUOTA.replace("value: 1", "value: 0123"), "categories.FRIDGE.quota[0].value",
         "'0123' has leading zeros. Write a whole number from 0 to 1000"),
        (QUOTA, QUOTA.replace("value: 1", "value: 1_000"), "categories.FRIDGE.quota[0].value",
         "'1_000' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: 12:30"), "categories.FRIDGE.quota[0].value",
         "'12:30' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: 1.0"), "categories.FRIDGE.quota[0].value",
         "'1.0' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: 0x1"), "categories.FRIDGE.quota[0].value",
         "'0x1' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: １"), "categories.FRIDGE.quota[0].value",
         "'１' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: -1"), "categories.FRIDGE.quota[0].value",
         "'-1' is not a whole number"),
        (QUOTA, QUOTA.replace("value: 1", 'value: "1"'), "categories.FRIDGE.quota[0].value",
         "a number in quotes. Write a whole number"),
        (QUOTA, QUOTA.replace("value: 1", "value: 1001"), "categories.FRIDGE.quota[0].value",
         "1001 is above 1000"),
        ("value: 2000, source", "value: 10001, source", "categories.FRIDGE.rate_bp.1[0].value",
         "10001 is above 10000"),
        ("value: 900", "value: 29", "held_for_s[0].value",
         "29 is below 30. Write a whole number from 30 to 86400"),
        ("value: 300", "value: 0", "lag_target_s[0].value", "0 is below 1"),
        ("value: 30,", "value: 0,", "open_holds_per_shop[0].value", "0 is below 1"),
        ("programme_year: 2026", "programme_year: 26", "programme_year", "26 is below 2024"),
        # Booleans and words.
        ("return_restores_quota:\n  - {from: 2026-01-01, value: true",
         "return_restores_quota:\n  - {from: 2026-01-01, value: yes", "return_restores_quota[0].value",
         "'yes' is neither true nor false. Write true or false, unquoted"),
        ("return_restores_quota:\n  - {from: 2026-01-01, value: true",
         'return_restores_quota:\n  - {from: 2026-01-01, value: "true"', "return_restores_quota[0].value",
         "'true' is neither true nor false"),
        ("value: half_up", "value: half_even", "rounding[0].value",
         "'half_even' is not known here. Write one of: half_up, down"),
        ("value: half_up", "value: off", "rounding[0].value", 'off is not quoted. Write it in quotes'),
        ("value: final_price", "value: list_price", "price_limit_basis[0].value",
         "Write one of: final_price, initial_price"),
        ("value: [card, qr_scan, qr_show]", "value: [card, cheque]", "tenders[0].value[1]",
         "Write one of: card, qr_scan, qr_show, cash"),
        ("value: [card, qr_scan, qr_show]", "value: [card, card]", "tenders[0].value",
         "empty, or one stands twice. List each once"),
        ("value: [card, qr_scan, qr_show]", "value: []", "tenders[0].value", "empty, or one stands twice"),
        ("value: [card, qr_scan, qr_show]", "value: card", "tenders[0].value",
         "not a list. Write `- value` lines here"),
        ("differences_owner:\n  - {from: 2026-01-01, value: platform",
         "differences_owner:\n  - {from: 2026-01-01, value: 2026-01-01", "differences_owner[0].value",
         "2026-01-01 is not quoted"),
        ("kind: programme", "kind: program", "kind",
         "'program' is not known here. Write one of: rules, programme"),
        # Days and hours.
        (CAP, CAP + "      - {from: 2026-02-30, " + CAP,
         "categories.FRIDGE.cap_yuan[1].from", "'2026-02-30' is not a day. Write a day as 2026-01-31"),
        (CAP, CAP + "      - {from: 2026-1-1, " + CAP, "categories.FRIDGE.cap_yuan[1].from", "is not a day"),
        (CAP, CAP + "      - {from: 20260701, " + CAP, "categories.FRIDGE.cap_yuan[1].from", "is not a day"),
        (CAP, CAP + "      - {from: 2026-07-01T00:00:00, " + CAP, "categories.FRIDGE.cap_yuan[1].from",
         "is not a day"),
        (CAP, CAP + "      - {from: 2025-12-31, " + CAP, "categories.FRIDGE.cap_yuan[1]",
         "2025-12-31 does not come after 2026-01-01. Put rows oldest first"),
        (CAP, CAP + "      - {from: 2026-01-01, " + CAP, "categories.FRIDGE.cap_yuan[1]",
         "2026-01-01 does not come after 2026-01-01"),
        (HOURS, "value: {opens: 07:00, closes: 23:00}", "hours[0].value.opens", "07:00 is not quoted"),
        (HOURS, 'value: {opens: "7:00", closes: "23:00"}', "hours[0].value.opens",
         'not a time of day. Write it as in "07:00"'),
        (HOURS, 'value: {opens: "07", closes: "23"}', "hours[0].value.opens", "not a time of day"),
        (HOURS, 'value: {opens: "07:00+08:00", closes: "23:00"}', "hours[0].value.opens",
         "not a time of day"),
        (HOURS, 'value: {opens: "07:00+08:00", closes: "23:00+08:00"}', "hours[0].value.opens",
         "not a time of day"),
        (HOURS, 'value: {opens: "07:00", closes: "24:00"}', "hours[0].value.closes", "not a time of day"),
        (HOURS, 'value: {opens: "23:00", closes: "07:00"}', "hours[0].value",
         "closes before it opens. Write hours within one day"),
        (HOURS, 'value: {opens: "07:00", closes: "07:00"}', "hours[0].value", "closes before it opens"),
        (HOURS, 'value: {opens: "07:00"}', "hours[0].value", "closes is missing"),
        # Shares.
        (SHARES, "value: {central: 8500, city: 1499}", "shares_bp[0].value",
         "the shares do not add up to 10000. Correct the basis points"),
        (SHARES, "value: {central: 8500, city: 1501}", "shares_bp[0].value", "do not add up"),
        (SHARES, "value: {}", "shares_bp[0].value", "do not add up"),
        (SHARES, "value: {central: 8500, central: 1500}", "shares_bp[0].value",
         "the key central stands twice. Keep one of them"),
        (SHARES, "value: {central: -1500, city: 11500}", "shares_bp[0].value.central",
         "is not a whole number"),
        # Keys.
        ("held_for_s:", "hold_for_s:", "hold_for_s",
         "unknown key hold_for_s. Known here: differences_owner, "),
        ("    label: 手机\n", "    label: 手机\n    colour: black\n", "categories.PHONE.colour",
         "unknown key colour. Known here: cap_yuan, label, price_limit_yuan, quota, rate_bp"),
        ("    label: 手机\n", "", "categories.PHONE", "label is missing. Add `label:`"),
        ("title: programme\n", "title: programme\ntitle: programme\n", "", "the key title stands twice"),
        ("  PHONE:\n", "  FRIDGE:\n", "categories", "the key FRIDGE stands twice"),
        ("    label: 手机\n", "    on: 手机\n", "categories.PHONE", "the key on is not quoted"),
        ("lag_target_s:\n  - {from: 2026-01-01, value: 300, source: {title: bureau, clause: one}}\n", "", "",
         "lag_target_s is missing. Add `lag_target_s:`"),
        ("kind: programme\n", "", "", "kind is missing. Write `kind: rules` or `kind: programme`"),
        ('programme: "P"\n', "", "", "programme is missing. Add `programme:` with its name in quotes"),
        # Rates that cannot be chosen.
        ('      "1":\n', '      "6":\n', "categories.FRIDGE.rate_bp",
         '6 is no efficiency level. Write "1" to "5", or any'),
        ('      "1":\n', "      any:\n", "categories.FRIDGE.rate_bp",
         "no rate can be chosen. Write rates per level, or one under any"),
        ("    rate_bp:\n      any:\n        - {from: 2026-01-01, value: 1500, "
         "source: {title: notice, clause: two}}\n",
         "    rate_bp: {}\n", "categories.PHONE.rate_bp", "no rate can be chosen"),
        # Across files.
        ('takes_up: ["R-2026"]', 'takes_up: ["R-2027"]', "takes_up[0]",
         "no file here defines the rules R-2027. Add that file to the folder"),
        ('takes_up: ["R-2026"]', 'takes_up: ["R-2026", "R-2026"]', "takes_up[1]",
         "R-2026 and R-2026 both cover FRIDGE on 2026-01-01. Close one before the other opens"),
        # A number that is not there when it is needed.
        ("open_holds_per_terminal:\n  - {from: 2026-01-01",
         "open_holds_per_terminal:\n  - {from: 2026-01-02", "",
         "R-2026 is open on 2026-01-01, but open_holds_per_terminal has no row by then. "
         "Add a row from that day or before"),
        ("    quota:\n      - {from: 2026-01-01, value: 1, source: {title: notice, clause: four}}\n  PHONE:",
         "    quota:\n      - {from: 2026-01-02, value: 1, source: {title: notice, clause: four}}\n  PHONE:",
         "", "but FRIDGE.quota has no row by then"),
        ("differences_owner:\n  - {from: 2026-01-01, value: platform, source: {title: bureau, clause: one}}",
         "differences_owner: []", "differences_owner",
         "no row. Write at least one row with from, value and source"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_where_it_stands_with_a_remedy(old, new, at, says):
    wrong = refusal((old, new))
    assert wrong.where == at
    assert says in str(wrong)
    assert re.match(r"(rules|programme)\.yaml, line [1-9]", str(wrong))


@pytest.mark.parametrize(
    ("name", "part"),
    [("rules.yaml", '"2000.00"'), ("rules.yaml", "value: 2000,"), ("programme.yaml", "half_up")],
)
def test_the_line_is_that_of_the_value(name, part):
    old = {"rules.yaml": RULES, "programme.yaml": PROGRAMME}[name]
    files = texts()
    files[name] = files[name].replace(part, "value: [1]," if part.startswith("value") else "[1]", 1)
    with pytest.raises(FileError) as raised:
        read_packs(files)
    assert (raised.value.file, raised.value.line) == (name, line_of(old, part))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rounding:\n", "rounding: &r\n", "an alias or anchor. Write the value out"),
        ("value: half_up", "value: *r", "an alias or anchor. Write the value out"),
        ("value: half_up", "value: !!str half_up", "a tag. Write the value without a tag"),
        ("value: half_up", "value: !!python/object/apply:os.getcwd []", "a tag"),
        ("value: half_up", "value: ! half_up", "a tag"),
        ("rounding:\n", "---\nrounding:\n", "not YAML: but found another document. Correct the line"),
        ("value: half_up", f"value: {'[' * 40}{']' * 40}", "nested deeper than 32. Write it flatter"),
        ("value: half_up", "value: half_up\x00", "not YAML: a forbidden character"),
        ("value: half_up", 'value: "\\uD800"', "a control character or half a pair. Write plain text"),
        ("value: half_up", 'value: "\\UFFFFFFFF"', "not YAML: a forbidden character"),
        ("rounding:\n", "rounding:\n\t- a\n", "not YAML: found character"),
        ("rounding:\n", "rounding: {\n", "not YAML: "),
    ],
)
def test_what_is_more_than_plain_yaml_is_refused(old, new, says):
    wrong = refusal((old, new))
    assert wrong.file == "programme.yaml"
    assert says in str(wrong)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "null\n", "text\n"])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(
        FileError, match=r"programme\.yaml, line 1: (empty|not a list of `key: value`)\. Write"
    ):
        read_packs({**texts(), "programme.yaml": text})


@pytest.mark.parametrize("name", ["rules.yaml", "programme.yaml"])
def test_the_same_name_in_two_files_is_refused(name):
    with pytest.raises(FileError, match=r"is defined in two files\. Keep one of them"):
        read_packs({**texts(), "z.yaml": texts()[name]})


def second_rules(first_day: str) -> str:
    return (
        RULES.replace('"R-2026"', '"S"')
        .replace("{from: 2026-01-01, value: true", f"{{from: {first_day}, value: true")
        .replace("{from: 2027-01-01, value: false", "{from: 2028-01-01, value: false")
    )


def test_two_rule_sets_may_follow_but_not_overlap():
    both = ('takes_up: ["R-2026"]', 'takes_up: ["R-2026", "S"]')
    assert read_packs({**texts(both), "s.yaml": second_rules("2027-01-01")})
    with pytest.raises(FileError, match=r"R-2026 and S both cover FRIDGE on 2026-12-31"):
        read_packs({**texts(both), "s.yaml": second_rules("2026-12-31")})


def test_a_gap_on_days_when_nothing_is_open_does_no_harm():
    opens = "open:\n  - {{from: {}, value: true, source: {{title: bureau"
    later = (opens.format("2026-01-01"), opens.format("2025-01-01"))
    assert read_packs(texts(later))["P"].open.rows[0].since == datetime.date(2025, 1, 1)


def test_hours_may_be_left_out():
    assert small_pack.pack(small_pack.NO_HOURS).hours.rows == ()


def test_training_is_said_by_the_file():
    assert small_pack.pack(("title: programme\n", "title: programme\ntraining: true\n")).training


def test_rules_that_no_programme_takes_up_are_read_all_the_same():
    assert read_packs({"rules.yaml": RULES}) == {}
    with pytest.raises(FileError, match="unknown key colour"):
        read_packs({"rules.yaml": RULES + "colour: red\n"})


def test_the_hash_names_the_files_and_bytes_of_this_pack_and_no_other():
    files = texts()
    found = read_packs(files)["P"].hash
    assert found == pack_hash(files) == read_packs(dict(reversed(files.items())))["P"].hash
    assert read_packs({**files, "other.yaml": RULES.replace('"R-2026"', '"S"')})["P"].hash == found
    assert read_packs({**files, "rules.yaml": RULES + "# a comment\n"})["P"].hash != found
    assert read_packs({"r.yaml": RULES, "programme.yaml": PROGRAMME})["P"].hash != found
    assert re.fullmatch("[0-9a-f]{64}", found)


PIECES = st.sampled_from([
    "kind: rules\n", "kind: programme\n", 'programme: "P"\n', "takes_up: []\n", "open:\n", "  - {from: ",
    "2026-01-01", "value: ", '"', "'", "[", "]", "{", "}", "\n", " ", "  ", "- ", ": ", "&a ", "*a", "!!int ",
    "|\n", ">\n", "? ", "%", "---\n", "...\n", "#", "\t", "\\", "\\u", "FFFF", "０", "null", "~", "<<: ",
    "\x07", "\ud800",
])  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_text_brings_the_reader_down(text):
    with contextlib.suppress(FileError):
        read_packs({"file.yaml": text})


@given(st.integers(0, len(PROGRAMME) - 1), st.one_of(PIECES, st.just("")), st.integers(0, 12))
def test_a_file_with_something_put_in_or_cut_out_is_read_or_refused(at, piece, cut):
    with contextlib.suppress(FileError):
        read_packs({"rules.yaml": RULES, "programme.yaml": PROGRAMME[:at] + piece + PROGRAMME[at + cut :]})


_GROUP = ('rules: "R-2026"', 'rules: "R-2026"\ngroup: "A"')
_DIVIDED = (
    "differences_owner:",
    "pools_by:\n  - {from: 2026-01-01, value: [county, group], source: {title: bureau, clause: one}}\n"
    "differences_owner:",
)


def test_a_years_money_may_be_divided_and_the_groups_have_names():
    read = small_pack.pack(_GROUP, _DIVIDED)
    assert [row.value for row in read.pools_by.rows] == [(PoolBy.COUNTY, PoolBy.GROUP)]
    assert [rules.group for rules in read.rule_sets] == ["A"]
    assert small_pack.pack().pools_by.rows == ()


def test_money_is_not_divided_by_groups_without_a_name():
    with pytest.raises(FileError, match="R-2026 names none"):
        small_pack.pack(_DIVIDED)
