"""Is reference data taken in whole or not at all, and is every error named by row and column?"""

import datetime
import importlib

import msgspec
import pytest
import reference_data as reference
from centre_shell import Shell
from fake_device import promised

from settlement.db.connection import writing
from settlement.sources.csv_rows import FileErrors
from settlement.sources.prices import read_prices
from settlement.sources.products import read_products
from settlement.sources.qualifications import read_qualifications
from settlement.sources.take_in import Imported, take_in
from settlement.writer import store
from settlement.writer.rows import FiledPrice, Product, Qualification
from subsidy.calendar import SHANGHAI

DAY = datetime.date(2026, 3, 1)
PRODUCTS = "gtin,name,brand,category,energy_level\n"
PRICES = "merchant,gtin,filed_price_yuan\n"
QUALIFICATIONS = "qualification_code,id_no,category,valid_from,valid_until\n"
A, B = reference.gtin(51), reference.gtin(52)
PERSON = reference.identity_no(70)


def take(books, kind, text):
    """Import a file and return what it brought."""
    return take_in(books.engine, read(books, kind, text))


def read(books, kind, text):
    """Read a file and return what is asked what it changes."""
    raw = text if isinstance(text, bytes) else text.encode()
    if kind == "products":
        return read_products(raw, "file.csv")
    if kind == "prices":
        return read_prices(raw, "file.csv")
    categories = books.pack.rule_sets[0].categories
    return read_qualifications(raw, "file.csv", books.centre.keys, categories, DAY)


def refused(books, kind, text):
    """Import a file that is refused and return (line, column, problem) of every error."""
    before = books.state_hash()
    with pytest.raises(FileErrors) as wrong:
        take(books, kind, text)
    assert books.state_hash() == before
    assert all(one.remedy and one.file == "file.csv" for one in wrong.value.errors)
    return [(one.line, one.where.removeprefix("column "), one.problem) for one in wrong.value.errors]


# What is taken.


def test_products_are_new_then_unchanged_then_changed(books):
    text = PRODUCTS + f"{A},空调,示例牌,AC,1\n{B},手机,示例牌,PHONE,\n"
    assert take(books, "products", text) == [Imported("products", 2, 0, 0)]
    assert take(books, "products", text) == [Imported("products", 0, 0, 2)]
    assert take(books, "products", text.replace("空调", "变频空调")) == [Imported("products", 0, 1, 1)]
    assert books.row(Product, A) == Product(A, "变频空调", "示例牌", "AC", 1)
    assert books.row(Product, B).energy_level is None
    assert books.row(Product, reference.FRIDGE) is not None


@pytest.mark.parametrize(
    "raw",
    [
        ("\ufeff" + PRODUCTS + f"{A},a,b,AC,1\n").encode(),
        (PRODUCTS + f"{A},a,b,AC,1").encode(),
        (PRODUCTS + f"{A},a,b,AC,1\n").replace("\n", "\r\n").encode(),
        (PRODUCTS + f'{A},"a, ""b""",b,AC,1\n').encode(),
    ],
    ids=["byte order mark", "no last line end", "windows", "quotes"],
)
def test_a_file_is_taken_as_spreadsheets_write_it(books, raw):
    assert take(books, "products", raw) == [Imported("products", 1, 0, 0)]


def test_a_bar_code_has_one_spelling(books):
    take(books, "products", PRODUCTS + "0" + f"{A},a,b,AC,1\n")
    assert books.row(Product, A) is not None


def test_prices_are_filed_in_fen(books):
    text = PRICES + f"{reference.MERCHANT},{reference.FRIDGE},4600.01\n"
    assert take(books, "prices", text) == [Imported("prices", 0, 1, 0)]
    assert books.row(FiledPrice, reference.MERCHANT, reference.FRIDGE).price_fen == 460_001


def test_a_qualification_counts_from_its_first_day_to_the_end_of_its_last(books):
    take(books, "qualifications", QUALIFICATIONS + f"CODE-1,{PERSON},AC,2026-03-01,2026-03-31\n")
    row = books.row(Qualification, books.centre.keys.qualification_index("CODE-1"))
    at = [
        datetime.datetime.fromtimestamp(ms / 1000, SHANGHAI) for ms in (row.valid_from_ms, row.valid_until_ms)
    ]
    assert at == [
        datetime.datetime(2026, 3, 1, tzinfo=SHANGHAI),
        datetime.datetime(2026, 4, 1, tzinfo=SHANGHAI),
    ]
    assert row.person == books.centre.keys.person_index(PERSON)


def test_an_identity_number_has_one_spelling(books):
    person = next(number for number in map(reference.identity_no, range(999)) if number.endswith("X"))
    text = QUALIFICATIONS + f"CODE-1,{person.lower()},AC,2026-03-01,2026-03-31\n"
    take(books, "qualifications", text)
    row = books.row(Qualification, books.centre.keys.qualification_index("CODE-1"))
    assert row.person == books.centre.keys.person_index(person)


# A code that is used stays its person's.


@pytest.fixture
def used(books):
    """A code that holds a grant, as its row in a file."""
    device = books.enrol()
    books.hold(device, person=1)
    return [reference.code(1), reference.identity_no(1), "FRIDGE", "2025-01-01", "2098-12-31"]


def test_a_code_that_is_used_is_never_given_to_another(books, used):
    row = QUALIFICATIONS + ",".join([used[0], PERSON, *used[2:]]) + "\n"
    assert refused(books, "qualifications", row) == [(2, "id_no", "the code is used, and by another")]


def test_a_code_that_is_used_keeps_its_category(books, used):
    row = QUALIFICATIONS + ",".join([*used[:2], "AC", *used[3:]]) + "\n"
    assert refused(books, "qualifications", row) == [(2, "category", "the code is used, and by another")]


def test_a_code_that_is_used_may_be_imported_again_and_last_longer(books, used):
    assert take(books, "qualifications", QUALIFICATIONS + ",".join(used) + "\n") == [
        Imported("qualifications", 0, 0, 1)
    ]
    longer = [*used[:4], "2098-12-30"]
    assert take(books, "qualifications", QUALIFICATIONS + ",".join(longer) + "\n")[0].changed == 1
    row = books.row(Qualification, books.centre.keys.qualification_index(used[0]))
    assert row.used_by is not None


def test_a_code_that_was_released_may_be_given_to_another(books):
    device = books.enrol()
    promise = promised(books.hold(device, person=1))
    books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no)))
    row = f"{reference.code(1)},{PERSON},FRIDGE,2025-01-01,2098-12-31\n"
    assert take(books, "qualifications", QUALIFICATIONS + row)[0].changed == 1


# Tills sell while a file is read.


SHOPS = f"""\
merchants:
  - merchant: "M9"
    uscc: "{reference.credit_code(9)}"
    name: a
    active: true
    shops: []
"""
FILES = {
    "shops": SHOPS,
    "products": PRODUCTS + f"{A},a,b,AC,1\n",
    "prices": PRICES + f"{reference.MERCHANT},{reference.FRIDGE},4600.01\n",
    "qualifications": QUALIFICATIONS + f"CODE-1,{PERSON},AC,2026-03-01,2026-03-31\n",
}


@pytest.mark.parametrize("kind", FILES)
def test_another_writer_gets_its_turn_while_a_file_is_read_and_held_against_the_books(
    books, tmp_path, monkeypatch, kind
):
    turns = []

    def with_a_turn(work):
        def worked(*given, **named):
            # It would wait for the import that waits for it.
            with writing(books.engine):
                turns.append(work.__name__)
            return work(*given, **named)

        return worked

    source = importlib.import_module(f"settlement.sources.{kind}")
    reader = source.yaml_text if kind == "shops" else source
    name = "read" if kind == "shops" else "read_rows"
    monkeypatch.setattr(reader, name, with_a_turn(getattr(reader, name)))
    monkeypatch.setattr(store, "load", with_a_turn(store.load))
    monkeypatch.setattr("settlement.db.connection.BUSY_S", 1)
    file = tmp_path / "file"
    file.write_text(FILES[kind])
    shell = Shell(tmp_path, tmp_path / "settlement.yaml")
    assert shell.json("import", kind, str(file))["imported"][0]["unchanged"] == 0
    assert {name, "load"} <= set(turns)


def in_between(look, happens):
    """Return a look after which something happens before the turn is taken."""

    def looked(connection):
        plan = look(connection)
        if happens:
            happens.pop()()
        return plan

    return looked


def test_a_code_that_a_till_uses_while_its_file_is_read_stays_used(any_books):
    books = any_books
    device = books.enrol()
    row = [reference.code(1), reference.identity_no(1), "FRIDGE", "2025-01-01", "2098-12-30"]
    look = read(books, "qualifications", QUALIFICATIONS + ",".join(row))
    done = take_in(books.engine, in_between(look, [lambda: books.hold(device, person=1)]))
    assert done == [Imported("qualifications", 0, 1, 0)]
    kept = books.row(Qualification, books.centre.keys.qualification_index(row[0]))
    assert kept.used_by is not None
    assert datetime.datetime.fromtimestamp(kept.valid_until_ms / 1000, SHANGHAI).day == 31


def test_a_code_that_a_till_uses_while_its_file_is_read_is_not_given_to_another(any_books):
    books = any_books
    device = books.enrol()
    row = [reference.code(1), PERSON, "FRIDGE", "2025-01-01", "2098-12-31"]
    text = QUALIFICATIONS + f"CODE-1,{PERSON},AC,2026-03-01,2026-03-31\n" + ",".join(row)
    look = in_between(read(books, "qualifications", text), [lambda: books.hold(device, person=1)])
    with pytest.raises(FileErrors, match="the code is used, and by another") as wrong:
        take_in(books.engine, look)
    assert [one.line for one in wrong.value.errors] == [3]
    assert books.row(Qualification, books.centre.keys.qualification_index("CODE-1")) is None


@pytest.mark.parametrize(
    ("other", "done"),
    [
        (f"{A},a,b,AC,1\n", Imported("products", 0, 0, 1)),
        (f"{A},c,b,AC,1\n", Imported("products", 0, 1, 0)),
        (f"{B},a,b,AC,1\n", Imported("products", 1, 0, 0)),
    ],
)
def test_a_file_is_held_against_the_books_again_when_another_was_taken_in_meanwhile(any_books, other, done):
    books = any_books
    look = read(books, "products", PRODUCTS + f"{A},a,b,AC,1\n")
    before = in_between(look, [lambda: take(books, "products", PRODUCTS + other)])
    assert take_in(books.engine, before) == [done]
    assert books.row(Product, A).name == "a"


@pytest.mark.parametrize("kind", FILES)
def test_a_dry_run_says_what_would_come_and_changes_nothing(books, tmp_path, kind):
    file = tmp_path / "file"
    file.write_text(FILES[kind])
    shell = Shell(tmp_path, tmp_path / "settlement.yaml")
    before = books.state_hash()
    would = shell.json("import", kind, str(file), "--dry-run")["imported"]
    assert books.state_hash() == before
    assert shell.json("import", kind, str(file))["imported"] == would


# What is refused.


@pytest.mark.parametrize(
    ("kind", "row", "column"),
    [
        ("products", f"{A[:-1]}0,a,b,AC,1", "gtin"),
        ("products", "123,a,b,AC,1", "gtin"),
        ("products", "１２３４５６７８,a,b,AC,1", "gtin"),
        ("products", ",a,b,AC,1", "gtin"),
        ("products", f"{A},,b,AC,1", "name"),
        ("products", f"{A}, a,b,AC,1", "name"),
        ("products", f"{A},{'a' * 121},b,AC,1", "name"),
        ("products", f"{A},a\x00,b,AC,1", "name"),
        ("products", f"{A},a,,AC,1", "brand"),
        ("products", f"{A},a,b,ac,1", "category"),
        ("products", f"{A},a,b,,1", "category"),
        ("products", f"{A},a,b,AC,6", "energy_level"),
        ("products", f"{A},a,b,AC,0", "energy_level"),
        ("products", f"{A},a,b,AC,1.0", "energy_level"),
        ("products", f"{A},a,b,AC,１", "energy_level"),
        ("prices", f"NOBODY,{reference.FRIDGE},1.00", "merchant"),
        ("prices", f",{reference.FRIDGE},1.00", "merchant"),
        ("prices", f"{reference.MERCHANT},{reference.NOT_LISTED},1.00", "gtin"),
        ("prices", f"{reference.MERCHANT},{reference.FRIDGE},1", "filed_price_yuan"),
        ("prices", f"{reference.MERCHANT},{reference.FRIDGE},1.0", "filed_price_yuan"),
        ("prices", f"{reference.MERCHANT},{reference.FRIDGE},0.00", "filed_price_yuan"),
        ("prices", f"{reference.MERCHANT},{reference.FRIDGE},-1.00", "filed_price_yuan"),
        ("prices", f'{reference.MERCHANT},{reference.FRIDGE},"1,000.00"', "filed_price_yuan"),
        ("qualifications", f",{PERSON},AC,2026-01-01,2026-12-31", "qualification_code"),
        ("qualifications", f"A B,{PERSON},AC,2026-01-01,2026-12-31", "qualification_code"),
        ("qualifications", f"{'A' * 65},{PERSON},AC,2026-01-01,2026-12-31", "qualification_code"),
        ("qualifications", f"码,{PERSON},AC,2026-01-01,2026-12-31", "qualification_code"),
        ("qualifications", "A,321202199003070010,AC,2026-01-01,2026-12-31", "id_no"),
        ("qualifications", "A,321202999913010013,AC,2026-01-01,2026-12-31", "id_no"),
        ("qualifications", "A,,AC,2026-01-01,2026-12-31", "id_no"),
        ("qualifications", f"A,{PERSON},BICYCLE,2026-01-01,2026-12-31", "category"),
        ("qualifications", f"A,{PERSON},AC,2026-1-1,2026-12-31", "valid_from"),
        ("qualifications", f"A,{PERSON},AC,2026-02-30,2026-12-31", "valid_from"),
        ("qualifications", f"A,{PERSON},AC,2026-01-01,9999-12-31", "valid_until"),
        ("qualifications", f"A,{PERSON},AC,2026-01-02,2026-01-01", "valid_until"),
        ("qualifications", f"A,{PERSON},AC,20260101,2026-12-31", "valid_from"),
    ],
)
def test_a_cell_that_cannot_be_taken_is_named_by_line_and_column(books, kind, row, column):
    header = {"products": PRODUCTS, "prices": PRICES, "qualifications": QUALIFICATIONS}[kind]
    found = refused(books, kind, header + row + "\n")
    assert [(line, where) for line, where, _ in found] == [(2, column)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("gtin,name,brand,category\n", 1),
        (PRODUCTS.replace(",", ";"), 1),
        (PRODUCTS.upper(), 1),
        (PRODUCTS.replace("energy_level", "energy_level,more"), 1),
        (PRODUCTS.replace("gtin", " gtin"), 1),
        (f"{A},a,b,AC,1\n", 1),
        (PRODUCTS + f"{A},a,b,AC\n", 2),
        (PRODUCTS + f"{A},a,b,AC,1,\n", 2),
        (PRODUCTS + "\n", 2),
        (PRODUCTS + f"{A},a,b,AC,1\n\n", 3),
        (PRODUCTS + f'{A},"a,b,AC,1\n', 2),
        (PRODUCTS + f'{A},"a"x,b,AC,1\n', 2),
        (PRODUCTS + f'{A},"a\nb",b,AC,1\n', 2),
        (PRODUCTS + f"{A},a,b,AC,1\n" + f"{A},a,b,AC,2\n", 3),
        ((PRODUCTS + f"{A},").encode() + b"\xff,b,AC,1\n", 2),
        ((PRODUCTS + f"{A},a,b,AC,1\n").encode("utf-16"), 1),
    ],
)
def test_a_file_of_another_form_is_named_by_its_line(books, text, line):
    assert refused(books, "products", text)[0][0] == line


def test_a_repeated_row_names_the_first(books):
    text = PRODUCTS + f"{A},a,b,AC,1\n{B},a,b,AC,1\n0{A},a,b,AC,1\n"
    assert refused(books, "products", text) == [(4, "gtin", "repeats line 2")]


def test_all_errors_are_told_at_once_and_not_one_after_another(books):
    text = PRODUCTS + f"1,,b,AC,1\n{A},a,b,AC,1\n{B},a,b,ac,9\n"
    assert [(line, column) for line, column, _ in refused(books, "products", text)] == [
        (2, "gtin"),
        (2, "name"),
        (4, "category"),
        (4, "energy_level"),
    ]


def test_twenty_errors_are_enough(books):
    text = PRODUCTS + "1,a,b,AC,1\n" * 1_000
    assert len(refused(books, "products", text)) == 20


def test_one_wrong_row_keeps_all_the_others_out(books):
    text = PRODUCTS + f"{A},a,b,AC,1\n" + f"{B},a,b,AC,x\n"
    refused(books, "products", text)
    assert books.row(Product, A) is None


def test_no_error_shows_what_stands_in_a_cell(books):
    secret = "321202199003070013"
    rows = [
        ("qualifications", f"{secret} X,{secret}1,{secret},{secret},{secret}"),
        ("products", f"{secret},{secret} ,{secret} ,{secret},{secret}"),
        ("prices", f"{secret}!,{secret},{secret}"),
        ("products", f"{secret},{secret}"),
    ]
    for kind, row in rows:
        header = {"products": PRODUCTS, "prices": PRICES, "qualifications": QUALIFICATIONS}[kind]
        for text in (header + row + "\n", row + "\n" + row + "\n", header + f'"{row}'):
            with pytest.raises(FileErrors) as wrong:
                take(books, kind, text)
            shown = "".join((str(wrong.value), repr(wrong.value), *map(repr, wrong.value.errors)))
            assert "32120219900307" not in shown


def test_a_large_file_is_taken_in_one_go(books):
    lines = [f"{reference.gtin(number)},a,b,AC,1" for number in range(1_000, 6_000)]
    assert take(books, "products", PRODUCTS + "\n".join(lines)) == [Imported("products", 5_000, 0, 0)]
    assert msgspec.to_builtins(books.row(Product, reference.gtin(1_500)))["brand"] == "b"
