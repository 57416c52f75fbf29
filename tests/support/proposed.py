"""Proposals in tests: how they are made, shown and approved, and one of each kind."""

import msgspec
import reference_data as reference
from books import changed_rule
from centre import APPROVER, PROPOSER, add_person
from fake_device import promised

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.db.connection import reading
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.funds.top_up import TopUp
from settlement.intake.settle_entry import SettleEntry
from settlement.invoices.take import TakeInvoice
from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.people.agreed import AddUser, ChangeRoles, DisableUser, ResetCredentials
from settlement.people.roles import Grant, Role
from settlement.proposals import make, read_proposals
from settlement.proposals.approve import Approve
from settlement.proposals.make import Desk
from settlement.reconcile.apply_night import ApplyNight, Find
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.system import random_bytes
from subsidy.policy.model import Tender
from subsidy.policy.split import Part
from subsidy.wire import v1

ADMINISTRATORS = ("chen", "gao")
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no="SN-0001")
TOP_UP = TopUp(2026, (Part("central", 100),), "示例财建〔2026〕9号")


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
