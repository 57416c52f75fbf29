"""Whose word is it that a journal is no copy? The centre's, once it was asked in this run."""

from types import SimpleNamespace

import pytest

from terminal_agent.app import Agent

FROZEN = "DEVICE_FROZEN: This device is frozen"


@pytest.mark.parametrize(
    ("has_tried", "is_behind", "denied", "boot", "may_be_old"),
    [
        (False, False, None, "earlier", True),
        (True, False, None, "earlier", False),  # it answered, or could not be reached
        (True, False, FROZEN, "earlier", True),
        (True, True, None, "earlier", True),  # it has heard more of us than we know
        (False, False, None, "this", False),  # what began in this run is in no copy
        (True, True, FROZEN, "this", False),
    ],
)
def test_a_sale_of_an_earlier_run_is_doubted_until_the_centre_was_asked_and_did_not_refuse_us(
    has_tried, is_behind, denied, boot, may_be_old
):
    agent = SimpleNamespace(
        _uploader=SimpleNamespace(has_tried=has_tried, is_behind=is_behind),
        _line=SimpleNamespace(denied=denied),
        _boot="this",
    )
    assert Agent._may_be_old(agent, SimpleNamespace(boot=boot)) is may_be_old
