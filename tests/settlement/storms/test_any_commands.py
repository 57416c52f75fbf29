"""Can any order of commands, in batches of any size, pay out more than the funders gave?

A second, simpler set of books says after every batch where each sale's money stands. Batches go through the
writer that remembers and past it, by turns, as the service and the commands beside it do.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import reference_data as reference
from books import POSTGRES, SQLITE, Books
from centre import FUNDED
from fake_device import promised
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from storm import GRANT_FEN, PARTS, available, leave_for, said

from settlement.claims.build import BuildClaim
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import RejectRecord
from settlement.db.connection import reading
from settlement.funds.close_year import CloseYear
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.top_up import TopUp
from settlement.ledger import read_books
from settlement.ledger.accounts import IDENTITY, NEVER_OVERDRAWN, Account
from settlement.system import Promised
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Denied
from settlement.writer.writer import Writer
from subsidy.policy.split import Part
from subsidy.wire import v1

PEOPLE = 5
GRANTS = 3
GIVEN_FEN = sum(part.fen for part in FUNDED)
PAID_OUT = {"paid": 1, "bank": -1, "paid_out": 1}
# Where a grant's money stands in each place, and with which sign; the rest is available.
STANDS = {
    "held": {"held": 1},
    "payable": {"payable": 1},
    "in_claim": {"in_claim": 1},
    "paid": PAID_OUT,
    "owed": {**PAID_OUT, "merchant_receivable": 1, "recovery_due": -1},
    "repaid": {"paid_out": 1, "recovered": -1},
    "lapsed": {"paid_out": 1, "due_to_treasury": -1},
    "late": {"late_grants_claimed": 1, "late_grants_contra": -1},
    "released": {},
    "rejected": {},
    "nowhere": {},
}


class Sale(msgspec.Struct):
    """A sale in the second books: where its money is, and how far the return of its goods."""

    sealed: Any
    person: int
    day: int
    place: str = "held"
    back: str = "no"
    claim: str = ""
    paid_entry: Any = None
    matched: bool = False

    @property
    def record_id(self) -> str:
        return promised(self.sealed).record_id

    def takes_quota(self) -> bool:
        """Whether its person can have no other."""
        return self.place not in ("released", "late", "rejected") and self.back != "done"


Step = tuple[Command, Callable[[Any], None]]
"""A command, and what its answer must be and means in the second books, told when those before it are."""


class AnyCommands(RuleBasedStateMachine):
    """The centre's books, and the second ones."""

    on = SQLITE

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-commands-"))
        self.books = Books(self.folder, on=self.on)
        self.remembering = Writer(self.books.engine, self.books.setting, self.books.clock.now_ms, self.failed)
        self.device = self.books.enrol()
        leave_for(self.books.centre, GRANTS)
        self.free = {2026: GRANTS * GRANT_FEN, 2027: GIVEN_FEN - GRANTS * GRANT_FEN}
        self.given = dict(self.free)
        self.sales: list[Sale] = []
        self.claims: list[str] = []
        self.asked: list[v1.OpenHold] = []
        self.day, self.last_day = 0, None
        self.references = 0
        self.is_closed = False

    def failed(self, wrong: BaseException) -> None:
        raise wrong

    def teardown(self) -> None:
        self.remembering._forget()
        self.books.close()
        shutil.rmtree(self.folder)

    @initialize(people=st.integers(1, GRANTS), far=st.integers(0, 4))
    def some_have_bought(self, people, far):
        self.write([self.a_hold(person) for person in range(people)], remembered=True)
        if far > 0:
            self.write([self.an_entry_of_payment(sale) for sale in self.sales], remembered=False)
        if far > 1:
            self.a_day_ends()
            self.write([self.a_claim()], remembered=True)
        if far > 2:
            self.write([self.a_payment(self.claims[0])], remembered=True)
        if far > 3:
            self.write([self.a_return(self.sales[0], True), self.a_hold(0)], remembered=False)

    @rule(data=st.data(), size=st.integers(1, 5), remembered=st.booleans())
    def a_batch(self, data, size, remembered):
        self.write([self.any_step(data) for _ in range(size)], remembered)

    @rule()
    def a_day_ends(self):
        self.last_day = self.books.next_day(self.device)
        self.day += 1
        for sale in self.sales:
            sale.matched |= sale.place in ("payable", "in_claim")

    def write(self, steps: list[Step], remembered: bool) -> None:
        """Write the commands as one batch, and hold each answer against the second books."""
        commands = [command for command, _ in steps]
        if remembered:
            waiting: list[Promised[Answer]] = [Promised() for _ in commands]
            self.remembering._take(list(zip(commands, waiting, strict=True)))
            answers = [one.wait(0) for one in waiting]
            self.books.check(dict(self.remembering._rows.all_loaded()))
        else:
            answers = self.books.write(*commands)
        for (_, told), answer in zip(steps, answers, strict=True):
            told(answer)
        self.asked.clear()

    def any_step(self, data) -> Step:
        """Draw a command."""
        ways = [lambda: self.a_hold(data.draw(st.integers(0, PEOPLE - 1)))] * 3
        ways += [lambda: self.a_statement(data), lambda: self.a_transfer(data), self.a_top_up]
        if self.sales:
            pick = self.pick
            ways += [lambda: self.an_entry_of_payment(pick(data, "held", "released"))] * 3
            ways += [lambda: self.a_closing(pick(data, "held"))]
            ways += [
                lambda: self.a_return(
                    pick(data, "payable", "in_claim", "paid", "rejected"), drawn_return(data)
                )
            ] * 2
            ways += [lambda: self.a_repayment(pick(data, "owed"))]
            ways += [lambda: self.a_late_entry(pick(data, "late"))]
            ways += [lambda: self.a_rejection(pick(data, "late"), data.draw(st.integers(0, 4)) == 4)]
            ways += [self.a_closed_year] if len(self.sales) > 5 else []
        if self.last_day is not None:
            ways += [self.a_claim] * 2
        if self.claims:
            in_claims = sorted({sale.claim for sale in self.sales if sale.place == "in_claim"}) or self.claims
            claim = st.sampled_from(in_claims)
            ways += [lambda: self.a_payment(data.draw(claim))] * 2
            ways += [
                lambda: self.sent_back(data.draw(claim), pick(data, "in_claim"), data.draw(st.booleans()))
            ]
        return data.draw(st.sampled_from(ways))()

    def pick(self, data, *places: str) -> Sale:
        """Draw a sale, mostly one that stands where something can become of it."""
        there = [sale for sale in self.sales if sale.place in places]
        anywhere = data.draw(st.integers(0, 4)) == 4
        return data.draw(st.sampled_from(self.sales if anywhere or not there else there))

    def a_hold(self, person: int) -> Step:
        request = self.device.hold_request(self.books.pack.hash, person=person)
        self.asked.append(v1.OpenHold(record_id=request.record_id, hold_no=request.hold_no))

        def told(answer: Any) -> None:
            reasons = said(answer)
            has_one = any(sale.person == person and sale.takes_quota() for sale in self.sales)
            if self.is_closed:
                assert reasons == ("PROGRAMME_CLOSED",)
            elif has_one:
                assert reasons[0] in ("QUALIFICATION_IN_USE", "PERSON_QUOTA_USED")
            elif self.free[2026] < GRANT_FEN:
                assert reasons == ("FUND_EXHAUSTED",)
            else:
                assert reasons == ()
                self.free[2026] -= GRANT_FEN
                self.sales.append(Sale(self.books.sealed(answer), person, self.day))

        return self.books.asked(self.device, request), told

    def an_entry(self, entry: Any, means: Callable[[str], None]) -> Step:
        """An entry that is sent early, on its own."""
        upload = self.device.upload([entry])

        def told(answer: Any) -> None:
            (ack,) = self.books.answers(answer, (entry,))
            means(ack)

        return self.books.uploaded(self.device, upload, stated=False), told

    def an_entry_of_payment(self, sale: Sale) -> Step:
        is_first = sale.paid_entry is None
        if is_first:
            sale.paid_entry = self.device.chain(self.device.paid(sale.sealed))

        def means(ack: str) -> None:
            assert ack == ("accepted" if is_first else "repeat")
            if is_first:
                sale.place = {"held": "payable", "released": "late"}[sale.place]

        return self.an_entry(sale.paid_entry, means)

    def a_closing(self, sale: Sale) -> Step:
        promise = promised(sale.sealed)
        entry = self.device.chain(self.device.closed(promise.record_id, promise.hold_no))

        def means(ack: str) -> None:
            is_over = sale.place in ("held", "released", "late")
            assert ack == ("accepted" if is_over else "quarantined")
            self.release(sale)

        return self.an_entry(entry, means)

    def release(self, sale: Sale) -> None:
        """The hold is over, if it is one."""
        if sale.place == "held":
            sale.place = "released"
            self.free[2026] += GRANT_FEN

    def a_statement(self, data) -> Step:
        """The device states its open holds and may forget some, as after a repair."""
        held = [sale for sale in self.sales if sale.place == "held"]
        kept = data.draw(st.lists(st.sampled_from(held), unique_by=id)) if held else []
        still_open = [
            v1.OpenHold(record_id=sale.record_id, hold_no=promised(sale.sealed).hold_no) for sale in kept
        ]
        listed = {one.record_id for one in (*still_open, *self.asked)}
        upload = self.device.upload(still_open=(*still_open, *self.asked))

        def told(answer: Any) -> None:
            assert self.books.answers(answer, ()) == []
            upto = upload.statement.upto_hold_no
            for sale in self.sales:
                if sale.record_id not in listed and promised(sale.sealed).hold_no <= upto:
                    self.release(sale)

        return self.books.uploaded(self.device, upload), told

    def a_return(self, sale: Sale, refunded: bool | None) -> Step:
        promise = promised(sale.sealed)
        if sale.place in ("held", "released", "late"):
            return self.an_entry_of_payment(sale)
        body = self.device.returning(promise) if refunded is None else self.device.returned(promise, refunded)

        def means(ack: str) -> None:
            assert ack == ("quarantined" if sale.back == "done" else "accepted")
            if sale.back == "done":
                return
            sale.back = {None: "under way", True: "done", False: "refused"}[refunded]
            if refunded and sale.place == "payable":
                sale.place = "nowhere"
                self.free[2026] += GRANT_FEN
            elif refunded and sale.place == "paid":
                sale.place = "owed"

        return self.an_entry(self.device.chain(body), means)

    def a_claim(self) -> Step:
        day = self.day

        def told(answer: Any) -> None:
            mine = [
                sale
                for sale in self.sales
                if sale.place == "payable" and sale.matched and sale.back != "under way" and sale.day < day
            ]
            assert (answer.lines, answer.fen) == (len(mine), len(mine) * GRANT_FEN)
            if mine:
                self.claims.append(answer.claim)
            for sale in mine:
                sale.place, sale.claim = "in_claim", answer.claim

        return BuildClaim(reference.MERCHANT, self.last_day), told

    def a_payment(self, claim: str) -> Step:
        def told(answer: Any) -> None:
            mine = [sale for sale in self.sales if (sale.place, sale.claim) == ("in_claim", claim)]
            if all(sale.back == "under way" for sale in mine):
                assert answer.code == "NOTHING_TO_PAY"
                return
            for sale in mine:
                if sale.back == "done":
                    sale.place = "nowhere"
                    self.free[2026] += GRANT_FEN
                elif sale.back != "under way":
                    sale.place = "paid"
            assert answer.fen == sum(GRANT_FEN for sale in mine if sale.place == "paid")

        return PayClaim(claim, self.reference()), told

    def sent_back(self, claim: str, sale: Sale, to_correct: bool) -> Step:
        def told(answer: Any) -> None:
            if (sale.place, sale.claim) != ("in_claim", claim) or sale.back == "done":
                assert isinstance(answer, Denied)
            elif to_correct:
                sale.place = "payable"
            else:
                sale.place = "nowhere"
                self.free[2026] += GRANT_FEN

        return SendBack(claim, sale.record_id, "why", to_correct), told

    def a_repayment(self, sale: Sale) -> Step:
        def told(answer: Any) -> None:
            assert isinstance(answer, Denied) == (sale.place != "owed")
            if sale.place != "owed":
                return
            sale.place = "lapsed" if self.is_closed else "repaid"
            if self.is_closed:
                self.given[2026] -= GRANT_FEN
            else:
                self.free[2026] += GRANT_FEN

        return Repay(sale.record_id, self.reference()), told

    def a_late_entry(self, sale: Sale) -> Step:
        def told(answer: Any) -> None:
            has_other = any(one.person == sale.person and one.takes_quota() for one in self.sales)
            enters = sale.place == "late" and not (self.is_closed or has_other or self.free[2026] < GRANT_FEN)
            assert isinstance(answer, Denied) != enters, answer
            if enters:
                sale.place = "payable"
                self.free[2026] -= GRANT_FEN

        return EnterLate(sale.record_id, self.reference()), told

    def a_rejection(self, sale: Sale, frees_goods: bool) -> Step:
        def told(answer: Any) -> None:
            is_rejected = sale.place == "late" and not frees_goods
            assert isinstance(answer, Denied) != is_rejected, answer
            if is_rejected:
                sale.place = "rejected"

        return RejectRecord(sale.record_id, frees_goods, "why", by="wang, li"), told

    def a_transfer(self, data) -> Step:
        years = data.draw(st.sampled_from([(2026, 2027), (2027, 2026)]))
        grants = data.draw(st.integers(1, 4))

        def told(answer: Any) -> None:
            to_closed = self.is_closed and years[1] == 2026
            moves = self.free[years[0]] >= grants * GRANT_FEN and not to_closed
            assert isinstance(answer, Denied) != moves, answer
            if moves:
                for year, sign in zip(years, (-1, 1), strict=True):
                    self.free[year] += sign * grants * GRANT_FEN
                    self.given[year] += sign * grants * GRANT_FEN

        here, there = map(Place, years)
        return MoveAuthority(here, there, times(grants), self.reference()), told

    def a_top_up(self) -> Step:
        def told(answer: Any) -> None:
            assert isinstance(answer, Denied) == self.is_closed, answer
            if not self.is_closed:
                self.free[2026] += GRANT_FEN
                self.given[2026] += GRANT_FEN

        return TopUp(2026, times(1), self.reference()), told

    def a_closed_year(self) -> Step:
        def told(answer: Any) -> None:
            assert isinstance(answer, Denied) == self.is_closed
            self.is_closed = True

        return CloseYear(2026), told

    def reference(self) -> str:
        """Return a reference that was not used before."""
        self.references += 1
        return f"document {self.references}"

    @invariant()
    def every_fen_stands_where_the_second_books_say(self):
        expected: dict[str, int] = {}
        for sale in self.sales:
            for account, sign in STANDS[sale.place].items():
                expected[account] = expected.get(account, 0) + sign * GRANT_FEN
        assert self.books.money() == {account: fen for account, fen in expected.items() if fen}
        assert {year: available(self.books.engine, year) for year in self.free} == self.free

    @invariant()
    def never_is_more_cash_out_than_authority_was_given(self):
        with reading(self.books.engine) as connection:
            balances = read_books.balances(connection)
        given: dict[int, int] = {}
        for funder, year, pool in {(slot[0], slot[2], slot[3]) for slot in balances}:

            def fen(*accounts: Account, at=(funder, year, pool)) -> int:
                return sum(balances.get((at[0], one, at[1], at[2]), 0) for one in accounts)

            authority = -fen(Account.APPROPRIATED)
            cash_out = fen(Account.PAID_OUT, Account.RECOVERED, Account.DUE_TO_TREASURY)
            assert cash_out == -fen(Account.BANK)
            assert 0 <= cash_out <= authority
            assert fen(*IDENTITY) == authority
            given[year] = given.get(year, 0) + authority
        assert given == self.given
        assert not {slot for slot, fen in balances.items() if fen < 0 and slot[1] in NEVER_OVERDRAWN}


def drawn_return(data) -> bool | None:
    """Draw a word on a return: begun, or ended with the money given back or not."""
    return data.draw(st.sampled_from([None, True, True, False]))


def times(grants: int) -> tuple[Part, ...]:
    """Return what so many grants take from each funder."""
    return tuple(Part(one.funder, grants * one.fen) for one in PARTS)


class OnPostgres(AnyCommands):
    """The same there."""

    on = POSTGRES


TestOnSqlite = AnyCommands.TestCase
TestOnPostgres = OnPostgres.TestCase
TestOnSqlite.settings = settings(max_examples=15, stateful_step_count=25)
TestOnPostgres.settings = TestOnSqlite.settings
