"""Do freezes, releases and freed goods in any order stop what they must, and lose nothing?

A second, simpler set of books says what each hold must answer, which lines a claim and a payment take, and
who has each serial number and code. At the end everything is lifted, and what the fund owes is paid exactly
once.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import reference_data as reference
from books import Books
from fake_device import promised
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from settlement.claims.pay import PayClaim
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, serial_name
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.writer.rows import Qualification, Quota, Serial
from settlement.writer.step import Denied, Signed
from subsidy.wire import v1

GRANT_FEN = 43_500
PEOPLE = (0, 1, 2)
SERIALS = ("SN-AAAA", "SN-BBBB", "SN-CCCC")
SHOPS = {reference.SHOP: reference.TERMINAL, reference.OTHER_SHOP: reference.TERMINAL_OF_OTHER_SHOP}
STATE = {"held": "HELD", "payable": "PAYABLE", "in_claim": "IN_CLAIM", "paid": "PAID_OUT", "late": "RELEASED"}


class Sale(msgspec.Struct):
    """A sale in the second books."""

    sealed: Any
    shop: str
    person: int
    serial: str
    place: str = "held"
    freed: bool = False
    blocked: bool = False
    claim: str = ""

    @property
    def record_id(self) -> str:
        return promised(self.sealed).record_id

    def state(self) -> str:
        """Return the state that the centre's record must have."""
        return "BLOCKED" if self.blocked else STATE.get(self.place, "RELEASED")


class WaysOut(RuleBasedStateMachine):
    """The centre's books, and the second ones."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ways-"))
        self.books = Books(self.folder)
        self.devices = {shop: self.books.enrol(shop, shop) for shop in SHOPS}
        keys = self.books.centre.keys
        self.people = {one: keys.person_index(reference.identity_no(one)) for one in PEOPLE}
        self.codes = {one: keys.qualification_index(reference.code(one)) for one in PEOPLE}
        self.names = [
            (Kind.PROGRAMME, "TRAINING"),
            (Kind.MERCHANT, reference.MERCHANT),
            *((Kind.SHOP, shop) for shop in SHOPS),
            *((Kind.SERIAL, serial_name("示例牌", one)) for one in SERIALS),
            *((Kind.PERSON, index) for index in self.people.values()),
        ]
        self.frozen: set[tuple[Kind, str]] = set()
        self.sales: list[Sale] = []
        self.claims: list[str] = []
        self.has_serial: dict[str, str] = {}
        self.has_code: dict[int, str] = {}
        self.used: dict[int, int] = dict.fromkeys(PEOPLE, 0)
        self.references = 0

    def teardown(self) -> None:
        try:
            self.everything_is_lifted_and_paid_once()
        finally:
            self.books.close()
            shutil.rmtree(self.folder)

    def stopped(self, shop: str, person: int, serial: str) -> set[Kind]:
        """Return the kinds whose freeze concerns a purchase."""
        mine = {
            (Kind.PROGRAMME, "TRAINING"),
            (Kind.MERCHANT, reference.MERCHANT),
            (Kind.SHOP, shop),
            (Kind.SERIAL, serial_name("示例牌", serial)),
            (Kind.PERSON, self.people[person]),
        }
        return {kind for kind, _ in mine & self.frozen}

    def is_stopped(self, sale: Sale) -> bool:
        """Whether a freeze concerns a sale."""
        return bool(self.stopped(sale.shop, sale.person, sale.serial))

    @rule(
        shop=st.sampled_from(sorted(SHOPS)), person=st.sampled_from(PEOPLE), serial=st.sampled_from(SERIALS)
    )
    def a_hold_is_asked_for(self, shop, person, serial):
        device = self.devices[shop]
        request = device.hold_request(
            self.books.pack.hash,
            person=person,
            item=v1.Item(gtin=reference.FRIDGE, serial_no=serial),
            terminal_no=SHOPS[shop],
        )
        answer = self.books.ask(device, request)
        assert isinstance(answer, Signed)
        stopped = self.stopped(shop, person, serial)
        expected = set()
        if Kind.PROGRAMME in stopped:
            expected.add("PROGRAMME_CLOSED")
        if stopped & {Kind.MERCHANT, Kind.SHOP}:
            expected.add("MERCHANT_NOT_ACTIVE")
        if stopped & {Kind.SERIAL, Kind.PERSON}:
            expected.add("RISK_BLOCKED")
        if serial in self.has_serial:
            expected.add("SERIAL_ALREADY_SUBSIDISED")
        if person in self.has_code:
            expected.add("QUALIFICATION_IN_USE")
        if self.used[person]:
            expected.add("PERSON_QUOTA_USED")
        if expected:
            refused = msgspec.json.decode(answer.payload, type=v1.Refused)
            assert {one.value for one in refused.reasons} == expected
            return
        sale = Sale(self.books.sealed(answer), shop, person, serial)
        self.sales.append(sale)
        self.take(sale)

    @rule(data=st.data())
    def a_sale_is_reported_paid(self, data):
        sale = self.draw(data, "held", "ended")
        if sale is None:
            return
        device = self.devices[sale.shop]
        assert self.books.take(device, device.chain(device.paid(sale.sealed))) == ["accepted"]
        if sale.place == "ended":
            sale.place = "late"
            return
        sale.place = "payable"
        if sale.freed:
            sale.freed = False
            self.take(sale)
            mine = (self.has_serial[sale.serial], self.has_code[sale.person], self.used[sale.person])
            sale.blocked = mine != (sale.record_id, sale.record_id, 1)

    @rule(data=st.data())
    def a_hold_is_released(self, data):
        sale = self.draw(data)
        if sale is None:
            return
        (answer,) = self.books.write(ReleaseHold(sale.record_id, "why", by="wang, li"))
        assert isinstance(answer, Denied) == (sale.place != "held")
        if sale.place == "held":
            sale.place = "ended"
            if not sale.freed:
                self.give_back(sale)

    @rule(data=st.data())
    def goods_are_freed(self, data):
        sale = self.draw(data)
        if sale is None:
            return
        (answer,) = self.books.write(FreeGoods(sale.record_id, "why", by="wang, li"))
        may = sale.place == "held" and not sale.freed
        assert isinstance(answer, Denied) != may
        if may:
            sale.freed = True
            self.give_back(sale)

    @rule(data=st.data())
    def something_is_frozen(self, data):
        name = data.draw(st.sampled_from(self.names))
        (answer,) = self.books.write(ImposeFreeze(*name, "case", "li"))
        assert isinstance(answer, Denied) == (name in self.frozen)
        self.frozen.add(name)

    @rule(data=st.data())
    def something_is_lifted(self, data):
        name = data.draw(st.sampled_from(sorted(self.frozen) or self.names))
        (answer,) = self.books.write(LiftFreeze(*name, "cleared", by="wang, li"))
        assert isinstance(answer, Denied) == (name not in self.frozen)
        self.frozen.discard(name)

    @rule()
    def a_day_ends_and_a_claim_is_built(self):
        claimed = self.books.claim(*self.devices.values())
        mine = [one for one in self.sales if one.place == "payable" and not one.blocked]
        stopped = [one for one in mine if self.is_stopped(one)]
        taken = [one for one in mine if not self.is_stopped(one)]
        assert (claimed.lines, claimed.fen) == (len(taken), len(taken) * GRANT_FEN)
        left = {one.record_id: one.why for one in claimed.left_out}
        assert all(left[one.record_id].startswith("frozen: ") for one in stopped)
        if taken:
            self.claims.append(claimed.claim)
        for sale in taken:
            sale.place, sale.claim = "in_claim", claimed.claim

    @rule(data=st.data())
    def a_claim_is_paid(self, data):
        if not self.claims:
            return
        claim = data.draw(st.sampled_from(self.claims))
        self.references += 1
        (answer,) = self.books.write(PayClaim(claim, f"bank {self.references}"))
        mine = [one for one in self.sales if (one.place, one.claim) == ("in_claim", claim)]
        free = [one for one in mine if not self.is_stopped(one)]
        if not free:
            assert answer.code == "NOTHING_TO_PAY"
            return
        assert (answer.lines, len(answer.left_out)) == (len(free), len(mine) - len(free))
        for sale in free:
            sale.place = "paid"

    @invariant()
    def every_record_is_in_its_state(self):
        assert [self.books.record(one.sealed).state for one in self.sales] == [
            one.state() for one in self.sales
        ]

    @invariant()
    def every_register_says_what_the_second_books_say(self):
        for serial in SERIALS:
            row = self.books.row(Serial, "示例牌", serial)
            assert (row.taken_by if row else None) == self.has_serial.get(serial)
        for person, index in self.people.items():
            row = self.books.row(Qualification, self.codes[person])
            assert row.used_by == self.has_code.get(person)
            quota = self.books.row(Quota, index, "FRIDGE", 2026)
            assert (quota.used if quota else 0) == self.used[person]

    @invariant()
    def the_money_is_where_the_sales_are(self):
        counted = {place: sum(one.place == place for one in self.sales) for place in STATE}
        money = self.books.money()
        assert money.get("held", 0) == counted["held"] * GRANT_FEN
        assert money.get("payable", 0) == counted["payable"] * GRANT_FEN
        assert money.get("in_claim", 0) == counted["in_claim"] * GRANT_FEN
        assert money.get("paid_out", 0) == money.get("paid", 0) == counted["paid"] * GRANT_FEN
        assert money.get("late_grants_claimed", 0) == counted["late"] * GRANT_FEN

    def everything_is_lifted_and_paid_once(self) -> None:
        """Lift all that stands; claim and pay; nothing that the fund owes and nobody disputes is left."""
        for name in sorted(self.frozen):
            self.books.done(LiftFreeze(*name, "cleared", by="wang, li"))
        claimed = self.books.claim(*self.devices.values())
        for claim in {*self.claims, claimed.claim} - {None}:
            self.books.write(PayClaim(claim, "the last bank document"))
        owed = {one.record_id for one in self.sales if one.place in ("payable", "in_claim", "paid")}
        disputed = {one.record_id for one in self.sales if one.blocked}
        paid = [
            name for (name,) in self.books.sql_rows("SELECT record_id FROM claim_line WHERE state = 'PAID'")
        ]
        assert sorted(paid) == sorted(owed - disputed)

    def draw(self, data: Any, *places: str) -> Sale | None:
        """Draw a sale, of these places if any are named."""
        found = [one for one in self.sales if not places or one.place in places]
        return data.draw(st.sampled_from(found)) if found else None

    def take(self, sale: Sale) -> None:
        """Take what is free of a sale's serial number and code, and count it."""
        self.has_serial.setdefault(sale.serial, sale.record_id)
        self.has_code.setdefault(sale.person, sale.record_id)
        self.used[sale.person] += 1

    def give_back(self, sale: Sale) -> None:
        """Give back a sale's serial number and code where they are its own, and count it off."""
        if self.has_serial.get(sale.serial) == sale.record_id:
            del self.has_serial[sale.serial]
        if self.has_code.get(sale.person) == sale.record_id:
            del self.has_code[sale.person]
        self.used[sale.person] -= 1


TestWaysOut = WaysOut.TestCase
TestWaysOut.settings = settings(max_examples=15, stateful_step_count=30)
