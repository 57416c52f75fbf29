"""Does money go back once, whatever was lost on the way, and only where it was taken?"""

import threading

import msgspec
import pytest
from acquirer import direct_terminal, new_number

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Say
from terminal_agent.terminals.direct.messages import read_back_mark, read_sale_mark


@pytest.mark.parametrize(
    ("fault", "options", "reason"),
    [
        ("lost_answer", {}, "98"),
        ("wrong_mac", {}, "A0"),
        ("no_mac", {}, "A0"),
        ("unclear_code", {"code": "96"}, "06"),
        ("partial", {}, "06"),
    ],
)
def test_a_reversal_repeats_the_sale_without_track_and_pin_and_says_why(
    fault, options, reason, acquirer, tap, tapped, prepared
):
    ask = prepared(at=tapped)
    acquirer.fault(fault, **options)
    taken = tapped.take(ask)
    assert tapped.reverse(ask, taken.evidence).say is Say.APPROVED
    (sale,), (reversal,) = tap.said("0200"), tap.said("0400")
    same = ("2", "3", "4", "11", "14", "22", "25", "41", "42", "49", "57", "60")
    assert {key: reversal[key] for key in same} == {key: sale[key] for key in same}
    assert reversal["39"] == reason
    assert {"26", "35", "52", "53"} & reversal.keys() == set()
    assert {"26", "35", "52", "53"} <= sale.keys()
    assert reversal.get("38") == (taken.evidence.auth or None)


def test_an_approval_number_with_spaces_can_be_reversed(acquirer, driver, sell):
    ask, paid = sell()
    short = msgspec.structs.replace(paid.evidence, auth="12")
    assert driver.reverse(ask, short).say is Say.APPROVED


@pytest.mark.parametrize(
    ("code", "says"), [("25", Say.NOT_FOUND), ("12", Say.NOT_FOUND), ("05", Say.UNCLEAR)]
)
def test_no_original_does_not_close_a_reversal(code, says, acquirer, driver, sell):
    ask, paid = sell()
    acquirer.fault("declined", on="reversal", code=code)
    assert driver.reverse(ask, paid.evidence).say is says
    assert driver.reverse(ask, paid.evidence).say is Say.APPROVED


def test_a_reversal_may_overtake_its_sale_and_is_repeated(acquirer, driver, prepared):
    ask = prepared()
    acquirer.fault("late_request", ms=2500)  # the first reversal is before it on a busy machine too
    assert driver.take(ask).say is Say.UNCLEAR
    assert driver.reverse(ask, Evidence()).say is Say.NOT_FOUND
    said = Say.NOT_FOUND
    for _ in range(200):
        if said is Say.NOT_FOUND:
            threading.Event().wait(0.05)
            said = driver.reverse(ask, Evidence()).say
    assert said is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_what_is_settled_stands_and_is_refunded(acquirer, tmp_path, sell, begin_return):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    acquirer.settle(number)
    assert driver.reverse(ask, paid.evidence).say is Say.DECLINED
    back = begin_return(ask, paid, at=driver)
    assert driver.refund(ask, back).say is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]


@pytest.mark.parametrize("fault", ["lost_request", "wrong_mac"])
def test_an_unanswered_reversal_is_sent_before_anything_else(fault, acquirer, tap, tapped, sell, ask_for):
    ask, paid = sell(at=tapped)
    acquirer.fault(fault, on="reversal", times=2)
    assert tapped.reverse(ask, paid.evidence).say is Say.UNCLEAR
    assert tapped.prepare(ask_for()) is None
    assert tapped.prepare(ask_for()) is not None
    assert [one.mti for one in tap.heard][-5:] == ["0400", "0820", "0400", "0820", "0400"]
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_a_whole_sale_is_voided_in_its_batch_and_a_part_is_refunded(
    acquirer, tap, tapped, sell, begin_return
):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    assert tapped.refund(ask, back).say is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]
    other, paid = sell(at=tapped)
    back = begin_return(other, paid, fen=1_000, at=tapped)
    assert tapped.refund(other, back).approved_fen == 1_000
    assert acquirer.moved(other.pay_ref) == [("sale", other.amount_fen), ("refund", 1_000)]
    (refund,) = tap.said("0220")
    assert refund["37"] == paid.evidence.rrn
    mark = read_sale_mark(other.mark)
    assert refund["61"] == f"{mark.batch}{mark.trace}{paid.evidence.host_date}"


@pytest.mark.parametrize("fault", ["lost_answer", "lost_request"])
def test_an_agent_that_starts_again_gives_back_once(fault, acquirer, tap, tmp_path, sell, begin_return):
    """The void's answer was lost, and with it the memory that there was a void."""
    number = new_number()
    driver = direct_terminal(tap.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    acquirer.fault(fault, on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR

    again = direct_terminal(acquirer.address, tmp_path, number)
    answer = again.refund(ask, back)
    for _ in range(40):
        if answer.say is Say.UNCLEAR:
            threading.Event().wait(0.05)
            answer = again.refund(ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]
    # Told once more, as an agent does whose power went before it could write the answer down.
    third = direct_terminal(acquirer.address, tmp_path, number)
    said = {third.refund(ask, back).say for _ in range(20) if not threading.Event().wait(0.04)}
    assert said <= {Say.APPROVED, Say.UNCLEAR}
    assert Say.APPROVED in said
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]


def test_a_void_in_a_batch_that_has_closed_since_has_given_back(acquirer, tmp_path, sell, begin_return):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    acquirer.fault("lost_answer", on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    acquirer.settle(number)
    answer = driver.refund(ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]


@pytest.mark.parametrize("mark", [None, "", "000041", "S.1.2.3.4", "B.000001.000002.000003"])
def test_without_a_mark_of_ours_nothing_leaves(mark, acquirer, tap, tapped, sell, begin_return):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    heard = len(tap.heard)
    lost = msgspec.structs.replace(ask, mark=mark)
    assert tapped.reverse(lost, Evidence()).say is Say.UNCLEAR
    assert tapped.refund(lost, back).say is Say.UNCLEAR
    assert len(tap.heard) == heard


@pytest.fixture
def moved_to(tmp_path):
    """Return the terminal after its profile got another merchant's number, or another terminal's."""

    def moved(address, number, what):
        if what == "merchant":
            return direct_terminal(address, tmp_path, number, merchant='"EMU000000000002"')
        return direct_terminal(address, tmp_path)

    return moved


@pytest.mark.parametrize("what", ["merchant", "terminal"])
def test_what_was_begun_for_another_merchant_or_terminal_is_unclear_and_nothing_leaves(
    what, acquirer, tap, tmp_path, moved_to, sell, begin_return, ask_for
):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    later = moved_to(tap.address, number, what)

    said = [later.query(ask), later.reverse(ask, Evidence()), later.refund(ask, back)]

    assert [one.say for one in said] == [Say.UNCLEAR] * 3
    assert {one.evidence.code for one in said} == {"OTHER_MERCHANT"}
    assert later.prepare(ask) is None
    assert tap.heard == []
    assert later.prepare(ask_for()) is not None  # it stands in no new sale's way
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen)]
    as_before = direct_terminal(acquirer.address, tmp_path, number)
    assert as_before.reverse(ask, paid.evidence).say is Say.APPROVED


def test_a_return_that_another_merchant_began_is_not_sent_again_here(
    acquirer, tap, tmp_path, moved_to, sell, begin_return
):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    of_before = msgspec.structs.replace(ask, mark=ask.mark.partition("@")[0])
    later = moved_to(tap.address, number, "merchant")
    assert later.refund(of_before, back).evidence.code == "OTHER_MERCHANT"
    assert tap.heard == []


def test_marks_of_before_they_named_a_merchant_are_ours(acquirer, driver, sell, begin_return):
    ask, paid = sell()
    ask = msgspec.structs.replace(ask, mark=ask.mark.partition("@")[0])
    back = begin_return(ask, paid)
    back = msgspec.structs.replace(back, mark=back.mark.partition("@")[0])
    assert str(read_sale_mark(ask.mark)) == ask.mark
    assert str(read_back_mark(back.mark)) == back.mark
    assert driver.refund(ask, back).say is Say.APPROVED
    other, paid = sell()
    other = msgspec.structs.replace(other, mark=other.mark.partition("@")[0])
    assert driver.reverse(other, paid.evidence).say is Say.APPROVED


def test_marks_read_as_they_were_written(tapped, sell, begin_return):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    assert str(read_sale_mark(ask.mark)) == ask.mark
    assert str(read_back_mark(back.mark)) == back.mark
