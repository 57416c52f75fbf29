"""What is too late at hosts that say so of what they know, and at hosts that say so of every closed batch."""

import threading

import pytest
from acquirer import EmulatedAcquirer, direct_terminal, new_number

from terminal_agent.checkout.ports import Say


@pytest.fixture(scope="module", params=["knows_first", "closed_first"])
def host(request, tmp_path_factory):
    options = {"closed_first": True} if request.param == "closed_first" else {}
    with EmulatedAcquirer.start(tmp_path_factory.mktemp(request.param), **options) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_armed(host):
    yield
    host.clear_faults()


@pytest.fixture
def number():
    return new_number()


def refunded(driver, ask, back):
    """Ask as the worker of the link does, until it says something."""
    answer = driver.refund(ask, back)
    for _ in range(40):
        if answer.say is not Say.UNCLEAR:
            break
        threading.Event().wait(0.05)
        answer = driver.refund(ask, back)
    return answer


def test_a_sale_of_an_older_batch_is_refunded_after_a_restart_too(host, number, tmp_path, sell, begin_return):
    driver = direct_terminal(host.address, tmp_path, number)
    ask, paid = sell(at=driver)
    host.settle(number)
    back = begin_return(ask, paid, at=driver)
    host.settle(number)
    again = direct_terminal(host.address, tmp_path, number)
    answer = refunded(again, ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]


@pytest.mark.parametrize("knows", ["the same process", "another process"])
@pytest.mark.parametrize("fault", ["lost_request", "lost_answer"])
def test_the_money_of_a_void_that_a_closing_batch_left_behind_is_back_once(
    fault, knows, host, number, tmp_path, sell, begin_return
):
    driver = direct_terminal(host.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    host.fault(fault, on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    host.settle(number)
    if knows == "another process":
        driver = direct_terminal(host.address, tmp_path, number)
    answer = refunded(driver, ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    moved = "void" if fault == "lost_answer" else "refund"
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), (moved, ask.amount_fen)]
    # Told once more, as after a power cut before it was written down.
    assert refunded(direct_terminal(host.address, tmp_path, number), ask, back).say is Say.APPROVED
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), (moved, ask.amount_fen)]


@pytest.mark.parametrize("host", ["closed_first"], indirect=True)
def test_a_refund_refused_for_another_reason_leaves_it_open(host, number, tmp_path, sell, begin_return):
    """Nobody can say then whether the void stands: neither "given back" nor "not given back"."""
    driver = direct_terminal(host.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    host.fault("lost_request", on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    host.settle(number)
    host.fault("declined", on="refund", code="05")
    said = {driver.refund(ask, back).say for _ in range(2)}
    assert said == {Say.UNCLEAR}
