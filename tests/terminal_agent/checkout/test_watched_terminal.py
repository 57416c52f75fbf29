"""A checkout whose terminal is only watched is true, whatever the cashier does at the terminal.

Real sockets and the real journal. At rest the host's books and ours agree to the fen.
"""

import threading

import msgspec
import pytest
from card_host import Booked, Next
from return_desk import WISH
from scanner import Scanner, Secret, looks_personal
from unit_shop import TO_PAY_FEN
from watched_line import TERMINAL, WatchedShop, eventually

from subsidy.policy.next_action import NextAction
from subsidy.records.payment import Evidence
from terminal_agent.checkout.look_at_it import Odd
from terminal_agent.checkout.sighting import Sight, Sighting
from terminal_agent.checkout.states import AttemptState, ReturnState, SaleState
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_TRACK
from terminal_agent.emulators.line_terminal import Slip
from terminal_agent.till import documents

S, A = SaleState, AttemptState


@pytest.fixture
def shop(tmp_path, moves_taken):
    shop = WatchedShop(tmp_path)
    yield shop
    moves_taken |= {tuple(row) for row in shop.rows("SELECT DISTINCT what, before, after FROM move")}
    shop.close()
    secrets = (("card", MADE_UP_CARD), ("track", MADE_UP_TRACK[:37]), ("pin", "9F8E7D6C5B4A3F2E"))
    assert Scanner(Secret(*one) for one in secrets).scan_folder(tmp_path) == []
    assert not looks_personal(repr(shop.logged))


def sold(shop, **charge):
    """Sell, and charge at the terminal; return the sale at rest and its slip."""
    sale = shop.open().sale
    worker = shop.begin(sale)
    slip = shop.terminal.sell(charge.get("fen", TO_PAY_FEN), wait_s=charge.get("wait_s", 5))
    worker.join(30)
    return shop.now(sale), slip


def agree(shop, sale):
    """Our books and the host's say the same of one sale, to the fen."""
    ours = (
        sum(one.approved_fen for one in sale.attempts if one.state is A.PAID) if sale.state is S.PAID else 0
    )
    assert sum(shop.host.standing().values()) == ours


def kinds(shop, sale):
    return [
        row[0]
        for row in shop.rows("SELECT kind FROM outbox WHERE record_id = ? ORDER BY seq", sale.record_id)
    ]


def test_what_is_charged_by_hand_is_paid(shop):
    sale = shop.open().sale
    worker = shop.begin(sale)
    assert documents.next_action(shop.now(sale)) is NextAction.CHARGE_AT_TERMINAL
    assert documents.till_state(shop.now(sale)) == "paying"
    slip = shop.terminal.sell(TO_PAY_FEN)
    worker.join(30)

    after = shop.now(sale)
    assert after.state is S.PAID
    assert (after.paid_attempt.evidence.trace, after.paid_attempt.evidence.rrn) == (slip.trace, slip.rrn)
    assert after.paid_attempt.approved_fen == TO_PAY_FEN
    agree(shop, after)


def test_a_refused_card_is_not_paid_and_another_may_follow(shop):
    shop.host.nexts.append(Next(code="51"))
    sale, _ = sold(shop)
    assert (sale.state, sale.attempts[0].state) == (S.HELD, A.NOT_PAID)
    assert documents.next_action(sale) is NextAction.PAY_AGAIN_OR_STOP
    shop.pay_again(sale)
    worker = shop.begin(sale)
    shop.terminal.sell(TO_PAY_FEN)
    worker.join(30)
    assert shop.now(sale).state is S.PAID
    agree(shop, shop.now(sale))


def test_when_nobody_charges_in_time_nothing_is_paid_and_the_hold_stays(shop):
    sale = shop.open().sale
    shop.begin(sale).join(30)
    after = shop.now(sale)
    assert (after.state, after.attempts[0].evidence.code) == (S.HELD, "NOTHING_PASSED")
    agree(shop, after)


def test_who_has_read_the_till_before_the_last_call_can_still_charge(shop):
    sale = shop.open().sale
    worker = shop.begin(sale)
    pay_ref = shop.now(sale).attempts[0].pay_ref
    called = Sighting(Sight.LAST_CALL, TO_PAY_FEN, Evidence(code="LAST_CALL"), pay_ref)
    shop.sightings.note(called)
    assert documents.next_action(shop.now(sale)) is NextAction.WAIT
    slip = shop.terminal.sell(TO_PAY_FEN)
    worker.join(30)
    after = shop.now(sale)
    assert (after.state, after.paid_attempt.evidence.trace) == (S.PAID, slip.trace)
    agree(shop, after)


def test_a_cashier_who_stops_disarms(shop):
    sale = shop.open().sale
    worker = shop.begin(sale)
    shop.checkout.stop(sale.record_id, shop.key())
    worker.join(30)
    assert shop.now(sale).state is S.CLOSING
    assert shop.terminal.sell(TO_PAY_FEN).approved  # the shop's own sale now
    shop.line.settle()
    assert shop.now(sale).attempts[0].state is A.NOT_PAID
    assert [event for event, _ in shop.logged] == ["relay.look_at_it"]
    assert looks(shop) == [(Odd.CHARGED_BESIDE, sale.record_id, TO_PAY_FEN, "000001")]


def test_money_taken_while_the_cashier_stops_must_be_voided_at_the_terminal(shop):
    late = threading.Event()
    shop.host.nexts.append(Next(before=late))
    sale = shop.open().sale
    worker = shop.begin(sale)
    seller = threading.Thread(target=shop.terminal.sell, args=(TO_PAY_FEN,))
    seller.start()
    eventually(lambda: shop.now(sale).attempts[0].evidence.trace)
    assert documents.next_action(shop.now(sale)) is NextAction.WAIT
    shop.checkout.stop(sale.record_id, shop.key())
    late.set()
    seller.join()
    eventually(lambda: shop.now(sale).attempts[0].state is A.REVERSING)
    assert documents.next_action(shop.now(sale)) is NextAction.VOID_AT_TERMINAL
    assert shop.terminal.void("000001").approved
    worker.join(30)
    eventually(lambda: shop.now(sale).state is S.CLOSING)
    assert shop.now(sale).attempts[0].state is A.NOT_PAID
    agree(shop, shop.now(sale))


def test_less_than_asked_is_undone_at_the_terminal(shop):
    shop.host.nexts.append(Next(code="10", fen=TO_PAY_FEN - 1))
    sale, _ = sold(shop)
    assert (sale.state, sale.attempts[0].state) == (S.PARKED, A.REVERSING)
    assert documents.next_action(sale) is NextAction.VOID_AT_TERMINAL
    shop.terminal.reverse("000001")
    eventually(lambda: shop.now(sale).attempts[0].state is A.NOT_PAID)
    assert shop.now(sale).state is S.HELD
    agree(shop, shop.now(sale))


@pytest.mark.parametrize("undo", ["void", "refund", "reverse"])
def test_money_that_goes_back_after_paid_returns_the_sale_and_the_centre_hears_of_it(shop, undo):
    sale, _ = sold(shop)
    assert sale.state is S.PAID
    if undo == "refund":
        shop.terminal.settle()
    getattr(shop.terminal, undo)("000001")
    after = eventually(lambda: (now := shop.now(sale)).state is S.RETURNED and now)

    assert kinds(shop, sale) == ["paid", "returning", "returned"]
    back = after.returns[-1]
    assert (back.state, back.refund_fen, back.wish.operator) == (ReturnState.REFUNDED, TO_PAY_FEN, "terminal")
    assert back.evidence.code in ("VOIDED", "REFUNDED", "REVERSED")
    assert documents.next_action(after) is NextAction.TAKE_THE_GOODS_BACK
    agree(shop, after)


def test_money_that_went_back_twice_by_two_words_is_one_return(shop):
    sale, _ = sold(shop)
    shop.terminal.void("000001")
    eventually(lambda: shop.now(sale).state is S.RETURNED)
    shop.terminal.reverse("000001")
    shop.line.settle()
    assert kinds(shop, sale) == ["paid", "returning", "returned"]
    agree(shop, shop.now(sale))


def test_a_void_after_a_restart_is_known_by_its_trace(shop):
    sale, _ = sold(shop)
    shop.restart()
    shop.terminal.void("000001")
    eventually(lambda: shop.now(sale).state is S.RETURNED)
    agree(shop, shop.now(sale))


def test_a_reversal_is_of_its_sale_also_when_the_hosts_clock_was_put_right_by_decades_meanwhile(shop):
    sale, _ = sold(shop)
    shop.clock.wall += 56 * 365 * 86_400_000
    shop.restart()
    assert shop.terminal.reverse("000001").approved
    eventually(lambda: shop.now(sale).state is S.RETURNED)
    assert looks(shop) == []
    agree(shop, shop.now(sale))


def test_a_void_of_somebody_elses_sale_changes_nothing(shop):
    sale, _ = sold(shop)
    other = shop.terminal.sell(500)
    shop.terminal.void(other.trace)
    shop.line.settle()
    assert shop.now(sale).state is S.PAID
    agree(shop, shop.now(sale))


def looks(shop):
    """What somebody has to look at."""
    return [(one.what, one.record_id, one.fen, one.trace) for one in shop.real_journal.to_look_at()]


def document(shop, sale):
    """What the till reads of a sale."""
    now = shop.now(sale)
    return documents.with_looks(documents.sale_document(now), shop.real_journal.to_look_at(sale.record_id))


@pytest.fixture
def keyed_again(shop):
    """A sale whose card was declined, and whose amount was then charged by hand once more."""
    shop.host.nexts.append(Next(code="51"))
    sale, _ = sold(shop)
    assert document(shop, sale)["next_action"] is NextAction.PAY_AGAIN_OR_STOP
    assert shop.terminal.sell(TO_PAY_FEN).trace == "000002"
    eventually(lambda: looks(shop))
    return sale


def test_a_charge_after_the_decline_is_told_at_the_till_until_it_is_voided(shop, keyed_again):
    assert looks(shop) == [(Odd.CHARGED_BESIDE, keyed_again.record_id, TO_PAY_FEN, "000002")]
    told = document(shop, keyed_again)
    assert (told["state"], told["next_action"]) == ("not_paid", NextAction.VOID_THE_OTHER_CHARGE)
    assert told["next_action_text"]["zh"] == NextAction.VOID_THE_OTHER_CHARGE.zh
    assert told["look_at"][0]["trace"] == "000002"

    assert shop.terminal.void("000002").approved
    eventually(lambda: not looks(shop))
    assert document(shop, keyed_again)["next_action"] is NextAction.PAY_AGAIN_OR_STOP
    shop.pay_again(keyed_again)
    worker = shop.begin(keyed_again)
    shop.terminal.sell(TO_PAY_FEN)
    worker.join(30)
    assert shop.now(keyed_again).state is S.PAID
    agree(shop, shop.now(keyed_again))


def test_it_outlives_a_restart_and_the_end_of_the_sale(shop, keyed_again):
    shop.checkout.stop(keyed_again.record_id, shop.key())
    shop.restart()
    assert shop.now(keyed_again).state is S.CLOSING
    assert [one.record_id for one in shop.real_journal.sales_of_till("01")] == [keyed_again.record_id]
    assert document(shop, keyed_again)["next_action"] is NextAction.VOID_THE_OTHER_CHARGE
    shop.terminal.void("000002")
    eventually(lambda: not looks(shop))
    assert shop.real_journal.sales_of_till("01") == []


def test_a_part_of_it_that_goes_back_does_not_end_it(shop, keyed_again):
    shop.terminal.refund("000002", 100)
    shop.line.settle()
    assert len(looks(shop)) == 1
    assert shop.terminal.refund("000002", TO_PAY_FEN - 100).approved


def test_it_ends_when_somebody_says_that_it_is_seen_to(shop, keyed_again):
    (one,) = shop.real_journal.to_look_at()
    assert not shop.real_journal.is_seen_to(one.no + 1, "cashier-1")
    assert shop.real_journal.is_seen_to(one.no, "cashier-1")
    assert shop.real_journal.is_seen_to(one.no, "cashier-2")
    assert looks(shop) == []
    assert shop.rows("SELECT ended_by FROM look") == [("cashier-1",)]


def test_a_charge_of_the_amount_long_afterwards_is_an_ordinary_one(shop, monkeypatch):
    monkeypatch.setattr("terminal_agent.terminals.relay.watch._SHORTLY_MS", -10_000)
    shop.host.nexts.append(Next(code="51"))
    sold(shop)
    assert shop.terminal.sell(TO_PAY_FEN).approved
    shop.line.settle()
    assert looks(shop) == []


def test_money_back_that_fits_no_sale_is_told_with_the_sale_of_that_number(shop):
    sale, _ = sold(shop)
    replaced(shop)
    shop.restart()
    shop.terminal.slips = [Slip("sale", "000001", "000001", TO_PAY_FEN, rrn="800000000001")]
    shop.host.books.append(Booked("sale", "000001", "000001", TO_PAY_FEN))
    assert shop.terminal.refund("000001").approved
    eventually(lambda: looks(shop) == [(Odd.WHICH_SALE, sale.record_id, TO_PAY_FEN, "000001")])
    assert document(shop, sale)["next_action"] is NextAction.HAND_OVER


def test_a_void_that_is_reversed_is_told(shop):
    sale, _ = sold(shop)
    shop.terminal.void("000001")
    eventually(lambda: shop.now(sale).state is S.RETURNED)
    shop.terminal.reverse("000002")
    eventually(lambda: looks(shop) == [(Odd.VOID_UNDONE, sale.record_id, TO_PAY_FEN, "000001")])


def replaced(shop):
    """Put another terminal there under the same number: its counters begin again."""
    shop.terminal.slips, shop.terminal._trace = [], 0
    shop.host.books.clear()
    shop.host.rrn_begins = "8"


@pytest.mark.parametrize(
    ("undo", "restarted", "fen"),
    [
        ("void", False, 500),
        ("void", True, 500),
        ("void", False, TO_PAY_FEN),
        ("void", True, TO_PAY_FEN),
        ("refund", False, TO_PAY_FEN),
        ("refund", True, TO_PAY_FEN),
        ("reverse", False, 500),
        ("reverse", True, 500),
        ("reverse", False, TO_PAY_FEN),  # after a restart only its card and its age would tell it apart
    ],
)
def test_a_plain_sale_undone_at_a_terminal_that_counts_anew_leaves_the_old_sale_paid(
    shop, undo, restarted, fen
):
    sale, _ = sold(shop)
    replaced(shop)
    if restarted:
        shop.restart()
    assert shop.terminal.sell(fen).trace == "000001"
    assert getattr(shop.terminal, undo)("000001").approved
    shop.line.settle()
    assert shop.now(sale).state is S.PAID
    assert kinds(shop, sale) == ["paid"]


def test_the_old_sale_is_still_returned_by_a_refund_that_names_it(shop):
    sale, slip = sold(shop)
    replaced(shop)
    shop.terminal.sell(TO_PAY_FEN)
    shop.host.books.append(Booked("sale", slip.trace, slip.batch, TO_PAY_FEN))
    shop.terminal.slips = [slip]
    assert shop.terminal.refund(slip.trace).approved
    eventually(lambda: shop.now(sale).state is S.RETURNED)


def test_an_armed_sale_at_a_terminal_that_counts_anew_is_its_own(shop):
    first, _ = sold(shop)
    replaced(shop)
    second, _ = sold(shop)
    assert [shop.now(one).state for one in (first, second)] == [S.PAID, S.PAID]
    assert shop.terminal.void("000001").approved
    eventually(lambda: shop.now(second).state is S.RETURNED)
    assert shop.now(first).state is S.PAID


def test_a_part_that_goes_back_is_logged_and_the_sale_stays_paid(shop):
    sale, _ = sold(shop)
    shop.terminal.refund("000001", 100)
    eventually(lambda: looks(shop) == [(Odd.PART_WENT_BACK, sale.record_id, 100, "000001")])
    assert shop.now(sale).state is S.PAID


def test_a_return_asked_for_at_the_till_ends_when_the_void_passes(shop):
    sale, _ = sold(shop)
    shop.journal.begin_return(sale.record_id, WISH, None)
    entry = shop.real_journal.returning_waiting(sale.record_id)
    from unit_shop import ack_of

    shop.real_journal.acknowledge([(ack_of(entry), "sealed")])
    refunding = threading.Thread(target=shop.lane.do, args=(sale.record_id, 0))
    refunding.start()
    eventually(lambda: shop.now(sale).returns[-1].state is ReturnState.SENDING)
    assert documents.next_action(shop.now(sale)) is NextAction.VOID_AT_TERMINAL
    shop.terminal.void("000001")
    refunding.join(30)
    after = eventually(lambda: (now := shop.now(sale)).state is S.RETURNED and now)
    assert after.returns[-1].wish == WISH
    assert kinds(shop, sale) == ["paid", "returning", "returned"]
    agree(shop, after)


def test_a_void_that_passes_before_the_centre_has_agreed_ends_the_return(shop):
    sale, _ = sold(shop)
    shop.journal.begin_return(sale.record_id, WISH, None)
    shop.terminal.void("000001")
    after = eventually(lambda: (now := shop.now(sale)).state is S.RETURNED and now)
    assert after.returns[-1].mark == "watched"
    agree(shop, after)


def test_a_restart_while_armed_parks_the_sale_whatever_did_not_pass(shop):
    sale = shop.open().sale
    shop.begin(sale)
    shop.restart()
    after = eventually(lambda: (now := shop.now(sale)).state is S.PARKED and now)
    assert (documents.till_state(after), documents.next_action(after)) == (
        "unknown",
        NextAction.DO_NOT_CHARGE,
    )


def test_a_reversal_after_a_restart_ends_what_the_last_run_saw_leaving(shop):
    shop.host.nexts.append(Next(answers=False))
    sale = shop.open().sale
    shop.begin(sale)
    shop.terminal.sell(TO_PAY_FEN, wait_s=0.1)
    eventually(lambda: shop.now(sale).attempts[0].evidence.trace)
    shop.restart()
    assert shop.now(sale).state is S.PARKED
    shop.terminal.reverse("000001")
    after = eventually(lambda: (now := shop.now(sale)).state is not S.PARKED and now)
    assert after.attempts[0].state is A.NOT_PAID
    agree(shop, after)


def test_a_broken_view_parks_and_a_sale_seen_later_still_counts(shop):
    sale = shop.open().sale
    worker = shop.begin(sale)
    shop.line.new_terminal().noise(b"garbage")
    shop.line.settle()
    shop.terminal.sell(TO_PAY_FEN)
    worker.join(30)
    assert shop.now(sale).state is S.PAID
    agree(shop, shop.now(sale))


def test_a_broken_view_is_never_not_paid(shop):
    sale = shop.open().sale
    worker = shop.begin(sale)
    shop.line.new_terminal().noise(b"garbage")
    worker.join(30)
    after = shop.now(sale)
    assert (after.state, after.attempts[0].state) == (S.PARKED, A.UNKNOWN)


def test_on_a_line_that_cannot_be_watched_no_sale_begins(shop):
    shop.line.observer.runs = False
    sale = shop.open().sale
    shop.work(sale)
    after = shop.now(sale)
    assert (after.state, after.attempts[0].evidence.code) == (S.HELD, "TERMINAL_SILENT")


def test_evidence_that_goes_to_the_centre_is_masked(shop):
    sale, _ = sold(shop)
    shop.terminal.void("000001")
    eventually(lambda: shop.now(sale).state is S.RETURNED)
    said = msgspec.json.encode([one.evidence for one in (*shop.now(sale).attempts, *shop.now(sale).returns)])
    assert b"629999*********9384" in said
    assert not looks_personal(said.decode())
    assert shop.now(sale).attempts[0].terminal_no == TERMINAL
