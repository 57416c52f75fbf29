"""Is this a serial number as a maker prints it?"""

import pytest

from subsidy.codes import BadCode
from subsidy.codes.serial_no import read


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" ab-12345 ", "AB-12345"),
        ("SN0O1l\r\n", "SN0O1L"),  # O and 0 are left as they are: both occur
        ("1234", "1234"),
        ("A/B.C_D-1", "A/B.C_D-1"),
        ("X" * 40, "X" * 40),
    ],
)
def test_a_serial_number_is_trimmed_and_in_upper_case(text, number):
    assert read(text) == number
    assert read(number) == number


@pytest.mark.parametrize(
    "text",
    ["", "ABC", "X" * 41, "AB 12345", "-AB12345", "AB\t12345", "ＡＢ12345", "ßß123", "AB1234*", "AB1234\x00",
     "序列号1234"],
)  # fmt: skip
def test_what_cannot_be_one_is_refused(text):
    with pytest.raises(BadCode, match="4 to 40 letters, digits"):
        read(text)
