import json

import pytest

from terminal_agent.emulators.books import Books, BooksUnusable


@pytest.fixture
def file(tmp_path):
    return tmp_path / "books.jsonl"


def opened(file, terminal_no="EMU00001"):
    return Books(file, terminal_no, "EMU000000000001")


def sell(books, fen=100, pay_ref="A01"):
    return books.write("sale", 2, fen, pay_ref, "NONCE001", "00")


def test_a_line_is_on_disk_when_it_is_written(file):
    books = opened(file)
    sell(books)
    line = json.loads(file.read_text())
    books.close()
    at = line.pop("at")
    assert at.endswith("+08:00")
    assert line == {
        "no": 1,
        "kind": "sale",
        "tid": "EMU00001",
        "mid": "EMU000000000001",
        "batch": "000001",
        "trace": "000001",
        "rrn": "000000000001",
        "auth": "E00001",
        "fen": 100,
        "pay_ref": "A01",
        "orig_trace": "",
        "type": 2,
        "code": "00",
        "nonce": "NONCE001",
        "refund_no": "",
    }


def test_books_opened_again_go_on_where_they_ended(file):
    first = opened(file)
    sell(first)
    last = first.write("declined", 2, 5, "B01", "NONCE002", "51")
    first.close()
    again = opened(file)
    assert again.last == last
    assert sell(again).trace == "000003"
    again.close()


def test_books_are_held_by_one_emulator_at_a_time(file):
    books = opened(file)
    with pytest.raises(BooksUnusable, match="held by another"):
        opened(file)
    books.close()
    opened(file).close()


def test_a_line_cut_off_by_a_power_cut_never_happened(file):
    books = opened(file)
    sell(books)
    sell(books)
    books.close()
    file.write_bytes(file.read_bytes()[:-20])
    again = opened(file)
    assert len(again.lines) == 1
    assert sell(again).no == 2
    again.close()
    assert [json.loads(line)["no"] for line in file.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize("content", ["{}\n", "x\n", '{"no": 1}\n', "[]\n", "\xff\n"])
def test_a_file_that_is_no_books_is_refused_with_its_line(file, content):
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(BooksUnusable, match="line 1"):
        opened(file)
    assert file.read_bytes() == content.encode("latin-1")


def test_another_terminals_lines_are_not_this_ones_last_transaction(file):
    books = opened(file)
    sale = sell(books)
    books.close()
    other = opened(file, "EMU00002")
    assert other.last is None
    assert other.find_sale(sale.trace) is None
    assert sell(other).trace == "000001"
    other.close()


def test_what_was_given_back_of_a_sale_is_counted(file):
    books = opened(file)
    sale, other = sell(books), sell(books)
    books.write("declined", 3, 100, "A01", "NONCE003", "05", orig_trace=sale.trace)
    assert books.given_back(sale) == 0
    books.write("refund", 4, 30, "A01", "NONCE004", "00", orig_trace=sale.trace, refund_no="A01R")
    books.write("refund", 4, 20, "A01", "NONCE005", "00", orig_trace=sale.trace, refund_no="A01R2")
    books.write("void", 3, 100, "A01", "NONCE006", "00", orig_trace=other.trace)
    assert (books.given_back(sale), books.given_back(other)) == (50, 100)
    assert [books.is_refunded(no) for no in ("A01R", "A01R2", "A01", "")] == [True, True, False, False]
    books.close()


def test_a_refund_names_its_original_by_trace_reference_and_day(file):
    books = opened(file)
    sale = sell(books)
    day = sale.at[5:7] + sale.at[8:10]
    assert books.find_original(sale.trace, sale.rrn, day) == sale
    books.settle()
    assert books.find_original(sale.trace, sale.rrn, day) == sale
    for wrong in (("000009", sale.rrn, day), (sale.trace, "9" * 12, day), (sale.trace, sale.rrn, "0231")):
        assert books.find_original(*wrong) is None
    books.close()
    other = opened(file, "EMU00002")
    assert other.find_original(sale.trace, sale.rrn, day) is None
    other.close()


def test_a_settled_batch_is_closed_for_good_and_the_traces_go_on(file):
    books = opened(file)
    sale = sell(books)
    books.write("void", 3, 40, "A01", "NONCE002", "00", orig_trace=sale.trace)
    assert books.find_sale(sale.trace) == sale
    closed = books.settle()
    assert (closed.kind, closed.batch, closed.fen, closed.trace) == ("settled", "000001", 60, "")
    assert books.find_sale(sale.trace) is None
    books.close()

    again = opened(file)
    assert again.batch == "000002"
    assert again.last.trace == "000002"  # the end of a batch is no transaction
    assert again.find_sale(sale.trace) is None
    after = sell(again)
    assert (after.batch, after.trace) == ("000002", "000003")
    assert again.settle().batch == "000002"
    assert again.settle().batch == "000003"  # also one in which nothing was sold
    again.close()


def test_another_terminals_batch_is_its_own(file):
    books = opened(file)
    books.settle()
    books.close()
    other = opened(file, "EMU00002")
    assert other.batch == "000001"
    other.close()


def test_books_of_an_emulator_that_knew_no_refunds_are_read(file):
    books = opened(file)
    line = sell(books)
    books.close()
    file.write_text(file.read_text().replace(', "refund_no": ""', ""))
    again = opened(file)
    assert again.lines == [line]
    again.close()


def test_the_trace_after_the_last_one_is_the_first(file):
    books = opened(file)
    line = sell(books)
    books.close()
    file.write_text(file.read_text().replace(f'"trace": "{line.trace}"', '"trace": "999999"'))
    again = opened(file)
    assert sell(again).trace == "000001"
    again.close()
