"""A void, refund or reversal is of a sale only when nothing that it says speaks against it."""

import pytest
from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.checkout.what_was_undone import Known, Undone, contradiction, pick

FEN = 85_000
DAY_MS = 86_400_000
SAID = Evidence(
    rrn="900000000001",
    auth="A00001",
    masked_pan="629999*********9384",
    host_date="0301",
    batch="1",
    trace="2",
)
SALE = Known(FEN, FEN, SAID, 60_000)
ALL = Undone(FEN, True, SAID.rrn, SAID.auth, SAID.masked_pan, SAID.host_date)
NO_RRN = replace(ALL, rrn="")
REFUND = replace(ALL, is_whole=False)


@pytest.mark.parametrize(
    ("undone", "sale"),
    [
        (ALL, SALE),
        (Undone(), SALE),
        (NO_RRN, SALE),
        (NO_RRN, replace(SALE, said=Evidence())),
        (REFUND, replace(SALE, age_ms=300 * DAY_MS)),
        (replace(REFUND, fen=1), SALE),
        (replace(ALL, auth="A00002", masked_pan="629999*********0000", day="0302"), SALE),
        (replace(NO_RRN, fen=FEN - 5), replace(SALE, taken_fen=FEN - 5)),
        (replace(NO_RRN, fen=FEN), replace(SALE, taken_fen=FEN - 5)),
        (NO_RRN, replace(SALE, taken_fen=None)),
        (NO_RRN, replace(SALE, age_ms=-DAY_MS)),  # the host's clock was set back
        # It stood in 1970 when the sale began: the acquirer's dates say how old that is.
        (replace(NO_RRN, undone_on="0301"), replace(SALE, age_ms=20_000 * DAY_MS)),
        (replace(NO_RRN, undone_on="0304"), replace(SALE, age_ms=20_000 * DAY_MS)),
        (Undone(undone_on="0101"), replace(SALE, said=replace(SAID, host_date="1231"))),
        (Undone(undone_on="0229"), replace(SALE, said=replace(SAID, host_date="0228"))),
        (Undone(undone_on="9999"), SALE),
    ],
)
def test_what_may_be_meant_is_not_contradicted(undone, sale):
    assert contradiction(undone, sale) == ""


@pytest.mark.parametrize(
    ("undone", "sale", "word"),
    [
        (replace(ALL, fen=FEN - 1), SALE, "another amount"),
        (replace(ALL, fen=FEN + 1), SALE, "another amount"),
        (replace(REFUND, fen=FEN + 1), SALE, "more than was paid"),
        (replace(ALL, rrn="900000000009"), SALE, "reference number"),
        (replace(REFUND, rrn="900000000009"), SALE, "reference number"),
        (replace(NO_RRN, auth="A00002"), SALE, "authorisation"),
        (replace(NO_RRN, masked_pan="629999*********0000"), SALE, "another card"),
        (replace(NO_RRN, day="0302"), SALE, "another day"),
        (NO_RRN, replace(SALE, age_ms=2 * DAY_MS + 1), "older than a batch"),
        (Undone(), replace(SALE, age_ms=2 * DAY_MS + 1), "older than a batch"),
        (Undone(undone_on="9999"), replace(SALE, age_ms=2 * DAY_MS + 1), "older than a batch"),
        (replace(NO_RRN, undone_on="0305"), SALE, "older than a batch"),  # whatever the host's clock says
        (replace(NO_RRN, undone_on="0225"), SALE, "older than a batch"),
    ],
)
def test_one_thing_that_is_not_so_is_enough(undone, sale, word):
    assert word in contradiction(undone, sale)


def test_the_newest_is_meant_unless_an_older_one_is_named_by_its_reference():
    newer = replace(SALE, said=replace(SAID, rrn="900000000009"))
    assert pick(ALL, []) is None
    assert pick(NO_RRN, [newer, SALE]) == 0
    assert pick(ALL, [newer, SALE]) == 1
    assert pick(replace(ALL, rrn="900000000005"), [newer, SALE]) == 0
