"""What makes a proposal happen, and what never does?"""

from typing import get_args

import msgspec
import pytest
import reference_data as reference
from books import changed_rule
from centre import APPROVER, PROPOSER, add_person
from fake_device import promised
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.copies.restored import NoteRestore, SettleRestore
from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.freezings import SHOWN_OF_INDEX, ImposeFreeze, Kind, LiftFreeze
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.funds.top_up import TopUp
from settlement.intake.settle_entry import SettleEntry
from settlement.invoices.take import TakeInvoice
from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.people import tokens, users
from settlement.people.agreed import AddUser, ChangeRoles, DisableUser, OfPeople, ResetCredentials
from settlement.people.roles import Grant, Role
from settlement.proposals import make, read_proposals, two_people
from settlement.proposals.approve import LASTS_MS, Approve
from settlement.proposals.make import Desk
from settlement.proposals.propose import Propose
from settlement.proposals.shown import is_same
from settlement.proposals.turn_down import Decline, Withdraw
from settlement.proposals.two_people import NeedsTwo
from settlement.reconcile.apply_night import ApplyNight, Find
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.system import random_bytes
from settlement.writer.apply import Command, Direct
from settlement.writer.rows import Freezing
from settlement.writer.step import Claimed, Denied, Done
from subsidy.money import MOST_FEN
from subsidy.policy.model import Tender
from subsidy.policy.split import Part
from subsidy.wire import v1

ADMINISTRATORS = ("chen", "gao")
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no="SN-0001")
TOP_UP = TopUp(2026, (Part("central", 100),), "示例财建〔2026〕9号")


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def desk(books):
    """What a proposal is made with."""
    return Desk(
        books.engine, books.setting(), books.clock.now_ms(), random_bytes, lambda one: books.write(one)[0]
    )


def propose(books, command, by=PROPOSER):
    """Propose a command and return the proposal as people see it."""
    made = make.make(desk(books), command, by)
    assert isinstance(made, str), made
    return shown(books, made)


def shown(books, name):
    """Return a proposal as people see it."""
    with reading(books.engine) as connection:
        return read_proposals.proposal(connection, name, books.clock.now_ms())


def approval(proposal, by=APPROVER):
    """Return the approval of what was shown."""
    return Approve(proposal.proposal, by, proposal.shown_hash)


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


# The list.


def a_claim(books, device):
    """Return a sale's record and the claim that it is in."""
    record_id = promised(books.sell(device)).record_id
    return record_id, books.claim(device).claim


def of_every_kind(books, device):
    """Yield each command that needs two people, when the books would take it."""
    other = books.enrol("other")
    yield TOP_UP
    yield MoveAuthority(Place(2026), Place(2027), (Part("central", 1),), "document 9")
    record_id, claim = a_claim(books, device)
    yield SendBack(claim, record_id, "no photo", to_correct=True)
    yield PayClaim(books.claim(device).claim, "bank 1")
    record_id, claim = a_claim(books, device)
    yield SendBack(claim, record_id, "no invoice", to_correct=False)
    sealed = books.sell(device)
    books.done(PayClaim(books.claim(device).claim, "bank 2"))
    books.give_back(device, sealed)
    yield Repay(promised(sealed).record_id, "bank 3")
    late = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(late)))
    yield EnterLate(promised(late).record_id, "decision 1")
    late = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(late)))
    yield RejectRecord(promised(late).record_id, frees_goods=False, reason="decision 2")
    held = promised(books.hold(device, person=8, item=ITEM)).record_id
    yield FreeGoods(held, "the shopper waits")
    yield ReleaseHold(held, "the shop burnt down")
    books.done(ImposeFreeze(Kind.SHOP, reference.SHOP, "case 7", "li"))
    yield LiftFreeze(Kind.SHOP, reference.SHOP, "cleared")
    books.done(FreezeDevice(device.name, "stolen", "li"))
    yield UnfreezeDevice(device.name, "found again")
    sold = promised(books.sell(other, person=9)).record_id
    yield ReplaceDevice(other.name, "its disk is dead")
    books.done(BeginReturn(sold, "does not cool", "li"))
    yield EndReturn(sold, refunded=True, reference="void slip 17")
    third = books.enrol("third")
    cash = books.hold(third, person=7, category="AC")
    attempts = (third.attempt(promised(cash), tender=Tender.CASH),)
    books.take(third, third.chain(third.paid(cash, attempts=attempts)))
    yield TakeInvoice(promised(cash).record_id, "25322000000012345678", 290_000, "query 17")
    yield explanation(books, third)
    yield from of_lines_held_back(books, third)
    books.take(third, third.chain(b"poison"))
    yield SettleEntry(f"{third.name}/1/{third.seq}", "nobody can read it")
    yield CloseYear(2026)
    yield from about_people(books)


def about_people(books):
    """Yield what two administrators may decide about others."""
    for name in ADMINISTRATORS:
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    yield AddUser("sun", ("reviewer@county:321202",), code_hash="0" * 64)
    yield ChangeRoles("sun", ("auditor",), ("reviewer@county:321202",))
    yield ResetCredentials("sun", "0" * 64)
    yield DisableUser("sun")


def of_lines_held_back(books, device):
    """Yield what people may decide of lines that the centre would not grant now."""
    pack, sales = books.pack, [books.hold(device, person=person) for person in (4, 5)]
    books.pack = changed_rule(pack, "FRIDGE", low_cap)
    for sealed in sales:
        books.take(device, device.chain(device.paid(sealed)))
    books.pack = pack
    first, second = (promised(sealed).record_id for sealed in sales)
    yield AcceptDifference(first, "decision_differs", "the price was right")
    yield RejectRecord(second, frees_goods=True, reason="no such sale")


def low_cap(rule):
    """Return the rule with a cap that the grant is above."""
    (row,) = rule.cap.rows
    lower = msgspec.structs.replace(row, value=10_000)
    return msgspec.structs.replace(rule, cap=msgspec.structs.replace(rule.cap, rows=(lower,)))


def explanation(books, device):
    """Return who bore a part of a sale in which the night has found that somebody did."""
    record_id = promised(books.sell(device, person=6, category="PHONE")).record_id
    pay_ref = books.record(record_id).pay_ref
    kind = "channel_discount"
    find = Find(pay_ref, kind, "2026-03-01", 500, pay_ref, record_id, "BOOKED", "platform", "row 1", "ask")
    books.done(ApplyNight((find,)))
    return ExplainOffer(pay_ref, BorneBy.ALIPAY, 500, "answer 12")


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


# The database.


@pytest.mark.parametrize(
    "change",
    [
        "state = 'APPROVED', decided_by = proposed_by, decided_hash = shown_hash, decided_ms = 1",
        "state = 'APPROVED', decided_by = 'li', decided_hash = '', decided_ms = 1",
        "state = 'APPROVED', decided_by = '', decided_hash = shown_hash, decided_ms = 1",
        "state = 'APPROVED', decided_by = 'li', decided_hash = shown_hash",
        "state = 'APPROVED', decided_by = 'nobody', decided_hash = shown_hash, decided_ms = 1",
        "state = 'DONE'",
        "command = '{}'",
        "shown = '{}'",
        "shown_hash = 'x'",
        "proposed_by = 'another'",
        "proposed_ms = proposed_ms + 1",
        "kind = 'close_year'",
        "proposal = 'P-OTHER'",
    ],
)
def test_the_database_refuses_an_approval_that_is_none(books, change):
    propose(books, TOP_UP)
    with pytest.raises(IntegrityError):
        books.sql(f"UPDATE proposal SET {change}")


def test_the_database_takes_the_approval_that_is_one(books):
    propose(books, TOP_UP)
    books.sql(
        "UPDATE proposal SET state = 'APPROVED', decided_by = 'li', decided_hash = shown_hash, decided_ms = 1"
    )


@pytest.mark.parametrize("change", ["why = 'x'", "state = 'OPEN'", "decided_by = 'wang'"])
def test_the_database_refuses_to_change_what_was_decided(books, change):
    books.write(approval(propose(books, TOP_UP)))
    with pytest.raises(IntegrityError, match="decided once"):
        books.sql(f"UPDATE proposal SET {change}")
    with pytest.raises(IntegrityError, match="append-only"):
        books.sql("DELETE FROM proposal")


def test_the_database_refuses_an_approval_by_whoever_was_disabled_a_moment_ago(books):
    proposal = propose(books, TOP_UP)
    with writing(books.engine) as connection:
        users.disable(connection, APPROVER, "tests", 0)
    before = books.state_hash()
    with pytest.raises(IntegrityError, match="nobody who may approve"):
        books.writer.write_now([approval(proposal)])
    assert books.state_hash() == before


def test_the_database_refuses_an_approval_by_a_service(books):
    with writing(books.engine) as connection:
        users.add_service(connection, "robot", "tests", 0)
    proposal = propose(books, TOP_UP)
    with pytest.raises(IntegrityError, match="nobody who may approve"):
        books.writer.write_now([approval(proposal, "robot")])


# Over HTTP.


def top_up(number):
    """Return a top-up as JSON, each with a document of its own."""
    return {
        "type": "top_up",
        "year": 2026,
        "reference": f"doc {number}",
        "parts": [{"funder": "city", "fen": 5}],
    }


def test_over_http_one_proposes_and_another_approves(centre):
    proposed = centre.post("/v1/proposals", top_up(1))
    assert proposed.status_code == 202
    name = proposed.json()["proposal"]
    assert name in [one["proposal"] for one in centre.get("/v1/proposals?open=1").json()["proposals"]]
    assert centre.get(f"/v1/proposals/{name}", centre.second_token).json() == proposed.json()
    carried = centre.approve(proposed.json())
    assert (carried.status_code, carried.json()["proposal"]["state"]) == (200, "APPROVED")
    assert name not in [one["proposal"] for one in centre.get("/v1/proposals?open=1").json()["proposals"]]
    assert name in [one["proposal"] for one in centre.get("/v1/proposals").json()["proposals"]]
    assert centre.approve(proposed.json()).status_code == 409


def test_over_http_ones_own_is_not_approved_by_a_second_token_either(centre):
    both = (Grant(Role.OPERATIONS), Grant(Role.APPROVER))
    first = add_person(centre.centre, "both", *both)
    with writing(centre.centre.engine) as connection:
        second = tokens.make(connection, "both", "second", random_bytes, "both", centre.clock.now_ms())
    proposed = centre.post("/v1/proposals", top_up(2), first).json()
    for token in (first, second):
        refused = centre.approve(proposed, token)
        assert (refused.status_code, refused.json()["code"]) == (403, "SAME_PERSON")
    assert centre.approve(proposed).status_code == 200


def test_over_http_whoever_was_disabled_approves_nothing(centre):
    token = add_person(centre.centre, "gone", Grant(Role.APPROVER))
    proposed = centre.post("/v1/proposals", top_up(3)).json()
    with writing(centre.centre.engine) as connection:
        users.disable(connection, "gone", "tests", centre.clock.now_ms())
    assert centre.approve(proposed, token).status_code == 401
    assert centre.get(f"/v1/proposals/{proposed['proposal']}").json()["state"] == "OPEN"


def test_over_http_it_is_declined_or_withdrawn_with_a_reason(centre):
    declined = centre.post("/v1/proposals", top_up(4)).json()["proposal"]
    answer = centre.post(f"/v1/proposals/{declined}/decline", {"reason": "not ours"}, centre.second_token)
    assert (answer.status_code, answer.json()["state"], answer.json()["why"]) == (200, "DECLINED", "not ours")
    withdrawn = centre.post("/v1/proposals", top_up(5)).json()["proposal"]
    answer = centre.post(f"/v1/proposals/{withdrawn}/withdraw", {"reason": "typed twice"})
    assert (answer.status_code, answer.json()["state"]) == (200, "WITHDRAWN")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "place_hold"},
        {"type": "top_up"},
        {"type": "close_year", "year": "2026"},
        {"type": "close_year", "year": 2026, "more": 1},
        {"type": "propose", "proposal": "P-1", "by": "li", "kind": "", "command": "", "shown": ""},
        [top_up(6)],
    ],
)
def test_over_http_what_is_no_command_is_turned_away(centre, body):
    before = centre.state_hash()
    assert centre.post("/v1/proposals", body).status_code == 400
    assert centre.state_hash() == before


@pytest.mark.parametrize("name", ["P-NOTHERE", "%00", "x" * 500, "' OR 1=1 --"])
def test_over_http_a_proposal_that_is_not_there_is_a_404(centre, name):
    assert centre.get(f"/v1/proposals/{name}").status_code == 404
    approval_of_it = {"shown_hash": "0" * 64}
    path = f"/v1/proposals/{name}/approve"
    assert centre.post(path, approval_of_it, centre.second_token).status_code == 404


def test_every_step_of_a_proposal_is_an_event_that_stays(books):
    books.write(approval(propose(books, TOP_UP)))
    kinds = books.sql_rows("SELECT kind FROM event WHERE kind LIKE 'prop%' ORDER BY event_no")
    assert [kind for (kind,) in kinds] == ["proposed", "proposal_approved"]
    with pytest.raises(IntegrityError), writing(books.engine) as connection:
        connection.execute(text("DELETE FROM event WHERE kind = 'proposal_approved'"))
