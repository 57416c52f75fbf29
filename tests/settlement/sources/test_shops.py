"""Are merchants, shops and terminals taken in as their file says?"""

import pytest
import reference_data as reference

from settlement.sources.shops import read_shops
from settlement.sources.take_in import Imported, take_in
from settlement.writer.rows import Merchant, Shop, Terminal
from subsidy.strict.yaml_text import FileError

ONE = f"""\
merchants:
  - merchant: "M9"
    uscc: "{reference.credit_code(9)}"
    name: 新电器有限公司
    active: true
    shops:
      - shop: "S9"
        name: 新店
        region: "321202"
        active: true
        terminals: ["12345678", "ABCD0001"]
"""


def take(books, text, training=False):
    """Import a file and return what it brought."""
    raw = text if isinstance(text, bytes) else text.encode()
    return take_in(books.engine, read_shops(raw, "shops.yaml", training))


def refused(books, text, training=False):
    """Import a file that is refused and return its error."""
    before = books.state_hash()
    with pytest.raises(FileError) as wrong:
        take(books, text, training)
    assert books.state_hash() == before
    assert wrong.value.file == "shops.yaml"
    assert wrong.value.remedy
    return wrong.value


def test_a_merchant_comes_with_its_shops_and_terminals(books):
    assert take(books, ONE) == [
        Imported("merchants", 1, 0, 0),
        Imported("shops", 1, 0, 0),
        Imported("terminals", 2, 0, 0),
    ]
    assert books.row(Merchant, "M9").uscc == reference.credit_code(9)
    assert books.row(Shop, "S9") == Shop("S9", "M9", "新店", "321202", True)
    assert books.row(Terminal, "12345678").shop == "S9"
    assert books.row(Shop, reference.SHOP) is not None


def test_the_same_file_again_changes_nothing(books):
    take(books, ONE)
    before = books.state_hash()
    assert [(one.new, one.changed) for one in take(books, ONE)] == [(0, 0)] * 3
    assert books.state_hash() == before


def test_a_terminal_that_is_not_listed_any_more_is_taken_off(books):
    take(books, ONE)
    found = take(books, ONE.replace(', "ABCD0001"', ""))
    assert found[2] == Imported("terminals", 0, 0, 1, removed=1)
    assert books.row(Terminal, "ABCD0001") is None
    assert books.row(Terminal, reference.TERMINAL) is not None


def test_a_shop_may_be_without_terminals(books):
    take(books, ONE.replace('["12345678", "ABCD0001"]', "[]"))
    assert books.row(Shop, "S9") is not None


def test_a_terminal_moves_when_the_file_names_both_shops(books):
    second = ONE[ONE.index("      - shop:") :].replace('"S9"', '"S8"').replace('"12345678", ', "")
    both = ONE.replace(', "ABCD0001"', "") + second
    take(books, both)
    swapped = both.replace("12345678", "x").replace("ABCD0001", "12345678").replace('"x"', '"ABCD0001"')
    take(books, swapped)
    assert books.row(Terminal, "12345678").shop == "S8"
    assert books.row(Terminal, "ABCD0001").shop == "S9"


def test_a_terminal_of_a_shop_that_is_not_in_the_file_does_not_move(books):
    take(books, ONE)
    other = (
        ONE.replace('"M9"', '"M8"')
        .replace('"S9"', '"S8"')
        .replace(reference.credit_code(9), reference.credit_code(8))
    )
    wrong = refused(books, other)
    assert "it stands in shop S9" in wrong.problem
    assert wrong.line == 11


def test_a_shop_does_not_change_hands(books):
    take(books, ONE)
    other = ONE.replace('"M9"', '"M8"').replace(reference.credit_code(9), reference.credit_code(8))
    assert "merchant M9's" in refused(books, other).problem


def test_emulated_terminals_are_for_training_alone(books):
    text = ONE.replace("12345678", "EMU00077")
    assert "emulated" in refused(books, text).problem
    take(books, text, training=True)
    assert books.row(Terminal, "EMU00077") is not None


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('merchant: "M9"', "merchant: M9", 2),
        ('merchant: "M9"', 'merchant: "M 9"', 2),
        ('merchant: "M9"', 'merchant: ""', 2),
        (reference.credit_code(9), reference.credit_code(9)[:-1] + "0", 3),
        (reference.credit_code(9), "321202199003070013", 3),
        ("新电器有限公司", '"a\\nb"', 4),
        ("新电器有限公司", "a" * 65, 4),
        ("active: true", "active: yes", 5),
        ("active: true", "active: 1", 5),
        ('shop: "S9"', 'shop: "S/9"', 7),
        ('region: "321202"', "region: 321202", 9),
        ('region: "321202"', 'region: "32120"', 9),
        ('"12345678"', "12345678", 11),
        ('"12345678"', '"1234567"', 11),
        ('"12345678"', '"abcd0001"', 11),
        ('"12345678"', '"ABCD0001"', 11),
        ("active: true", "active: true\n    more: 1", 6),
        ("    name: 新电器有限公司\n", "", 2),
        ("merchants:", "merchant:", 2),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(books, old, new, line):
    assert old in ONE
    assert refused(books, ONE.replace(old, new, 1)).line == line


def test_two_merchants_have_two_credit_codes(books):
    second = ONE.replace("merchants:\n", "").replace('"M9"', '"M8"').replace('"S9"', '"S8"')
    text = ONE + second.replace('["12345678", "ABCD0001"]', "[]")
    assert "one credit code" in refused(books, text).problem


def test_nothing_stands_twice(books):
    again = ONE.replace("merchants:\n", "")
    assert "M9 stands twice" in refused(books, ONE + again).problem
    other = again.replace('"M9"', '"M8"').replace(reference.credit_code(9), reference.credit_code(8))
    assert "S9 stands twice" in refused(books, ONE + other).problem


def test_a_file_that_is_no_utf_8_or_no_yaml_is_refused(books):
    assert "UTF-8" in refused(books, ONE.encode("gb18030")).problem
    refused(books, "merchants: [")
    refused(books, "")
    refused(books, "- 1")
