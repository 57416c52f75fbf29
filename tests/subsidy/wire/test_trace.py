"""Is a sale's trace the sale's own, and is anything else taken for one?"""

import re

import pytest

from subsidy import ids
from subsidy.wire.trace import read_traceparent, trace_of, traceparent

RECORD = ids.record_id(1_772_337_600_000, bytes(10))
TRACE = RECORD.replace("-", "")


def test_the_trace_of_a_sale_is_its_record_id():
    assert trace_of(RECORD) == TRACE
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent(RECORD))
    assert read_traceparent(traceparent(RECORD)) == TRACE


def test_even_the_record_id_without_any_randomness_has_a_parent_that_counts():
    # A parent of zeros would be thrown away by whoever reads it.
    assert read_traceparent(traceparent(ids.record_id(0, bytes(10)))) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACE,
        f"01-{TRACE}-{'1' * 16}-01",
        f"ff-{TRACE}-{'1' * 16}-01",
        f"00-{TRACE.upper()}-{'1' * 16}-01",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{'1' * 16}-01-more",
        f"00-{TRACE}-{'1' * 16}-01\n",
        f" 00-{TRACE}-{'1' * 16}-01",
        f"00-{TRACE}-{'1' * 15}-01",
        f"00-{TRACE[:-1]}１-{'1' * 16}-01",
        "00-" + "x" * 10_000,
        "\u202e",
    ],
)
def test_what_is_not_exactly_a_traceparent_is_none(text):
    assert read_traceparent(text) is None
