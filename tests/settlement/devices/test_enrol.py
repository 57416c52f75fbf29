"""How does a host become a device, and only with a code that counts?"""

import pytest
from fake_device import FakeDevice

from settlement.db.connection import writing
from settlement.devices.enrol import Enrol
from settlement.devices.make_code import make_code
from settlement.system import random_bytes
from settlement.writer.rows import EnrolCode
from settlement.writer.step import Denied, Done
from subsidy.seal import sha256_hex


def code_for(books, shop):
    """Make a code that counts for fifteen minutes, or None when there is no such shop."""
    with writing(books.engine) as connection:
        kid = books.centre.keys.kid
        return make_code(connection, shop, kid, 900_000, random_bytes, books.clock.now_ms())


@pytest.fixture
def code(books):
    """A code for a shop."""
    return code_for(books, "S0031").code


def enrol(books, code, seed="host"):
    """Show a code as a host."""
    device = FakeDevice(seed, books.clock.now_ms)
    return books.write(Enrol(sha256_hex(code.encode()), device.public_text, "till-1"))[0], device


def test_a_code_makes_one_host_a_device_of_its_shop(books, code):
    answer, device = enrol(books, code)
    row = books.device(device)
    assert answer == Done()
    assert (row.shop, row.epoch, row.public_key) == ("S0031", 1, device.public_text)
    assert books.row(EnrolCode, sha256_hex(code.encode())).used_by == device.name


def test_the_same_host_may_show_it_again(books, code):
    enrol(books, code)
    before = books.state_hash()
    books.clock.ahead_ms += 3_600_000
    assert enrol(books, code)[0] == Done()
    assert books.state_hash() == before


@pytest.mark.parametrize("why", ["used", "expired", "unknown", "of another centre's key"])
def test_a_code_that_does_not_count_is_refused_in_the_same_words(books, code, why):
    if why == "used":
        enrol(books, code, "somebody else")
    if why == "expired":
        books.clock.ahead_ms += 900_000
    if why == "unknown":
        code = "A" * 26 + code[26:]
    if why == "of another centre's key":
        code = code[:27] + "0" * 16
    before = books.state_hash()
    answer, _ = enrol(books, code)
    assert isinstance(answer, Denied)
    assert (answer.status, answer.code) == (403, "CODE_INVALID")
    assert answer.detail == "The code is unknown, used or expired. Ask for a new one"
    assert books.state_hash() == before


def test_a_code_counts_until_its_last_millisecond(books, code):
    books.clock.ahead_ms += 899_999
    assert enrol(books, code)[0] == Done()


def test_one_key_is_one_device(books, code):
    enrol(books, code)
    second = code_for(books, "S0032")
    answer, _ = enrol(books, second.code)
    assert isinstance(answer, Denied)
    assert answer.code == "ALREADY_ENROLLED"


def test_only_the_codes_hash_is_stored(books, code):
    assert books.sql_rows(f"SELECT code_hash FROM enrol_code WHERE code_hash = '{code}'") == []
    assert (sha256_hex(code.encode()),) in books.sql_rows("SELECT code_hash FROM enrol_code")


def test_there_is_no_code_for_a_shop_that_is_not_there(books):
    assert code_for(books, "NOSUCH") is None
