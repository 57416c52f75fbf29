"""Do these bytes hold exactly the JSON value we expect?"""

import contextlib
import json
from typing import Literal

import msgspec
import pytest
from cpu_time import cpu_time
from hypothesis import given
from hypothesis import strategies as st

from subsidy.policy.facts import Facts
from subsidy.strict.json_bytes import MOST_BYTES, MOST_DEPTH, NotStrict, decode


class Item(msgspec.Struct, forbid_unknown_fields=True):
    fen: int
    name: str = ""
    paid: bool = False
    rest: dict[str, int] = {}


@pytest.mark.parametrize(
    ("raw", "where", "says"),
    [
        (b'{"fen": 1, "fen": 2}', "$.fen", "the key stands twice. Send each field once"),
        (b'{"fen": 1, "rest": {"a": 1, "a": 1}}', "$.a", "the key stands twice"),
        (b'{"fen": 1, "more": 2}', "$", "unknown field `more`"),
        (b'{"fen": 1.0}', "$",
         "a number with a fraction, exponent, NaN or Infinity. Send whole numbers only"),
        (b'{"fen": 1e2}', "$", "a number with a fraction"),
        (b'{"fen": 1E2}', "$", "a number with a fraction"),
        (b'{"fen": NaN}', "$", "a number with a fraction"),
        (b'{"fen": Infinity}', "$", "a number with a fraction"),
        (b'{"fen": -Infinity}', "$", "a number with a fraction"),
        (b'{"fen": 1e999}', "$", "a number with a fraction"),
        (b'{"fen": "1"}', "$.fen", "Expected `int`, got `str`. Send the field as the API describes it"),
        (b'{"fen": true}', "$.fen", "Expected `int`, got `bool`"),
        (b'{"fen": null}', "$.fen", "Expected `int`, got `null`"),
        (b'{"fen": 1, "paid": 1}', "$.paid", "Expected `bool`, got `int`"),
        (b'{"fen": 1, "paid": "true"}', "$.paid", "Expected `bool`, got `str`"),
        (b'{"name": "x"}', "$", "missing required field `fen`"),
        (b'{"fen": ' + b"9" * 21 + b"}", "$", "a number of more than 20 digits"),
        (b'{"fen": ' + b"9" * 5000 + b"}", "$", "a number of more than 20 digits"),
        (b"", "$", "not JSON at line 1, character 1. Send one JSON value in UTF-8"),
        (b'{"fen": 1', "$", "not JSON at line 1, character 10"),
        (b'{\n "fen": x}', "$", "not JSON at line 2, character 9"),
        (b'{"fen": 01}', "$", "not JSON at"),
        (b'{"fen": +1}', "$", "not JSON at"),
        (b'{"fen": 1_000}', "$", "not JSON at"),
        (b'{"fen": \xef\xbc\x91}', "$", "not JSON at"),
        (b"{'fen': 1}", "$", "not JSON at"),
        (b'{"fen": 1} // x', "$", "not JSON at"),
        (b'{"fen": 1}{"fen": 1}', "$", "not JSON at"),
        (b"null", "$", "Expected `object`, got `null`"),
        (b"[]", "$", "Expected `object`, got `array`"),
        (b'{"fen": 1, "name": "\xff"}', "$", "byte 20 is not UTF-8. Send UTF-8"),
        (b'\xef\xbb\xbf{"fen": 1}', "$", "starts with a byte order mark. Send UTF-8 without it"),
        ('{"fen": 1}'.encode("utf-16"), "$", "is not UTF-8"),
        (b'{"fen": 1, "name": "\xed\xa0\x80"}', "$", "is not UTF-8"),
        (b'{"fen": 1, "name": "\\ud800"}', "$", "not JSON: "),
        (b'{"fen": 1, "name": "a\nb"}', "$", "not JSON at"),
        (b"[" * 33 + b"]" * 33, "$", "nested deeper than 32. Send a flatter value"),
        (b"[" * 200_000, "$", "nested deeper than 32"),
        (b'{"a":' * 200_000, "$", "nested deeper than 32"),
        (b" " * MOST_BYTES + b"{}", "$", "bytes are more than 1048576. Send less at once"),
    ],
)  # fmt: skip
def test_what_is_not_the_json_we_take_is_refused_with_its_place(raw, where, says):
    with pytest.raises(NotStrict) as raised:
        decode(raw, Item)
    assert raised.value.where == where
    assert says in str(raised.value)


def test_what_is_right_is_read():
    raw = '{"fen": 59985, "name": "冰箱", "paid": true, "rest": {"a": 0}}'.encode()
    assert decode(raw, Item) == Item(59985, "冰箱", True, {"a": 0})


def test_depth_counts_brackets_but_not_those_in_text():
    assert decode(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, list)
    assert decode(b'["' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"]', list[str])
    assert decode(b"[" + b"[]," * 99 + b"[]]", list)


def test_the_limit_is_the_callers():
    with pytest.raises(NotStrict, match="11 bytes are more than 10"):
        decode(b'{"fen": 12}', Item, most_bytes=10)
    assert decode(b'{"fen": 12}', Item, most_bytes=11)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b"[]," * 40 + b'"' + b'\\"' * 500_000,  # quotes that never close
        b"[" + b"[]," * 40 + b'"' + b"\\" * 1_000_000,
        b'"' * 1_000_000 + b"[" * 40,
        b"[" + b'"",' * 340_000 + b"[],[]]",
    ],
)
def test_a_crafted_megabyte_does_not_keep_the_reader_busy(raw):
    with cpu_time() as cost, contextlib.suppress(NotStrict):
        decode(raw, list)
    assert cost.s < 2


def test_a_number_that_is_none_of_those_asked_for_is_shown_only_while_it_can_be_no_card():
    of = Literal[1]
    with pytest.raises(NotStrict, match="Invalid enum value 2"):
        decode(b"2", of)
    with pytest.raises(NotStrict, match=r"Invalid enum value \(not shown\)"):
        decode(b"6299998473651209384", of)


def test_the_error_can_be_written_in_utf_8_whatever_the_key_was():
    with pytest.raises(NotStrict) as raised:
        decode(b'{"\\ud800": 1, "\\ud800": 2}', Item)
    assert str(raised.value).encode() == b"$.(not shown): the key stands twice. Send each field once"


def test_the_error_holds_no_text_value_of_the_body():
    with pytest.raises(NotStrict) as raised:
        decode(b'{"fen": "6222021234567890123"}', Item)
    assert "6222" not in str(raised.value)


@pytest.mark.parametrize(
    "sold_at", ['"2026-03-01T10:00:00"', "1772330400", '"2026-03-01"', '"2026-02-30T10:00:00Z"']
)
def test_an_instant_needs_its_offset(sold_at):
    raw = f'{{"sold_at": {sold_at}, "programme": "P", "initial_price_fen": 1}}'.encode()
    with pytest.raises(NotStrict, match=r"^\$\.sold_at: "):
        decode(raw, Facts)


@given(st.binary(max_size=60))
def test_no_bytes_bring_anything_but_a_value_or_not_strict(raw):
    with contextlib.suppress(NotStrict):
        decode(raw, Item)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["fen", "name", "paid", "rest", "more"]), JSON))
def test_no_json_brings_anything_but_a_value_or_not_strict(value):
    try:
        item = decode(json.dumps(value).encode(), Item)
    except NotStrict:
        return
    assert (item.fen, item.name, item.paid) == (value["fen"], value.get("name", ""), value.get("paid", False))
    assert type(value["fen"]) is int
