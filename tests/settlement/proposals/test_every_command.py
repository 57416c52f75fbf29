"""Is each command that needs two people proposed, shown and carried out, and nobody's number kept of it?"""

from typing import get_args

import msgspec
import pytest
import reference_data as reference
from centre import APPROVER, PROPOSER
from fake_device import promised
from proposed import ADMINISTRATORS, TOP_UP, approval, desk, of_every_kind, propose, shown
from sqlalchemy import select

from settlement.claims.pay import PayClaim
from settlement.claims.send_back import SendBack
from settlement.copies.restored import NoteRestore, SettleRestore
from settlement.db import tables
from settlement.db.connection import reading
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.freezings import SHOWN_OF_INDEX, ImposeFreeze, Kind, LiftFreeze
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.funds.top_up import TopUp
from settlement.people.agreed import OfPeople
from settlement.proposals import make, two_people
from settlement.proposals.turn_down import Decline, Withdraw
from settlement.proposals.two_people import NeedsTwo
from settlement.returns.serve import BeginReturn
from settlement.writer.apply import Command, Direct
from settlement.writer.rows import Freezing
from settlement.writer.step import Claimed, Done
from subsidy.policy.split import Part


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def test_every_command_of_the_list_is_proposed_shown_and_carried_out(books, device):
    seen = set()
    for command in of_every_kind(books, device):
        first, second = ADMINISTRATORS if isinstance(command, OfPeople) else (PROPOSER, APPROVER)
        proposal = propose(books, command, first)
        assert proposal.shown.says
        assert proposal.shown.events
        (answer,) = books.write(approval(proposal, second))
        assert isinstance(answer, Done | Claimed), answer
        seen.add(type(command))
    assert seen == set(get_args(NeedsTwo))


@pytest.mark.parametrize("kind", [ReleaseHold, FreeGoods, LiftFreeze, UnfreezeDevice, ReplaceDevice])
def test_a_command_that_says_itself_who_has_decided_is_not_proposed(books, device, kind):
    words = (Kind.SHOP, reference.SHOP, "why") if kind is LiftFreeze else ("x", "why")
    denied = make.make(desk(books), kind(*words, by="the mayor"), PROPOSER)
    assert (denied.code, "$.by" in denied.detail) == ("TEXT_WRONG", True)
    assert '"by"' not in two_people.written(kind(*words))


def test_a_frozen_person_is_named_in_a_proposal_by_the_beginning_of_the_index(books, device):
    record_id = promised(books.sell(device, person=0)).record_id
    index = books.record(record_id).person
    books.done(ImposeFreeze(Kind.PERSON, index, "case 7", "li", record_id))
    proposal = propose(books, LiftFreeze(Kind.PERSON, index[:SHOWN_OF_INDEX], "cleared"))
    assert proposal.shown.command.name == index[:SHOWN_OF_INDEX]
    assert index not in msgspec.json.encode(proposal).decode()
    assert books.write(approval(proposal)) == [Done()]
    assert books.row(Freezing, "person", index).lifted_by == f"{PROPOSER}, {APPROVER}"


def test_what_needs_two_people_is_nothing_that_an_address_may_give_to_the_writer():
    assert set(Direct.__args__).isdisjoint(NeedsTwo.__args__)
    assert set(Command.__args__) == {*Direct.__args__, *NeedsTwo.__args__}


def test_a_command_is_written_and_read_as_it_is(books, device):
    for command in (TOP_UP, PayClaim("C-1", "bank"), SendBack("C-1", "r", "why", True), CloseYear(2026)):
        assert two_people.read(two_people.written(command)) == command


# Nobody's number.

NUMBERS = ("321202199003070013", "6222021234567890123", "13812345678")
PERSONAL = "the buyer {}, card {}, phone {} says so".format(*NUMBERS)
BLOTTED = "the buyer [removed], card [removed], phone [removed] says so"
BOOKED_ONCE = (TopUp, MoveAuthority, PayClaim)


def with_numbers(command):
    """Return the command with numbers of a person in every text that somebody writes freely."""
    free = {"reason", "why", "reference"} & set(command.__struct_fields__)
    return msgspec.structs.replace(command, **dict.fromkeys(free, PERSONAL))


def kept(books):
    """Return everything that the database keeps, as text."""
    with reading(books.engine) as connection:
        return "".join(
            str(tuple(row))
            for table in tables.metadata.sorted_tables
            for row in connection.execute(select(table))
        )


def test_no_number_of_a_person_is_kept_of_what_is_proposed_and_carried_out(books, device):
    for command in of_every_kind(books, device):
        first, second = ADMINISTRATORS if isinstance(command, OfPeople) else (PROPOSER, APPROVER)
        wordy = command if isinstance(command, BOOKED_ONCE) else with_numbers(command)
        proposal = propose(books, wordy, first)
        assert (BLOTTED in proposal.shown.says) == (wordy != command)
        (answer,) = books.write(approval(proposal, second))
        assert isinstance(answer, Done | Claimed), answer
    assert [one for one in NUMBERS if one in kept(books)] == []


@pytest.mark.parametrize("end", [Withdraw, Decline])
def test_no_number_of_a_person_is_kept_of_why_a_proposal_ends(books, end):
    proposal = propose(books, TOP_UP)
    by = PROPOSER if end is Withdraw else APPROVER
    books.done(end(proposal.proposal, by, PERSONAL))
    assert shown(books, proposal.proposal).why == BLOTTED
    assert [one for one in NUMBERS if one in kept(books)] == []


def test_no_number_of_a_person_is_kept_of_what_one_person_does_alone(books, device):
    sold = promised(books.sell(device)).record_id
    books.done(ReplaceDevice(device.name, "its disk is dead"))
    books.done(BeginReturn(sold, PERSONAL, "li"))
    other = books.enrol("other")
    books.done(FreezeDevice(other.name, PERSONAL, "li"))
    books.done(ImposeFreeze(Kind.SHOP, reference.SHOP, PERSONAL, "li"))
    books.done(NoteRestore(1, "0" * 64, books.clock.now_ms()))
    books.clock.ahead_ms += 1
    books.done(SettleRestore(PERSONAL, gone=(other.name,)))
    assert kept(books).count(BLOTTED) >= 4
    assert [one for one in NUMBERS if one in kept(books)] == []


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "command",
    [TOP_UP, MoveAuthority(Place(2026), Place(2027), (Part("central", 1),), "9"), PayClaim("C", "bank 1")],
    ids=two_people.kind_of,
)
def test_a_document_that_is_booked_once_is_refused_with_such_a_number(books, command, number):
    """Two that were blotted out would be taken for the same document."""
    denied = make.make(desk(books), msgspec.structs.replace(command, reference=f"slip {number}"), PROPOSER)
    assert (denied.status, denied.code) == (422, "TEXT_WRONG")
    assert "$.reference" in denied.detail
    assert number not in denied.detail


def test_documents_that_were_proposed_before_such_numbers_were_refused_stay_two(books):
    for number in NUMBERS:
        books.done(msgspec.structs.replace(TOP_UP, reference=f"document {number}"))
