"""What does a freeze stop, and is nothing lost by it?"""

import pytest
import reference_data as reference
from fake_device import promised

from settlement.claims.build import BuildClaim
from settlement.claims.pay import PayClaim
from settlement.funds import gather_facts
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, serial_name
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Freezing, Qualification
from subsidy.policy.decide import decide
from subsidy.wire import v1

GRANT_FEN = 43_500
SERIAL = "SN-SAME-1"
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no=SERIAL)


def name_of(books, kind):
    """Return what each kind is called for a fridge that person 0 buys in the tests' shop."""
    return {
        Kind.MERCHANT: reference.MERCHANT,
        Kind.SHOP: reference.SHOP,
        Kind.SERIAL: serial_name("示例牌", SERIAL),
        Kind.PERSON: books.centre.keys.person_index(reference.identity_no(0)),
        Kind.PROGRAMME: "TRAINING",
    }[kind]


def freeze(books, kind, name=None):
    """Freeze something."""
    books.done(ImposeFreeze(kind, name or name_of(books, kind), "case 7", "li"))


def lift(books, kind, name=None):
    """Let it go."""
    books.done(LiftFreeze(kind, name or name_of(books, kind), "case 7 cleared", by="wang, li"))


REFUSED = {
    Kind.MERCHANT: "MERCHANT_NOT_ACTIVE",
    Kind.SHOP: "MERCHANT_NOT_ACTIVE",
    Kind.SERIAL: "RISK_BLOCKED",
    Kind.PERSON: "RISK_BLOCKED",
    Kind.PROGRAMME: "PROGRAMME_CLOSED",
}


@pytest.mark.parametrize("kind", Kind)
def test_what_is_frozen_gets_no_hold_until_it_is_lifted(books, kind):
    device = books.enrol()
    freeze(books, kind)
    assert books.refusals(device, person=0, item=ITEM) == [REFUSED[kind]]
    assert books.money() == {}
    lift(books, kind)
    books.hold(device, person=0, item=ITEM)


@pytest.mark.parametrize("kind", Kind)
def test_the_facts_of_a_quote_say_the_same(books, kind):
    device = books.enrol()
    freeze(books, kind)
    question = books.asked(device, device.hold_request(books.pack.hash, person=0, item=ITEM)).question
    at_ms, rows = books.clock.now_ms(), Rows()
    with books.engine.connect() as connection:
        for wanted in gather_facts.asks(question, rows, books.pack, at_ms):
            store.load(connection, wanted, rows)
    facts = gather_facts.gather(question, rows, books.pack, at_ms)
    assert decide(books.pack, facts).reasons == (REFUSED[kind],)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.MERCHANT, "M002"),
        (Kind.SHOP, reference.OTHER_SHOP),
        (Kind.SERIAL, serial_name("样品牌", SERIAL)),
        (Kind.SERIAL, serial_name("示例牌", "SN-OTHER-1")),
        (Kind.PERSON, "0" * 32),
    ],
)
def test_the_freeze_of_another_stops_nobody_else(books, kind, name):
    device = books.enrol()
    freeze(books, kind, name)
    books.hold(device, person=0, item=ITEM)


@pytest.mark.parametrize("kind", Kind)
def test_a_record_that_is_paid_after_the_freeze_is_booked_and_its_line_waits(books, kind):
    device = books.enrol()
    sealed = books.hold(device, person=0, item=ITEM)
    freeze(books, kind)
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    assert books.record(sealed).state == "PAYABLE"
    claimed = books.claim(device)
    (left,) = claimed.left_out
    assert (claimed.claim, left.record_id) == (None, promised(sealed).record_id)
    assert left.why.startswith(f"frozen: {kind.value}")
    assert left.why.endswith("(case 7)")
    lift(books, kind)
    assert books.claim(device).lines == 1


@pytest.mark.parametrize("kind", Kind)
def test_a_claimed_line_is_withheld_while_frozen_and_paid_once_after(books, kind):
    device = books.enrol()
    sealed = books.sell(device, person=0, item=ITEM)
    claim = books.claim(device).claim
    freeze(books, kind)
    assert books.denied(PayClaim(claim, "bank 1")) == "NOTHING_TO_PAY"
    lift(books, kind)
    assert books.done(PayClaim(claim, "bank 1")).fen == GRANT_FEN
    assert books.record(sealed).state == "PAID_OUT"
    assert books.denied(PayClaim(claim, "bank 2")) == "NOTHING_TO_PAY"


def test_a_payment_pays_the_others_and_says_what_is_frozen(books):
    device = books.enrol()
    frozen, free = books.sell(device, person=0, item=ITEM), books.sell(device, person=1)
    claim = books.claim(device).claim
    freeze(books, Kind.SERIAL)
    paid = books.done(PayClaim(claim, "bank 1"))
    assert (paid.lines, paid.fen) == (1, GRANT_FEN)
    assert [(one.record_id, one.why) for one in paid.left_out] == [
        (promised(frozen).record_id, f"frozen: serial 示例牌/{SERIAL} (case 7)")
    ]
    assert (books.record(free).state, books.record(frozen).state) == ("PAID_OUT", "IN_CLAIM")
    lift(books, Kind.SERIAL)
    assert books.done(PayClaim(claim, "bank 2")).lines == 1


def test_goods_that_came_back_are_withheld_for_good_though_they_are_frozen(books):
    device = books.enrol()
    sealed = books.sell(device, person=0, item=ITEM)
    claim = books.claim(device).claim
    freeze(books, Kind.MERCHANT)
    books.give_back(device, sealed)
    assert books.done(PayClaim(claim, "bank 1")).lines == 0
    assert books.record(sealed).state == "RETURNED"
    assert books.money() == {}


def test_a_frozen_person_is_told_without_the_index(books):
    device = books.enrol()
    books.sell(device, person=0, item=ITEM)
    freeze(books, Kind.PERSON)
    (left,) = books.claim(device).left_out
    assert left.why == "frozen: person (case 7)"


def test_a_person_is_frozen_whatever_the_code(books):
    device = books.enrol()
    freeze(books, Kind.PERSON)
    index = name_of(books, Kind.PERSON)
    codes = [books.centre.keys.qualification_index(reference.code(0, one)) for one in ("FRIDGE", "AC")]
    assert {books.row(Qualification, code).person for code in codes} == {index}
    prices = v1.Prices(initial_price_fen=300_000, merchant_discount_fen=0, trade_in_fen=0)
    assert books.refusals(device, person=0, category="AC", prices=prices) == ["RISK_BLOCKED"]


def test_who_froze_and_who_lifted_and_why_is_kept(books):
    freeze(books, Kind.SHOP)
    row = books.row(Freezing, "shop", reference.SHOP)
    assert (row.why, row.frozen_by, row.frozen_ms) == ("case 7", "li", books.clock.now_ms())
    books.clock.ahead_ms += 60_000
    lift(books, Kind.SHOP)
    row = books.row(Freezing, "shop", reference.SHOP)
    assert (row.lifted_by, row.lifted_why, row.lifted_ms) == (
        "wang, li",
        "case 7 cleared",
        books.clock.now_ms(),
    )
    assert books.happened[-2:] == ["freeze_imposed", "freeze_lifted"]
    freeze(books, Kind.SHOP)
    assert books.row(Freezing, "shop", reference.SHOP).lifted_ms is None
    bodies = [body for (body,) in books.sql_rows("SELECT body FROM event WHERE kind LIKE 'freeze_%'")]
    assert len(bodies) == 3
    assert all('"by":"' in body and '"why":"case 7' in body for body in bodies)


@pytest.mark.parametrize("kind", Kind)
def test_a_freeze_stands_once_and_is_lifted_once(books, kind):
    name = name_of(books, kind)
    assert books.denied(LiftFreeze(kind, name, "why")) == "NOT_FROZEN"
    freeze(books, kind)
    assert books.denied(ImposeFreeze(kind, name, "again", "li")) == "ALREADY_FROZEN"
    lift(books, kind)
    assert books.denied(LiftFreeze(kind, name, "why")) == "NOT_FROZEN"


@pytest.mark.parametrize("kind", [Kind.MERCHANT, Kind.SHOP, Kind.PROGRAMME])
def test_a_name_that_is_nobodys_is_refused(books, kind):
    assert books.denied(ImposeFreeze(kind, "NOSUCH", "why", "li")) == "UNKNOWN"


def test_an_open_hold_of_something_frozen_ends_like_any_other(books):
    device = books.enrol()
    sealed = books.hold(device, person=0, item=ITEM)
    freeze(books, Kind.MERCHANT)
    promise = promised(sealed)
    closed = device.closed(promise.record_id, promise.hold_no)
    assert books.take(device, device.chain(closed)) == ["accepted"]
    assert books.money() == {}


def test_a_claim_takes_what_is_free_and_leaves_the_rest_for_the_next(books):
    device = books.enrol()
    books.sell(device, person=0, item=ITEM)
    books.sell(device, person=1)
    freeze(books, Kind.PERSON)
    day = books.next_day(device)
    first = books.done(BuildClaim(reference.MERCHANT, day))
    assert (first.lines, len(first.left_out)) == (1, 1)
    lift(books, Kind.PERSON)
    assert books.done(BuildClaim(reference.MERCHANT, day)).lines == 1
