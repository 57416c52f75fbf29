"""Whose word is it that a sale of an earlier run stands here as it stands at the terminal?

The centre's, once it was asked in this run; and only where nothing else is open at that terminal.
"""

from functools import partial
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from return_desk import ReturnDesk
from unit_shop import PHONE, TERMINAL

from terminal_agent.app import Agent
from terminal_agent.checkout.ports import Answer, Say

FROZEN = "DEVICE_FROZEN: This device is frozen"


def agent(journal, *, was_answered=True, is_behind=False, denied=None):
    """Return what the question is asked of."""
    asked = SimpleNamespace(
        journal=journal,
        _uploader=SimpleNamespace(was_answered=was_answered, is_behind=is_behind),
        _line=SimpleNamespace(denied=denied),
        _boot="this",
    )
    asked._may_have_forgotten = partial(Agent._may_have_forgotten, asked)
    return asked


@pytest.fixture
def desk(tmp_path):
    desk = ReturnDesk(tmp_path)
    yield desk
    desk.connection.close()


@pytest.mark.parametrize(
    ("was_answered", "is_behind", "denied", "boot", "is_doubted"),
    [
        (False, False, None, "earlier", True),
        (True, False, None, "earlier", False),
        (True, False, FROZEN, "earlier", True),
        (True, True, None, "earlier", True),  # it has heard more of us than we know
        (False, False, None, "this", False),  # what began in this run is in no copy
        (True, True, FROZEN, "this", False),
    ],
)
def test_a_sale_of_an_earlier_run_is_doubted_until_the_centre_has_answered_and_did_not_refuse_us(
    was_answered, is_behind, denied, boot, is_doubted, desk
):
    sale = replace(desk.sell(), boot=boot)
    asked = agent(desk.journal, was_answered=was_answered, is_behind=is_behind, denied=denied)
    assert Agent._may_have_moved_on(asked, TERMINAL, sale) is is_doubted
    assert Agent._may_have_forgotten(asked, sale) is is_doubted


def test_of_two_refunds_that_are_open_on_a_link_either_may_have_been_sent_last(desk):
    first, second = desk.sell(), desk.sell()
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    desk.give_back(first)
    assert not Agent._may_have_moved_on(agent(desk.journal), TERMINAL, first)

    desk.give_back(second)
    # By this the older one is sent again, of which nothing is written down.
    desk.lane.look_at_parked()
    for one in (first, second):
        assert not Agent._may_have_forgotten(agent(desk.journal), one)
        assert Agent._may_have_moved_on(agent(desk.journal), TERMINAL, one)
        assert not Agent._may_have_moved_on(agent(desk.journal), TERMINAL, replace(one, boot="this"))
        assert not Agent._may_have_moved_on(agent(desk.journal), PHONE, one)


def test_a_payment_that_is_open_on_a_link_may_have_been_undone_since(desk):
    returned = desk.sell()
    desk.payment.takes.clear()
    desk.payment.takes.append(Answer(Say.UNCLEAR))
    desk.sell()
    assert Agent._may_have_moved_on(agent(desk.journal), TERMINAL, returned)
    assert not Agent._may_have_moved_on(agent(desk.journal), PHONE, returned)
