"""Do sales, returns, claims and payments in any order leave the books true?

A second, simpler set of books says after every step where each sale's money stands. What the tests'
`Books` checks after every batch comes on top: rows in memory are those in the database, every set of
postings sums to zero, and balances are the fold of their postings.
"""

import datetime
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from books import Books
from fake_device import promised
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from settlement.claims.build import BuildClaim
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.funds.close_year import CloseYear
from settlement.writer.step import Denied

GRANT_FEN = 43_500
PEOPLE = 4
# Where a grant's money stands in each place, and with which sign; the rest is available.
STANDS = {
    "payable": {"payable": 1},
    "in_claim": {"in_claim": 1},
    "paid": {"paid": 1, "bank": -1, "paid_out": 1},
    "owed": {"paid": 1, "bank": -1, "paid_out": 1, "merchant_receivable": 1, "recovery_due": -1},
    "repaid": {"paid_out": 1, "recovered": -1},
    "lapsed": {"paid_out": 1, "due_to_treasury": -1},
    "nowhere": {},
}
STATE = {"payable": "PAYABLE", "in_claim": "IN_CLAIM", "paid": "PAID_OUT"}


class Sale(msgspec.Struct):
    """A sale in the second books."""

    sealed: Any
    person: int
    place: str = "payable"
    back: str = "no"
    claim: str = ""
    rejected: bool = False

    @property
    def record_id(self) -> str:
        return promised(self.sealed).record_id

    def state(self) -> str:
        """Return the state that the centre's record must have."""
        if self.rejected:
            return "AVAILABLE_AGAIN"
        if self.place == "payable" and self.back == "under way":
            return "BLOCKED"
        return STATE.get(self.place, "RETURNED")


class Claims(RuleBasedStateMachine):
    """The centre's books, and the second ones."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="claims-"))
        self.books = Books(self.folder)
        self.device = self.books.enrol()
        self.sales: list[Sale] = []
        self.claims: list[str] = []
        self.references = 0
        self.is_closed = False

    def teardown(self) -> None:
        self.books.close()
        shutil.rmtree(self.folder)

    def reference(self) -> str:
        """Return a reference that was not used before."""
        self.references += 1
        return f"bank {self.references}"

    @initialize(people=st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=PEOPLE, unique=True))
    def some_have_bought(self, people):
        for person in people:
            self.a_sale_is_made(person)

    @rule(person=st.integers(0, PEOPLE - 1))
    def a_sale_is_made(self, person):
        has_one = any(sale.person == person and sale.back != "done" for sale in self.sales)
        if self.is_closed or has_one:
            reason = self.books.refusals(self.device, person=person)[0]
            assert reason == ("PROGRAMME_CLOSED" if self.is_closed else "QUALIFICATION_IN_USE")
        else:
            self.sales.append(Sale(self.books.sell(self.device, person=person), person))

    @rule(data=st.data())
    def a_return_begins(self, data):
        sale = data.draw(st.sampled_from(self.sales))
        answer = self.take(self.device.returning(promised(sale.sealed)))
        assert answer == ("quarantined" if sale.back == "done" else "accepted")
        if sale.back != "done":
            sale.back = "under way"

    @rule(data=st.data(), refunded=st.booleans())
    def a_return_ends(self, data, refunded):
        sale = data.draw(st.sampled_from(self.sales))
        answer = self.take(self.device.returned(promised(sale.sealed), refunded))
        assert answer == ("quarantined" if sale.back == "done" else "accepted")
        if sale.back == "done":
            return
        sale.back = "done" if refunded else "refused"
        if refunded:
            sale.place = {"payable": "nowhere", "paid": "owed"}.get(sale.place, sale.place)

    @rule()
    def a_day_ends_and_claims_are_built(self):
        answer = self.books.claim(self.device)
        mine = [sale for sale in self.sales if sale.place == "payable" and sale.back != "under way"]
        assert (answer.lines, answer.fen) == (len(mine), len(mine) * GRANT_FEN)
        assert (answer.claim is None) == (not mine)
        if mine:
            self.claims.append(answer.claim)
        for sale in mine:
            sale.place, sale.claim = "in_claim", answer.claim

    @rule(day=st.dates(min_value=datetime.date(2027, 1, 1)))
    def any_day_is_claimed_before_it_ends(self, day):
        (answer,) = self.books.write(BuildClaim("M001", day))
        assert answer.claim is None

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def a_claim_is_paid(self, data):
        claim, reference = data.draw(st.sampled_from(self.claims)), self.reference()
        mine = [sale for sale in self.sales if (sale.place, sale.claim) == ("in_claim", claim)]
        (answer,) = self.books.write(PayClaim(claim, reference))
        if all(sale.back == "under way" for sale in mine):
            assert (answer.status, answer.code) == (409, "NOTHING_TO_PAY")
            return
        for sale in mine:
            if sale.back == "done":
                sale.place = "nowhere"
            elif sale.back != "under way":
                sale.place = "paid"
        assert answer.lines == sum(sale.place == "paid" for sale in mine)
        assert answer.lines + len(answer.left_out) == len(mine)
        (again,) = self.books.write(PayClaim(claim, reference))
        assert again.code == "ALREADY_PAID"

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), to_correct=st.booleans())
    def a_line_is_sent_back(self, data, to_correct):
        claim, sale = data.draw(st.sampled_from(self.claims)), data.draw(st.sampled_from(self.sales))
        (answer,) = self.books.write(SendBack(claim, sale.record_id, "why", to_correct))
        if (sale.place, sale.claim) != ("in_claim", claim) or sale.back == "done":
            assert isinstance(answer, Denied)
        elif to_correct:
            sale.place = "payable"
        else:
            sale.place, sale.rejected = "nowhere", True

    @rule(data=st.data())
    def a_merchant_repays(self, data):
        sale = data.draw(st.sampled_from(self.sales))
        (answer,) = self.books.write(Repay(sale.record_id, self.reference()))
        assert isinstance(answer, Denied) == (sale.place != "owed")
        if sale.place == "owed":
            sale.place = "lapsed" if self.is_closed else "repaid"

    @precondition(lambda self: len(self.sales) > PEOPLE and not self.is_closed)
    @rule()
    def the_year_is_closed(self):
        self.books.done(CloseYear(2026))
        self.is_closed = True

    @invariant()
    def every_fen_stands_where_the_second_books_say(self):
        expected: dict[str, int] = {}
        for sale in self.sales:
            for account, sign in STANDS[sale.place].items():
                expected[account] = expected.get(account, 0) + sign * GRANT_FEN
        assert self.books.money() == {account: fen for account, fen in expected.items() if fen}

    @invariant()
    def every_record_is_in_its_state(self):
        for sale in self.sales:
            assert self.books.record(sale.sealed).state == sale.state()

    @invariant()
    def a_record_is_in_one_claim_at_most_and_paid_once(self):
        query = (
            "SELECT record_id, count(*) FROM claim_line WHERE state IN ('{}') GROUP BY 1 HAVING count(*) > 1"
        )
        for states in ("SUBMITTED", "PAID", "SUBMITTED', 'PAID', 'WITHHELD"):
            assert self.books.sql_rows(query.format(states)) == []

    @invariant()
    def what_a_claim_was_submitted_with_is_what_its_lines_add_up_to(self):
        assert (
            self.books.sql_rows(
                "SELECT c.claim FROM claim c JOIN claim_line l ON l.claim = c.claim GROUP BY c.claim "
                "HAVING c.lines <> count(*) OR c.fen <> sum(l.fen)"
            )
            == []
        )

    def take(self, entry):
        """Report one entry and return its ack."""
        (answer,) = self.books.take(self.device, self.device.chain(entry))
        return answer


TestClaims = Claims.TestCase
TestClaims.settings = settings(max_examples=15, stateful_step_count=25)
