"""How may names of people, cards and phones appear in a log? All numbers here are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.ids import record_id
from subsidy.masking import mask_identity, mask_pan, mask_phone, scrub

PAN = "6222021234567890123"
RECORD = record_id(1_790_000_000_000, b"\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (PAN, "622202*********0123"),
        ("6222 0212 3456 7890 123", "622202*********0123"),
        ("622202****0123", "622202****0123"),
        ("622202xxxx0123", "622202****0123"),
        ("6222021234", "**********"),
        ("", ""),
    ],
)
def test_a_card_number_keeps_its_first_6_and_last_4_digits(text, masked):
    assert mask_pan(text) == masked


@given(st.from_regex(r"[0-9]{12,19}", fullmatch=True))
def test_masking_twice_changes_nothing_and_ten_digits_at_most_are_seen(pan):
    masked = mask_pan(pan)
    assert mask_pan(masked) == masked
    assert len(masked) == len(pan)
    assert sum(one.isdigit() for one in masked) <= 10


def test_phones_and_identity_numbers_keep_little():
    assert mask_phone("13912345678") == "139****5678"
    assert mask_phone("12345") == "*****"
    assert mask_identity("321202199001011234") == "321202***********4"
    assert mask_identity("12345") == "*****"


@pytest.mark.parametrize(
    "secret",
    [
        PAN,
        "6222 0212 3456 7890",
        "6222-0212-3456-7890",
        "62220212345678",
        f";{PAN}=30122010000012300000?",
        f"%B{PAN}^ZHANG/SAN^3012201?",
        f"{PAN}D30122010000012300000",
        "321202199001011234",
        "32120219900101123X",
        "13912345678",
        "+86 139 1234 5678",
        "139-1234-5678",
    ],
)
@pytest.mark.parametrize("around", ["{}", "pan={} ok", "卡号{}，", '{{"a":"{}"}}', f"{RECORD} {{}} {RECORD}"])
def test_nothing_that_looks_like_a_person_or_card_is_left(secret, around):
    found = scrub(around.format(secret))
    assert "[removed]" in found
    assert secret not in found
    assert "1234567" not in found.replace(RECORD, "")


@pytest.mark.parametrize(
    "text",
    ["granted 599.85", "6901234567892", "2026-03-01T10:00:00+08:00", "held_until=1790000000000", "12345678"],
)
def test_amounts_days_times_and_bar_codes_stay(text):
    assert scrub(text) == text


@given(st.integers(1_700_000_000_000, 2_000_000_000_000), st.binary(min_size=10, max_size=10))
def test_a_record_id_is_never_taken_for_a_card(at_ms, randomness):
    line = f"sale.paid record_id={record_id(at_ms, randomness)} amount_fen=339915"
    assert scrub(line) == line


def test_a_record_id_all_in_digits_stays_and_a_card_beside_it_does_not():
    assert "7" in RECORD
    digits = "01981234-5678-7123-8123-123456789012"
    assert scrub(f"{digits} {PAN}") == f"{digits} [removed]"
    assert "[removed]" in scrub(f"6{digits}"), "one digit more is no record id"


FULL_WIDTH = {one: one + 0xFEE0 for one in range(0x21, 0x7F)} | {ord(" "): 0x3000}


@pytest.mark.parametrize(
    "secret", [PAN, "6222 0212 3456 7890", "321202199001011234", "32120219900101123X", "+86 139-1234 5678"]
)
def test_a_number_typed_in_full_width_is_blotted_out_as_well(secret):
    wide = secret.translate(FULL_WIDTH)
    assert scrub(f"顾客{wide}，退货") == "顾客[removed],退货"
    assert scrub(f"顾客{wide[:7]}{secret[7:]}退货") == "顾客[removed]退货"


def test_what_is_written_in_full_width_and_is_nobodys_stays_as_it_is():
    text = "不喜欢颜色，Ａ１２型（坏）\u3000１００元"
    assert scrub(text) == text
