"""Whatever state a sale is in, the till gets one of the states and one of the actions that it knows."""

import itertools

import msgspec
import pytest
from msgspec.structs import replace
from quiet_till import NOON_MS, QuietTill

from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from terminal_agent.checkout.resume import RESTARTED
from terminal_agent.checkout.sale import FOUND_LATE_MS, Sale
from terminal_agent.checkout.states import SALE_MOVES, AttemptState, SaleState
from terminal_agent.till import documents

TILL_STATES = {"paid", "not_paid", "unknown", "refused", "paying", "returned"}
S, A, N = SaleState, AttemptState, NextAction
LOST = (A.NOT_PAID, A.REVERSING, A.GIVING_BACK, A.GIVEN_BACK)


@pytest.fixture(scope="module")
def paid(tmp_path_factory) -> Sale:
    with QuietTill(tmp_path_factory.mktemp("paid")) as till:
        sold = till.post("/v1/sales", till.sale_body()).json()
        return till.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], Evidence(code="00"))


BEFORE_A_PROMISE = (S.NEW, S.ASKING, S.REFUSED)
AFTER_PAYMENT = (S.PAID, S.RETURNING, S.RETURNED)


def sale_of(paid: Sale, state: SaleState, *attempts: AttemptState, **changes) -> Sale:
    """Return a sale in a state, with attempts in theirs."""
    made = tuple(replace(paid.attempts[0], no=no, state=one) for no, one in enumerate(attempts, start=1))
    paid_ms = NOON_MS if state in AFTER_PAYMENT else None
    held = None if state in BEFORE_A_PROMISE else paid.held
    return replace(paid, **{"state": state, "attempts": made, "paid_ms": paid_ms, "held": held, **changes})


def attempts_in(state: SaleState):
    """Yield what attempts a sale in a state can have: none, one or two."""
    if state in BEFORE_A_PROMISE:
        yield ()
        return
    others = [one for one in A if one is not A.PAID]
    last = (A.PAID,) if state in AFTER_PAYMENT else ()
    for before in ((), *((one,) for one in others), *itertools.product(others, others)):
        yield (*before, *last)


def every_sale(paid: Sale):
    """Yield a sale for everything that an answer could depend on."""
    whys = ("", RESTARTED, "stopped by the cashier")
    for state in S:
        for attempts, stop, reasons, why in itertools.product(
            attempts_in(state), (False, True), ((), (Refusal.QUOTE_CHANGED,)), whys
        ):
            if state in (S.PAYING, S.PARKED) and not attempts:
                continue
            yield sale_of(paid, state, *attempts, stop=stop, reasons=reasons, why=why)


def test_every_sale_has_a_state_and_an_action_that_the_till_knows(paid):
    seen = set()
    for sale in every_sale(paid):
        assert documents.till_state(sale) in TILL_STATES
        assert isinstance(documents.next_action(sale), NextAction)
        assert isinstance(documents.is_settled(sale), bool)
        seen.add(documents.till_state(sale))
    assert seen == TILL_STATES


def test_every_sale_can_be_shown(paid):
    for sale in every_sale(paid):
        document = documents.sale_document(sale)
        assert msgspec.json.decode(msgspec.json.encode(document))["state"] in TILL_STATES


def test_every_state_of_a_sale_is_tested_here():
    assert {state for move in SALE_MOVES for state in move} == set(S)


@pytest.mark.parametrize(
    ("state", "attempts", "shown", "action"),
    [
        (S.NEW, (), "paying", N.WAIT),
        (S.ASKING, (), "paying", N.WAIT),
        (S.HELD, (), "paying", N.WAIT),
        (S.HELD, (A.NOT_PAID,), "not_paid", N.PAY_AGAIN_OR_STOP),
        (S.PAYING, (A.INTENDED,), "paying", N.WAIT),
        (S.PAYING, (A.UNKNOWN,), "unknown", N.DO_NOT_CHARGE),
        (S.PAYING, (A.REVERSING,), "unknown", N.PAY_ANOTHER_WAY),
        (S.PAYING, (A.GIVING_BACK, A.NOT_PAID), "unknown", N.PAY_ANOTHER_WAY),
        (S.PAYING, (A.REVERSING, A.UNKNOWN), "unknown", N.DO_NOT_CHARGE),
        (S.PAYING, (A.REVERSING, A.INTENDED), "paying", N.WAIT),
        (S.PARKED, (A.UNKNOWN,), "unknown", N.DO_NOT_CHARGE),
        (S.PARKED, (A.REVERSING,), "unknown", N.DO_NOT_CHARGE),
        (S.PAID, (A.PAID,), "paid", N.HAND_OVER),
        (S.CLOSING, (), "not_paid", N.SELL_AGAIN),
        (S.CLOSED, (A.NOT_PAID,), "not_paid", N.SELL_AGAIN),
        (S.RETURNING, (A.PAID,), "returned", N.WAIT),
        (S.RETURNED, (A.PAID,), "returned", N.NONE),
    ],
)
def test_a_state_is_shown_as_the_contract_says(paid, state, attempts, shown, action):
    sale = sale_of(paid, state, *attempts)
    assert documents.till_state(sale) == shown
    assert documents.next_action(sale) is action


def test_a_sale_that_may_be_charged_is_never_told_to_be_sold_again(paid):
    """The one mistake that costs a shopper money."""
    for sale in every_sale(paid):
        lost = all(one.state in LOST for one in sale.attempts)
        undecided = sale.state is S.PARKED or (
            sale.state is S.PAYING
            and not any(one.state is A.INTENDED for one in sale.attempts)
            and (sale.stop or not lost)
        )
        if undecided or sale.state in AFTER_PAYMENT:
            assert documents.next_action(sale) not in (
                N.SELL_AGAIN,
                N.PAY_AGAIN_OR_STOP,
                N.SELL_AT_FULL_PRICE,
            )
        if undecided:
            assert documents.next_action(sale) is N.DO_NOT_CHARGE


def test_no_other_way_of_paying_is_offered_once_the_hold_is_over(paid):
    for sale in every_sale(paid):
        action = documents.next_action(sale)
        wanted = N.DO_NOT_CHARGE if action is N.PAY_ANOTHER_WAY else action
        assert documents.next_action(sale, hold_is_over=True) is wanted


def test_a_hold_that_is_over_sells_nothing_again_while_money_is_on_its_way_back(paid):
    """Nor where a clock that was set back has the hold go on in the document that came after the refusal."""
    for sale in every_sale(paid):
        for is_over in (False, True):
            document = documents.sale_document(sale, hold_is_over=is_over)
            told = documents.not_begun(document, Refusal.HOLD_OVER)
            if document["state"] in ("unknown", "paying", "paid"):
                assert told["next_action"] not in (N.SELL_AGAIN, N.PAY_ANOTHER_WAY, N.PAY_AGAIN_OR_STOP)


def test_a_refused_sale_says_what_its_first_reason_says(paid):
    for refusal in Refusal:
        sale = sale_of(paid, S.REFUSED, reasons=(refusal, Refusal.DEVICE_NOT_ACCEPTED))
        assert documents.next_action(sale) is refusal.next_action


def test_a_sale_found_paid_late_asks_about_the_goods(paid):
    late = sale_of(paid, S.PAID, A.PAID, paid_ms=paid.opened_ms + FOUND_LATE_MS + 1)
    assert documents.next_action(late) is N.ASK_HANDED_OVER_OR_REFUND
    in_time = sale_of(paid, S.PAID, A.PAID, paid_ms=paid.opened_ms + FOUND_LATE_MS)
    assert documents.next_action(in_time) is N.HAND_OVER


def test_the_sale_that_binds_the_item_says_do_not_charge(paid):
    for sale in every_sale(paid):
        document = documents.sale_document(sale, already=True)
        assert (document["already"], document["next_action"]) == (True, N.DO_NOT_CHARGE)


def test_no_money_is_asked_for_by_an_old_copy_whatever_it_knows_of_the_sale(paid):
    asks_for_money = {N.TAKE_CASH, N.CHARGE_AT_TERMINAL, N.PAY_AGAIN_OR_STOP, N.PAY_ANOTHER_WAY}
    asks_for_money |= {N.SELL_AGAIN, N.SELL_AT_FULL_PRICE, N.QUOTE_AGAIN, N.TRY_LATER}
    changed = set()
    for sale in every_sale(paid):
        document = documents.sale_document(sale)
        doubted = documents.doubted(sale, document)
        is_refused = sale.state is S.REFUSED  # for a reason of its own: that was its end
        assert is_refused or doubted["next_action"] not in asks_for_money
        if doubted != document:
            assert (doubted["state"], doubted["next_action"]) == ("unknown", N.DO_NOT_CHARGE)
            changed.add(sale.state)
    assert {S.HELD, S.PAYING, S.CLOSING, S.CLOSED} <= changed
    assert changed.isdisjoint({S.REFUSED, *AFTER_PAYMENT})


def test_a_sale_that_was_cut_off_before_its_promise_may_have_gone_on_after_the_copy(paid):
    cut_off = sale_of(paid, S.REFUSED, reasons=(Refusal.SALE_INTERRUPTED,))
    told = documents.doubted(cut_off, documents.sale_document(cut_off))
    assert (told["state"], told["next_action"]) == ("unknown", N.DO_NOT_CHARGE)


@pytest.mark.parametrize("action", NextAction)
def test_every_action_has_its_sentences(action):
    assert action.zh.endswith("。") or action.zh.endswith("？") or "？" in action.zh
    assert action.en.endswith((".", "?"))
    assert any("一" <= character <= "鿿" for character in action.zh)
    assert action.en.isascii()


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_its_sentences_and_an_action(refusal):
    assert refusal.zh.endswith("。")
    assert refusal.en.endswith(".")
    assert any("一" <= character <= "鿿" for character in refusal.zh)
    assert refusal.en.isascii()
    assert refusal.next_action is not NextAction.NONE
    assert refusal.zh not in {one.zh for one in Refusal if one is not refusal}
