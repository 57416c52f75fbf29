"""What do the books and the claim make of an exchange (换货): a return, then a new sale to the same one?"""

import pytest
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.writer.rows import ClaimLine, Qualification, Quota, Serial
from subsidy.policy.refusals import Refusal

GRANT_FEN = 43_500
PERSON = 3


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def test_the_quota_is_the_new_sales_and_the_claim_has_it_alone(books, device):
    first = books.sell(device, person=PERSON)
    assert Refusal.PERSON_QUOTA_USED in books.refusals(device, person=PERSON)
    books.give_back(device, first)
    second = books.sell(device, person=PERSON)
    old, new = books.record(first), books.record(second)
    assert (old.state, new.state) == ("RETURNED", "PAYABLE")
    assert books.row(Quota, new.person, new.category, new.year).used == 1
    assert books.row(Qualification, new.qualification).used_by == new.record_id
    assert books.row(Serial, old.brand, old.serial_no).taken_by != old.record_id
    assert books.row(Serial, new.brand, new.serial_no).taken_by == new.record_id
    assert books.money() == {"payable": GRANT_FEN}
    built = books.claim(device)
    assert (built.lines, built.fen) == (1, GRANT_FEN)
    assert books.row(ClaimLine, built.claim, promised(second).record_id).state == "SUBMITTED"
    assert books.money() == {"in_claim": GRANT_FEN}


def test_what_was_in_a_claim_is_withheld_there_and_the_new_sale_goes_into_the_next(books, device):
    first = books.sell(device, person=PERSON)
    claim = books.claim(device).claim
    books.give_back(device, first)
    second = books.sell(device, person=PERSON)
    books.done(PayClaim(claim, "bank 1"))
    assert books.row(ClaimLine, claim, promised(first).record_id).state == "WITHHELD"
    following = books.claim(device)
    assert (following.lines, following.fen) == (1, GRANT_FEN)
    assert books.row(ClaimLine, following.claim, promised(second).record_id).state == "SUBMITTED"
    assert books.money() == {"in_claim": GRANT_FEN}
