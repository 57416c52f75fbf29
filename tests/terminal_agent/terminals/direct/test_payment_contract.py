"""The direct driver keeps the promises of every link that takes money, against the host over real TCP.

The host cannot be asked, so whatever a scenario finds by asking is here UNCLEAR, and is undone.
"""

from dataclasses import replace
from types import MappingProxyType

import pytest
from acquirer import direct_terminal, new_number
from payment_contract import (
    REFUNDS,
    REVERSALS,
    SCENARIOS,
    check,
    check_nothing_to_give_back,
    check_part,
    check_refund,
    check_reversal,
)
from wechat import new_ask

from terminal_agent.checkout.ports import Say

KINDS = MappingProxyType(
    {"sale": "taken", "void": "given back", "refund": "given back", "reversal": "given back"}
)
FAULTS = MappingProxyType(
    {
        "declined": ("declined", {}),
        "lost_request": ("lost_request", {}),
        "lost_answer": ("lost_answer", {}),
        "late_answer": ("late_answer", {"ms": 900}),
        "slow_answer": ("late_answer", {"ms": 200}),
        "broken_answer": ("wrong_mac", {}),
        "doubled": ("doubled_answer", {}),
        "wrong_amount": ("wrong_amount", {"fen": 1}),
        "strangers_answer": ("previous_answer", {"then_right": False}),
        "unclear_charged": ("unclear_code", {"charged": True}),
        "unclear_not_charged": ("unclear_code", {"charged": False}),
        "at_work": ("late_answer", {"ms": 900}),
    }
)


class Side:
    """The direct driver as the contract sees it."""

    says_at_once = True
    undoes_unknown = False

    def __init__(self, acquirer, folder):
        self._acquirer = acquirer
        self._number = new_number()
        self._calls = {"take": "sale", "reverse": "reversal", "refund": "void"}
        self.payment = direct_terminal(acquirer.address, folder, self._number)

    def new_ask(self, fen):
        return new_ask(fen, "not shown by anybody")

    def arm(self, call, fault):
        name, options = FAULTS[fault]
        self._acquirer.fault(name, on=self._calls[call], **options)

    def end_day(self):
        """Close the batch: then a refund gives back."""
        self._acquirer.settle(self._number)
        self._calls["refund"] = "refund"

    def cannot_tell(self, _fault):
        """Return what may be answered besides: nothing."""
        return frozenset()

    def moved(self, pay_ref):
        return [(KINDS[kind], fen) for kind, fen in self._acquirer.moved(pay_ref)]


@pytest.fixture
def side(acquirer, tmp_path):
    return Side(acquirer, tmp_path)


@pytest.mark.parametrize(
    "scenario",
    [replace(one, found=frozenset({Say.UNCLEAR})) for one in SCENARIOS],
    ids=lambda one: one.name,
)
def test_a_payment_is_told_as_it_is_and_undone_whole(scenario, side):
    check(scenario, side)


@pytest.mark.parametrize("reversal", REVERSALS, ids=lambda one: one.name)
def test_a_disturbed_reversal_gives_back_once(reversal, side):
    check_reversal(reversal, side)


DAYS = pytest.mark.parametrize("day_ended", [False, True], ids=["same day", "day ended"])


@DAYS
@pytest.mark.parametrize("refund", REFUNDS, ids=lambda one: one.name)
def test_a_disturbed_refund_gives_back_once(refund, day_ended, side):
    check_refund(refund, side, day_ended=day_ended)


@DAYS
def test_a_part_is_given_back_once(day_ended, side):
    check_part(side, day_ended=day_ended)


@pytest.mark.parametrize("fault", ["", "declined", "lost_request"])
def test_what_was_never_paid_is_not_given_back(fault, side):
    check_nothing_to_give_back(side, fault)
