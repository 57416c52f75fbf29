"""Do whole sales go as well over a nexo terminal, and over one with separated fields and ECR17's rules?

At the end the books of shop, centre and acquirers must agree, and no clear number may be left, as in every
journey.
"""

import pytest
from shop import SETTLED

from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_IDENTITY, MADE_UP_PHONE, MADE_UP_TRACK


@pytest.fixture(scope="module")
def other(open_shop):
    return open_shop(kinds=("nexo", "separated_7f"))


TILLS = pytest.mark.parametrize("till", ["01", "02"], ids=["nexo", "separated_7f"])


@pytest.fixture(autouse=True)
def nothing_armed(other):
    yield
    for terminal in other.terminals:
        terminal.clear_faults()


@TILLS
def test_a_sale_is_paid_and_its_goods_come_back(till, other):
    sale = other.sell(till=till)
    assert sale["state"] == "paid"
    assert other.charges(sale["record_id"]) == 1
    assert other.give_back(sale["record_id"])["state"] == "returned"
    assert other.charges(sale["record_id"]) == 0


@TILLS
def test_a_lost_answer_is_found(till, other):
    other.terminal(till).fault("lost_answer")
    sale = other.sell(till=till)
    assert other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "paid")
    assert other.moved(sale["record_id"]) == ["sale"]


@TILLS
def test_a_refused_card_and_then_another_one(till, other):
    other.terminal(till).fault("declined")
    sale = other.sell(till=till)
    assert sale["state"] == "not_paid"
    assert other.pay(sale["record_id"])["state"] == "paid"
    assert other.charges(sale["record_id"]) == 1


@TILLS
def test_another_amount_is_given_back(till, other):
    other.terminal(till).fault("wrong_amount", fen=1)
    sale = other.sell(till=till)
    other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "not_paid")
    assert other.moved(sale["record_id"]) == ["sale", "void"]


@TILLS
@pytest.mark.parametrize("point", ["frame_received", "after_ack", "after_approval", "after_answer"])
def test_an_agent_killed_in_a_payment_ends_it_rightly_after(till, point, other):
    other.terminal(till).fault("kill", point=point, pid=other.agent.pid)
    body = other.body(till=till)
    asked = other.selling(body)
    other.agent.wait_dead()
    # What the terminal has answered may have reached the till before the agent died.
    assert asked.exception(timeout=30) is not None or point == "after_answer"
    killed = other.journal().sale_of(body["item"]["serial_no"])
    other.restart()
    sale = other.wait_for_sale(killed["record_id"], lambda one: one["state"] in SETTLED)
    charged = point != "frame_received"
    assert (sale["state"] == "paid", other.charges(sale["record_id"])) == (charged, int(charged))


@TILLS
def test_clear_data_from_the_terminal_is_kept_nowhere(till, other):
    terminal = other.terminal(till)
    terminal.fault("clear_card")
    assert other.sell(till=till)["state"] == "paid"
    terminal.fault("clear_card")
    terminal.fault("lost_answer")
    sale = other.sell(till=till)
    other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "paid")
    kept = [other.folder / "agent.log", other.folder / "agent.out", *(other.folder / "agent-data").rglob("*")]
    contents = [file.read_bytes() for file in kept if file.is_file()]
    assert any(sale["record_id"].encode() in content for content in contents)
    for secret in (MADE_UP_CARD, MADE_UP_TRACK, MADE_UP_PHONE, MADE_UP_IDENTITY):
        assert not [content for content in contents if secret.encode() in content]
