"""How is a sale named, from the till to the auditor?"""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.ids import MOST_ATTEMPTS, is_record_id, pay_ref, read_pay_ref, record_id, refund_no

MOMENTS = st.integers(0, 2**48 - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)
ATTEMPTS = st.integers(1, MOST_ATTEMPTS)


@given(MOMENTS, RANDOMNESS)
def test_a_record_id_is_a_uuid_of_version_7_that_holds_its_time(at_ms, randomness):
    found = record_id(at_ms, randomness)
    parsed = uuid.UUID(found)
    assert is_record_id(found)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, found)
    assert int(found.replace("-", "")[:12], 16) == at_ms


@given(MOMENTS, MOMENTS, RANDOMNESS, RANDOMNESS)
def test_record_ids_sort_by_their_time(one_ms, other_ms, a, b):
    if one_ms < other_ms:
        assert record_id(one_ms, a) < record_id(other_ms, b)


@given(MOMENTS, RANDOMNESS, RANDOMNESS)
def test_74_random_bits_stay(at_ms, a, b):
    fixed = (0x0FFF << 64) | (2**62 - 1)
    differ = (int.from_bytes(a) ^ int.from_bytes(b)) & fixed
    assert (record_id(at_ms, a) == record_id(at_ms, b)) is (differ == 0)


@given(MOMENTS, RANDOMNESS, ATTEMPTS)
def test_a_pay_ref_reads_back_and_fits_the_channels(at_ms, randomness, attempt_no):
    of_record = record_id(at_ms, randomness)
    ref = pay_ref(of_record, attempt_no)
    assert ref.isascii()
    assert ref.isalnum()
    assert len(refund_no(ref)) <= 32
    assert read_pay_ref(ref) == read_pay_ref(refund_no(ref)) == (of_record, attempt_no)


@given(MOMENTS, RANDOMNESS, ATTEMPTS, st.integers(0, 27), st.sampled_from("ABCXYZ234567"))
def test_another_character_is_another_number_or_none(at_ms, randomness, attempt_no, at, other):
    ref = pay_ref(record_id(at_ms, randomness), attempt_no)
    changed = ref[:at] + other + ref[at + 1 :]
    if changed != ref:
        assert read_pay_ref(changed) != read_pay_ref(ref)


def test_the_last_letter_has_one_spelling_only():
    ref = pay_ref(record_id(1_790_000_000_000, bytes(10)), 1)
    taken = [one for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" if read_pay_ref(ref[:25] + one + ref[26:])]
    assert len(taken) == 8, "of 32 letters, those with the two spare bits at zero"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01981234-5678-7123-8123-12345678901",
        "01981234-5678-7123-8123-123456789012\n",
        "01981234-5678-4123-8123-123456789012",
        "01981234-5678-7123-c123-123456789012",
        "01981234-5678-7123-8123-12345678901G",
        "0198ABCD-5678-7123-8123-123456789012",
        "0198123456787123812312345678901２",
        "{01981234-5678-7123-8123-123456789012}",
    ],
)
def test_another_spelling_is_no_record_id(text):
    assert not is_record_id(text)


@pytest.mark.parametrize(
    "text", ["", "A" * 28, "A" * 26 + "00", "a" * 26 + "01", "A" * 26 + "01RR", "A" * 26 + "１1"]
)
def test_what_is_not_ours_is_no_pay_ref(text):
    assert read_pay_ref(text) is None


@pytest.mark.parametrize("attempt_no", [0, 100])
def test_there_are_99_attempts(attempt_no):
    with pytest.raises(AssertionError):
        pay_ref(record_id(0, bytes(10)), attempt_no)
