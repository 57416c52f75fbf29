"""How are goods returned when the host that sold them is gone?"""

import json

import pytest
from books import Books
from centre_shell import Shell
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.devices.by_people import FreezeDevice, ReplaceDevice
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.writer.rows import GoodsReturn, Qualification, Quota, Serial
from subsidy import ids

GRANT_FEN = 43_500
NOBODYS = "0192f4a0-0000-7000-8000-000000000000"


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def sold(books, device):
    """Return a sale that is payable."""
    return books.sell(device, person=3)


@pytest.fixture
def gone(books, device):
    """Replace the device: its host is gone for good."""

    def replace():
        books.done(ReplaceDevice(device.name, "its disk is dead", by="wang, li"))

    return replace


def begin(sealed, reason="does not cool"):
    return BeginReturn(promised(sealed).record_id, reason, "wang")


def end(sealed, refunded=True):
    return EndReturn(promised(sealed).record_id, refunded, "refund 5030", by="wang, li")


def known(books, sealed):
    return books.row(GoodsReturn, promised(sealed).record_id)


def taken(books, sealed):
    """Return what the sale still has: serial number, qualification, quota."""
    record = books.record(sealed)
    serial = books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    qualification = books.row(Qualification, record.qualification).used_by == record.record_id
    return serial, qualification, books.row(Quota, record.person, record.category, record.year).used


def test_while_the_host_may_speak_its_own_till_returns_the_goods(books, sold):
    assert books.denied(begin(sold)) == "HOST_MAY_RETURN"
    assert books.denied(end(sold)) == "HOST_MAY_RETURN"
    assert known(books, sold) is None


def test_a_device_that_people_have_only_frozen_may_still_come_back(books, device, sold):
    books.done(FreezeDevice(device.name, "stolen", "li"))
    assert books.denied(begin(sold)) == "HOST_MAY_RETURN"


def test_a_return_that_begins_holds_the_line_back_and_frees_nothing(books, sold, gone):
    gone()
    books.done(begin(sold))
    record = books.record(sold)
    assert (record.state, record.blocks) == ("BLOCKED", ("returning",))
    assert books.money() == {"payable": GRANT_FEN}
    assert taken(books, sold) == (True, True, 1)
    found = known(books, sold)
    assert (found.state, found.operator, found.reason) == ("RETURNING", "wang", "does not cool")
    assert (found.refund_no, found.refund_fen) == (ids.refund_no(record.pay_ref), record.paid_fen)
    assert books.denied(begin(sold)) == "RETURN_UNDER_WAY"


def test_with_the_money_back_the_grant_goes_back_and_the_item_may_be_sold_again(books, sold, gone):
    gone()
    books.done(begin(sold))
    books.done(end(sold))
    assert books.record(sold).state == "RETURNED"
    assert books.money() == {}
    assert taken(books, sold) == (False, False, 0)
    assert (known(books, sold).state, known(books, sold).supervisor) == ("REFUNDED", "wang, li")
    assert books.denied(begin(sold)) == "RETURNED_BEFORE"
    assert books.denied(end(sold)) == "RETURNED_BEFORE"


def test_with_no_money_back_the_line_is_free_again_and_the_return_may_begin_anew(books, sold, gone):
    gone()
    books.done(begin(sold))
    books.done(end(sold, refunded=False))
    record = books.record(sold)
    assert (record.state, record.blocks) == ("PAYABLE", ())
    assert taken(books, sold) == (True, True, 1)
    assert books.denied(end(sold)) == "NO_RETURN"
    books.done(begin(sold))
    books.done(end(sold))
    assert books.money() == {}


def test_after_payout_the_merchant_owes_the_grant(books, device, sold, gone):
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    gone()
    books.done(begin(sold))
    books.done(end(sold))
    money = books.money()
    assert (money["paid"], money["merchant_receivable"]) == (GRANT_FEN, GRANT_FEN)
    assert books.record(sold).state == "RETURNED"


def test_in_a_claim_the_line_is_withheld_when_the_claim_is_paid(books, device, sold, gone):
    claim = books.claim(device).claim
    gone()
    books.done(begin(sold))
    books.done(end(sold))
    assert books.record(sold).blocks == ("returned",)
    paid = books.done(PayClaim(claim, "bank 1"))
    assert (paid.lines, [one.record_id for one in paid.left_out]) == (0, [promised(sold).record_id])
    assert books.money() == {}


def test_a_return_that_the_host_had_begun_before_it_was_gone_is_ended_by_people(books, device, sold, gone):
    books.take(device, device.chain(device.returning(promised(sold))))
    gone()
    assert books.denied(begin(sold)) == "RETURN_UNDER_WAY"
    books.done(end(sold))
    assert (books.record(sold).state, books.money()) == ("RETURNED", {})


def test_what_was_never_paid_cannot_come_back(books, device, gone):
    held = books.hold(device)
    gone()
    assert books.denied(begin(held)) == "NOT_PAID"
    assert books.denied(end(held)) == "NOT_PAID"


# As people use it.


@pytest.fixture
def shell(books, tmp_path):
    """The commands on the same books."""
    assert isinstance(books, Books)
    return Shell(tmp_path, tmp_path / "settlement.yaml")


def test_operations_return_goods_by_command_and_are_told_what_goes_back(books, shell, sold, gone):
    gone()
    record = books.record(sold)
    words = ("returns", "begin", record.record_id, "--reason", "does not cool")
    before = books.state_hash()
    assert "dry run, nothing was changed" in shell.run(*words, "--dry-run")
    assert books.state_hash() == before
    told = shell.json(*words)
    assert (told["refund_fen"], told["refund_no"]) == (record.paid_fen, ids.refund_no(record.pay_ref))
    assert told["tender"] == "card"
    assert told["payment"]
    done = shell.agree("returns", "end", record.record_id, "--refunded", "--reference", "void slip 17")
    assert done["proposal"]["shown"]["says"] == (
        f"book that the shopper of {record.record_id} has the money back, by void slip 17"
    )
    assert books.record(sold).state == "RETURNED"
    assert json.loads(shell.run("ledger", "verify", "--json"))["true"] is True


def test_a_command_names_what_is_wrong_and_changes_nothing(books, shell, sold):
    record_id = promised(sold).record_id
    before = books.state_hash()
    why = ("--reason", "why")
    for words, code in (
        (("returns", "begin", "x", *why), 2),
        (("returns", "begin", NOBODYS, *why), 2),
        (("returns", "begin", record_id, "--reason", "\n"), 2),
        (("returns", "begin", record_id, *why), 6),
        (("returns", "end", record_id, "--reference", "a"), 2),
        (("returns", "end", record_id, "--refunded", "--reference", ""), 2),
    ):
        token = shell.proposer if words[1] == "end" else None
        shell.run(*words, exit_code=code, token=token)
        assert books.state_hash() == before
    shell.run("returns", "begin", record_id, *why, exit_code=6)
    assert "return the goods at its till" in shell.stderr
