"""What makes a proposal happen, and what never does?"""

import msgspec
import pytest
from centre import APPROVER, PROPOSER, add_person
from fake_device import promised
from proposed import TOP_UP, approval, desk, propose, shown
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.db.connection import writing
from settlement.funds.close_year import CloseYear
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.top_up import TopUp
from settlement.people import users
from settlement.people.roles import Grant, Role
from settlement.proposals import make
from settlement.proposals.approve import LASTS_MS, Approve
from settlement.proposals.propose import Propose
from settlement.proposals.shown import is_same
from settlement.proposals.turn_down import Decline, Withdraw
from settlement.writer.step import Claimed, Denied, Done
from subsidy.money import MOST_FEN
from subsidy.policy.split import Part


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def given(books):
    """Return what the funders have given."""
    return -sum(row[0] for row in books.sql_rows("SELECT fen FROM balance WHERE account = 'appropriated'"))


def test_nothing_happens_until_another_person_approves(books):
    before = given(books)
    proposal = propose(books, TOP_UP)
    assert (given(books), proposal.state, proposal.proposed_by) == (before, "OPEN", PROPOSER)
    assert books.write(approval(proposal)) == [Done()]
    assert given(books) == before + 100
    approved = shown(books, proposal.proposal)
    assert (approved.state, approved.decided_by) == ("APPROVED", APPROVER)
    assert books.happened[-3:] == ["proposed", "topped_up", "proposal_approved"]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (TopUp(2026, (Part("central", 2**62),), "9"), "$.parts[0].fen"),
        (CloseYear(2**63), "$.year"),
        (MoveAuthority(Place(-(2**63) - 1), Place(2026), (Part("central", 1),), "9"), "$.taken_from.year"),
    ],
)
def test_a_number_that_no_books_can_hold_is_not_proposed(books, command, where):
    before = books.state_hash()
    denied = make.make(desk(books), command, PROPOSER)
    assert (denied.status, denied.code) == (422, "NUMBER_WRONG")
    assert denied.detail.startswith(f"{where}: ")
    assert books.state_hash() == before


def test_whoever_proposed_does_not_approve(books):
    proposal = propose(books, TOP_UP)
    assert books.denied(approval(proposal, PROPOSER)) == "SAME_PERSON"


def test_what_was_proposed_by_whoever_is_disabled_since_is_not_approved(books):
    """An account in the wrong hands may have proposed it."""
    add_person(books.centre, "zhou", Grant(Role.OPERATIONS))
    proposal, before = propose(books, TOP_UP, "zhou"), given(books)
    with writing(books.engine) as connection:
        users.disable(connection, "zhou", "tests", 0)
    assert books.denied(approval(proposal)) == "PROPOSER_DISABLED"
    assert (given(books), shown(books, proposal.proposal).state) == (before, "OPEN")
    books.done(Decline(proposal.proposal, APPROVER, "zhou is gone"))


@pytest.mark.parametrize("shown_hash", ["0" * 64, "", "x"])
def test_another_thing_than_was_shown_is_not_approved(books, shown_hash):
    proposal = propose(books, TOP_UP)
    assert books.denied(Approve(proposal.proposal, APPROVER, shown_hash)) == "SHOWN_DIFFERS"


@pytest.mark.parametrize(
    "columns", [["command"], ["shown"], ["shown", "command"]], ids=["command", "shown", "both"]
)
def test_a_proposal_that_was_changed_between_showing_and_approving_is_not_carried_out(books, columns):
    proposal = propose(books, TOP_UP)
    books.unguard("proposal")
    for column in columns:
        books.sql(f"UPDATE proposal SET {column} = replace({column}, '100', '999')")
    assert books.denied(approval(proposal)) == "SHOWN_DIFFERS"


def test_a_proposal_lasts_seven_days(books):
    proposal = propose(books, TOP_UP)
    books.clock.ahead_ms += LASTS_MS - 1
    late = propose(books, msgspec.structs.replace(TOP_UP, reference="another"))
    books.clock.ahead_ms += 1
    assert books.denied(approval(proposal)) == "PROPOSAL_EXPIRED"
    assert shown(books, proposal.proposal).state == "EXPIRED"
    assert books.write(approval(late)) == [Done()]


def test_a_proposal_is_carried_out_once_however_often_it_is_approved(books):
    proposal = propose(books, TOP_UP)
    first, second = books.write(approval(proposal), approval(proposal))
    assert first == Done()
    assert second.code == "PROPOSAL_CLOSED"
    assert books.denied(approval(proposal)) == "PROPOSAL_CLOSED"


def test_a_proposal_that_is_not_there_is_not_approved(books):
    assert books.denied(Approve("P-NOTHERE", APPROVER, "0" * 64)) == "PROPOSAL_UNKNOWN"


def test_what_the_books_refuse_leaves_the_proposal_open(books):
    first = propose(books, TOP_UP)
    second = propose(books, TOP_UP, by="another")
    assert books.write(approval(first)) == [Done()]
    assert books.denied(approval(second)) == "ALREADY_BOOKED"
    assert shown(books, second.proposal).state == "OPEN"


def test_what_the_books_would_refuse_now_is_not_proposed(books):
    books.done(TOP_UP)
    before = books.state_hash()
    assert make.make(desk(books), TOP_UP, PROPOSER).code == "ALREADY_BOOKED"
    assert books.state_hash() == before


def test_proposing_the_same_again_is_the_same_proposal(books):
    first = propose(books, TOP_UP)
    assert propose(books, TOP_UP).proposal == first.proposal
    assert propose(books, TOP_UP, by="another").proposal != first.proposal
    books.write(Withdraw(first.proposal, PROPOSER, "typed wrong"))
    assert propose(books, TOP_UP).proposal != first.proposal


def test_a_name_that_is_taken_is_not_given_again(books):
    proposal = propose(books, TOP_UP)
    assert books.denied(Propose(proposal.proposal, "another", "top_up", "{}", "{}")) == "PROPOSAL_EXISTS"


@pytest.mark.parametrize(
    ("command", "state"), [(Withdraw, "WITHDRAWN"), (Decline, "DECLINED")], ids=["withdraw", "decline"]
)
def test_a_proposal_ends_without_being_carried_out(books, command, state):
    proposal = propose(books, TOP_UP)
    mine, other = (PROPOSER, APPROVER) if command is Withdraw else (APPROVER, PROPOSER)
    assert books.denied(command(proposal.proposal, other, "why")) in ("NOT_YOURS", "SAME_PERSON")
    assert books.write(command(proposal.proposal, mine, "why")) == [Done()]
    ended = shown(books, proposal.proposal)
    assert (ended.state, ended.decided_by, ended.why) == (state, mine, "why")
    assert books.denied(approval(proposal)) == "PROPOSAL_CLOSED"
    assert books.denied(command(proposal.proposal, mine, "why")) == "PROPOSAL_CLOSED"


# What is shown.


def test_what_is_shown_is_the_money_that_moves(books):
    proposal = propose(books, TOP_UP)
    assert {(one.funder, one.account, one.year): one.fen for one in proposal.shown.moves} == {
        ("central", "appropriated", 2026): -100,
        ("central", "available", 2026): 100,
    }
    assert proposal.shown.says == "add to 2026, by 示例财建〔2026〕9号: central 1.00"
    assert proposal.shown.command == TOP_UP


def test_a_payment_that_has_come_to_another_amount_is_not_carried_out(books, device):
    books.sell(device)
    back = books.sell(device)
    claim = books.claim(device).claim
    proposal = propose(books, PayClaim(claim, "bank 1"))
    assert (proposal.shown.command.lines, proposal.shown.command.fen) == (2, 87_000)
    books.give_back(device, back)
    assert books.denied(approval(proposal)) == "ANOTHER_AMOUNT"
    again = propose(books, PayClaim(claim, "bank 1"))
    assert [one.fen for one in again.shown.left_out] == [43_500]
    assert "1 lines, 435.00; withheld 1 lines, 435.00" in again.shown.says
    (paid,) = books.write(approval(again))
    assert isinstance(paid, Claimed)
    assert (paid.lines, paid.fen) == (1, 43_500)


def test_a_payment_of_other_lines_than_were_shown_is_not_carried_out(books, device):
    first, second = books.sell(device), books.sell(device)
    claim = books.claim(device).claim
    begun = device.returning(promised(first))
    books.take(device, device.chain(begun))
    proposal = propose(books, PayClaim(claim, "bank 1"))
    assert [one.record_id for one in proposal.shown.left_out] == [promised(first).record_id]
    refused = device.returned(promised(first), refunded=False)
    books.take(device, device.chain(refused), device.chain(device.returning(promised(second))))
    books.match()
    assert books.denied(approval(proposal)) == "COMES_TO_ANOTHER"
    again = propose(books, PayClaim(claim, "bank 2"))
    assert [one.record_id for one in again.shown.left_out] == [promised(second).record_id]


def test_what_comes_to_another_account_by_now_than_was_shown_is_not_carried_out(books, device):
    sealed = books.sell(device)
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    books.give_back(device, sealed)
    repayment = Repay(promised(sealed).record_id, "bank 2")
    proposal = propose(books, repayment)
    assert "available" in {one.account for one in proposal.shown.moves}
    books.done(CloseYear(2026))
    before = books.sql_rows("SELECT * FROM balance ORDER BY 1, 2, 3, 4")
    assert books.denied(approval(proposal)) == "COMES_TO_ANOTHER"
    assert books.sql_rows("SELECT * FROM balance ORDER BY 1, 2, 3, 4") == before
    books.done(Withdraw(proposal.proposal, PROPOSER, "the year is closed"))
    again = propose(books, repayment)
    assert "due_to_treasury" in {one.account for one in again.shown.moves}
    (answer,) = books.write(approval(again))
    assert isinstance(answer, Done)


def test_what_happens_otherwise_than_was_shown_is_not_the_same_though_no_other_money_moves(books):
    before = propose(books, TOP_UP).shown
    assert is_same(before, msgspec.structs.replace(before, says="said otherwise"))
    assert not is_same(before, msgspec.structs.replace(before, events={"topped_up": 2}))


@pytest.mark.parametrize(
    "reference", ["", " ", "a\nb", "a\0b", "x" * 201, "bank\u202e1", "bank\u200b1", "\ud800"], ids=ascii
)
def test_a_text_that_does_not_show_all_that_is_in_it_is_not_proposed(books, reference):
    denied = make.make(desk(books), msgspec.structs.replace(TOP_UP, reference=reference), PROPOSER)
    assert (denied.status, denied.code) == (422, "TEXT_WRONG")


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (Part("nobody", 1),),
        (Part("central", 0),),
        (Part("central", -5),),
        (Part("central", 1),) * 2,
        (Part("central", MOST_FEN + 1),),
    ],
)
def test_money_that_nobody_gives_is_not_proposed(books, parts):
    denied = make.make(desk(books), TopUp(2026, parts, "x"), PROPOSER)
    assert isinstance(denied, Denied)
    assert denied.status == 422


def test_every_step_of_a_proposal_is_an_event_that_stays(books):
    books.write(approval(propose(books, TOP_UP)))
    kinds = books.sql_rows("SELECT kind FROM event WHERE kind LIKE 'prop%' ORDER BY event_no")
    assert [kind for (kind,) in kinds] == ["proposed", "proposal_approved"]
    with pytest.raises(IntegrityError), writing(books.engine) as connection:
        connection.execute(text("DELETE FROM event WHERE kind = 'proposal_approved'"))
