"""Are books after any commands in any order what their events make, and does a copy of them stay true?

The commands are drawn at random and may be refused: whatever they do, it must follow from the log.
"""

import shutil
import tempfile
from pathlib import Path

from books import Books
from fake_device import promised
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import RejectRecord
from settlement.copies.rebuild import rebuild
from settlement.copies.restored import NoteRestore, SettleRestore
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.funds.close_year import CloseYear
from settlement.funds.top_up import TopUp
from settlement.reconcile.apply_night import ApplyNight, EndHold, Find, Recover, Settle
from settlement.writer.step import Signed
from subsidy import ids
from subsidy.policy.split import Part
from subsidy.wire import v1

PEOPLE = 6


class AnyCommands(RuleBasedStateMachine):
    """Books, their devices, and what was promised to them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-commands-"))
        self.books = Books(self.folder)
        self.devices = [self.books.enrol("one"), self.books.enrol("two")]
        self.promised = []
        self.number = 0

    def teardown(self):
        self.what_the_events_make_is_what_the_books_are()
        self.books.close()
        shutil.rmtree(self.folder)

    def next(self) -> str:
        """Return a reference that was not used before."""
        self.number += 1
        return f"reference {self.number}"

    def of(self, data):
        """Return a device and a promise that it has."""
        return data.draw(st.sampled_from(self.promised))

    @rule(which=st.integers(0, 1), person=st.integers(0, PEOPLE - 1))
    def a_hold_is_asked_for(self, which, person):
        device = self.devices[which]
        answer = self.books.ask(device, device.hold_request(self.books.pack.hash, person=person))
        if isinstance(answer, Signed) and answer.typ == v1.PROMISE:
            self.promised.append((device, self.books.sealed(answer)))

    @precondition(lambda self: self.promised)
    @rule(
        data=st.data(),
        what=st.sampled_from(
            ["paid", "paid wrong", "closed", "returning", "returned", "not returned", "unread"]
        ),
        early=st.booleans(),
    )
    def a_device_reports(self, data, what, early):
        device, sealed = self.of(data)
        promise = promised(sealed)
        entry = {
            "paid": lambda: device.paid(sealed),
            "paid wrong": lambda: device.paid(sealed, paid_fen=1),
            "closed": lambda: device.closed(promise.record_id, promise.hold_no),
            "returning": lambda: device.returning(promise),
            "returned": lambda: device.returned(promise),
            "not returned": lambda: device.returned(promise, False),
            "unread": lambda: f'{{"kind": "paid", "record_id": "{promise.record_id}"}}'.encode(),
        }[what]()
        upload = device.upload([device.chain(entry)], self.books.open_of(device))
        self.books.write(self.books.uploaded(device, upload, stated=not early))

    @rule(which=st.integers(0, 1))
    def a_device_forgets_its_holds(self, which):
        device = self.devices[which]
        self.books.write(self.books.uploaded(device, device.upload([], ())))

    @rule()
    def a_day_ends_and_claims_are_built(self):
        day = self.books.next_day()
        for device in self.devices:
            self.books.write(self.books.uploaded(device, device.upload([], self.books.open_of(device))))
        self.books.write(BuildClaim("M001", day), BuildClaim("M002", day))

    @precondition(lambda self: self.promised)
    @rule(data=st.data(), what=st.sampled_from(["pay", "reject", "correct", "repaid", "late", "settle"]))
    def people_decide(self, data, what):
        _, sealed = self.of(data)
        record_id = promised(sealed).record_id
        claims = [claim for (claim,) in self.books.sql_rows("SELECT claim FROM claim ORDER BY claim")]
        claim = data.draw(st.sampled_from(claims or ["none"]))
        command = {
            "pay": PayClaim(claim, self.next()),
            "reject": SendBack(claim, record_id, "why", False),
            "correct": SendBack(claim, record_id, "why", True),
            "repaid": Repay(record_id, self.next()),
            "late": EnterLate(record_id, self.next()),
            "settle": RejectRecord(record_id, data.draw(st.booleans()), "why", by="wang, li"),
        }[what]
        self.books.write(command)

    @precondition(lambda self: self.promised)
    @rule(data=st.data(), what=st.sampled_from(["end", "recover", "find", "settle"]))
    def the_night_proposes(self, data, what):
        _, sealed = self.of(data)
        promise = promised(sealed)
        name, fen = promise.record_id, promise.amounts.to_pay_fen
        seen = data.draw(st.sampled_from(["HELD", "BOOKED", "RELEASED"]))
        find = Find("sale", "amount", "2026-03-01", fen, "REF", name, seen, "operations", "differs", "ask")
        proposal = {
            "end": EndHold(name, 0, "files"),
            "recover": Recover(name, 0, ids.pay_ref(name, 1), fen, "files"),
            "find": find,
            "settle": Settle("sale", "amount", name, seen, True),
        }[what]
        self.books.write(ApplyNight((proposal,)))

    @rule(what=st.sampled_from(["top up", "close", "restored", "settled"]))
    def the_year_goes_on(self, what):
        command = {
            "top up": TopUp(2026, (Part("central", 1_000), Part("city", 5)), self.next()),
            "close": CloseYear(2025),
            "restored": NoteRestore(3, "0" * 64, 1),
            "settled": SettleRestore(self.next()),
        }[what]
        self.books.write(command)

    @invariant()
    def every_event_is_tied_to_the_one_before(self):
        rows = self.books.sql_rows("SELECT event_no, hash FROM event ORDER BY event_no")
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
        assert len({found for _, found in rows}) == len(rows)

    def what_the_events_make_is_what_the_books_are(self):
        with reading(self.books.engine) as connection:
            done = rebuild(connection, open_scratch(self.folder / "scratch"))
        assert done.faults == ()
        assert done.books == done.anew


TestAnyCommands = AnyCommands.TestCase
TestAnyCommands.settings = settings(max_examples=12, stateful_step_count=30)
