"""Is this a unified social credit code?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.codes import BadCode
from subsidy.codes.uscc import read

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def with_check(body: str) -> str:
    """Return `body` with its check character, worked out here from GB 32100."""
    total = sum(ALPHABET.index(one) * pow(3, i, 31) for i, one in enumerate(body))
    return body + ALPHABET[-total % 31]


BODIES = st.tuples(
    st.sampled_from(["91", "92", "93"]),
    st.sampled_from(["321202", "110000", "321281"]),
    st.text(ALPHABET, min_size=9, max_size=9),
).map("".join)


@given(BODIES)
def test_companies_and_sole_traders_are_read(body):
    assert read(with_check(body)) == with_check(body)
    assert read(with_check(body).lower()) == with_check(body)


@given(BODIES, st.sampled_from(ALPHABET))
def test_another_check_character_is_refused(body, other):
    code = body + other
    if code != with_check(body):
        with pytest.raises(BadCode, match="check character or length is wrong"):
            read(code)


@pytest.mark.parametrize(
    "text",
    ["", "91110000600037341", "91110000600037341LL", "９1110000600037341L", "91110000-600037341L",
     "91110000600037341L ", "9111000060003734IL"],
)  # fmt: skip
def test_what_is_no_code_is_refused(text):
    with pytest.raises(BadCode):
        read(text)
