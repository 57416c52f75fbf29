"""All links that take money keep the same promises, whichever side shows the code."""

from contextlib import ExitStack
from functools import cache
from types import MappingProxyType

import pytest
from alipay import new_ask as new_alipay_ask
from alipay import new_shown_ask as new_alipay_shown_ask
from emulator import MIS_FILE, NEXO_FILE, PROFILE_FILES, EmulatedTerminal, short_profile, short_text
from payment_contract import (
    REFUNDS,
    REVERSALS,
    SCENARIOS,
    SHOWN,
    check,
    check_close,
    check_nothing_to_give_back,
    check_part,
    check_refund,
    check_reversal,
    check_shown,
)
from unionpay import new_unionpay_ask, new_unionpay_shown_ask
from wechat import RealClock, new_ask, new_shown_ask

from terminal_agent.checkout.ports import Say
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal


class Card:
    """A driven terminal and its emulator."""

    kinds = MappingProxyType({"sale": "taken", "void": "given back", "refund": "given back"})
    faults = MappingProxyType(
        {
            "declined": ("declined", {}),
            "lost_request": ("lost_request", {}),
            "lost_answer": ("lost_answer", {}),
            "late_answer": ("late_answer", {"ms": 1000}),
            "slow_answer": ("late_answer", {"ms": 200}),
            "broken_answer": ("bad_lrc", {}),
            "doubled": ("doubled_answer", {}),
            "wrong_amount": ("wrong_amount", {"fen": 1}),
            "strangers_answer": ("crossed_answer", {"then_right": False}),
            "unclear_charged": ("unclear_code", {"charged": True}),
            "unclear_not_charged": ("unclear_code", {"charged": False}),
            "at_work": ("progress", {"n": 6, "every_ms": 300}),
        }
    )

    def __init__(self, emulator, kind):
        self.emulator = emulator
        self.calls = {"take": "sale", "reverse": "void", "refund": "void"}
        profile = short_profile(kind)
        self.payment = DrivenTerminal(
            profile, lambda: open_serial(str(emulator.link), profile.line), RealClock()
        )

    def new_ask(self, fen):
        return new_ask(fen)

    def end_day(self):
        """Close the batch: then a refund gives back."""
        self.emulator.settle()
        self.calls["refund"] = "refund"


class Nexo:
    """A nexo terminal and its emulator."""

    kinds = Card.kinds
    faults = MappingProxyType({**Card.faults, "broken_answer": ("torn_answer", {})})

    def __init__(self, emulator):
        self.emulator = emulator
        self.calls = {"take": "sale", "reverse": "void", "refund": "void"}
        port = f"{emulator.link}/EMU00001"
        self.payment = DRIVERS["nexo_tcp"](port, short_text(NEXO_FILE), NEXO_FILE.name).payment(RealClock())

    def end_day(self):
        """Close the batch: then a reversal is a refund."""
        self.emulator.settle()
        self.calls["refund"] = "refund"


class Mis:
    """A terminal behind a MIS client, and its emulator."""

    faults = MappingProxyType(
        {
            **Card.faults,
            "broken_answer": ("torn_answer", {}),
            "late_answer": ("late_answer", {"ms": 3000}),
            "at_work": ("progress", {"n": 10, "every_ms": 300}),
        }
    )
    kinds = Card.kinds
    # The client tells the last transaction that went through, and only of the amount asked for is it ours.
    silent = MappingProxyType(
        {
            "declined": {Say.NOT_FOUND},
            "wrong_amount": {Say.UNCLEAR},
            "unclear_not_charged": {Say.NOT_FOUND},
            "unclear_charged": {Say.APPROVED},
        }
    )

    def __init__(self, emulator):
        self.emulator = emulator
        self.calls = {"take": "sale", "reverse": "void", "refund": "void"}
        self.payment = DRIVERS["mis_fixed"](f"tcp:{emulator.link}", mis_text(), "x.yaml").payment(RealClock())
        self.before = len(emulator.books())

    def moved(self, _):
        """Return all that moved in this test: the record has no place for a pay_ref."""
        lines = self.emulator.books()[self.before :]
        return [(one["kind"], one["fen"]) for one in lines if one["kind"] in self.kinds]

    def end_day(self):
        """Close the batch: then a refund gives back."""
        self.emulator.settle()
        self.calls["refund"] = "refund"


def mis_text():
    """Return the shipped profile with waits in which a child can start on a busy machine."""
    return short_text(MIS_FILE, answer_wait_ms=2000, answer_cap_ms=2000, status_wait_ms=3000)


class Wechat:
    """WeChat Pay and its emulator."""

    kinds = MappingProxyType({"charge": "taken", "reversal": "given back", "refund": "given back"})
    calls = MappingProxyType({"take": "pay", "reverse": "reverse", "refund": "refund"})
    faults = MappingProxyType(
        {
            "declined": ("declined", {"code": "NOT_ENOUGH"}),
            "lost_request": ("lost_request", {}),
            "lost_answer": ("lost_answer", {}),
            "late_answer": ("late_answer", {"ms": 1000}),
            "slow_answer": ("late_answer", {"ms": 200}),
            "broken_answer": ("torn_answer", {}),
            "doubled": ("doubled_request", {}),
            "wrong_amount": ("wrong_amount", {"fen": 1}),
            "strangers_answer": ("wrong_order", {}),
            "unclear_charged": ("system_error", {"charged": True}),
            "unclear_not_charged": ("system_error", {"charged": False}),
            "at_work": ("userpaying", {"ms": 1000}),
        }
    )

    def __init__(self, emulator):
        self.emulator = emulator
        self.payment = emulator.channel()
        self.new_ask = new_ask

    def end_day(self):
        """Change nothing: a refund is the same on every day."""


NETWORK = {"nexo": Nexo, "mis": Mis}


class WechatShown(Wechat):
    """WeChat Pay by codes that are shown."""

    calls = MappingProxyType({"take": "native", "reverse": "close", "refund": "refund"})

    def __init__(self, emulator):
        self.emulator = emulator
        self.payment = emulator.showing()
        self.new_ask = new_shown_ask


class Alipay(Wechat):
    """Alipay and its emulator."""

    kinds = MappingProxyType({"pay": "taken", "cancel": "given back", "refund": "given back"})
    calls = MappingProxyType({"take": "pay", "reverse": "cancel", "refund": "refund"})
    faults = MappingProxyType(
        {
            **Wechat.faults,
            "declined": ("declined", {}),
            ("refund", "declined"): ("declined", {"code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"}),
            "strangers_answer": ("previous_answer", {}),
        }
    )

    def __init__(self, emulator):
        super().__init__(emulator)
        self.new_ask = new_alipay_ask
        # Whoever asks first has heard nothing of another's.
        self.payment.query(new_alipay_ask())


class AlipayShown(Alipay):
    """Alipay by codes that are shown."""

    calls = MappingProxyType({"take": "show", "reverse": "cancel", "refund": "refund"})

    def __init__(self, emulator):
        super().__init__(emulator)
        self.payment = emulator.showing()
        self.new_ask = new_alipay_shown_ask


class UnionPay:
    """UnionPay QR and its emulator."""

    kinds = Wechat.kinds
    calls = MappingProxyType({"take": "pay", "reverse": "reverse", "refund": "refund"})
    faults = MappingProxyType(
        {
            **Wechat.faults,
            "declined": ("declined", {"code": "64"}),
            "unclear_charged": ("unclear_code", {"charged": True}),
            "unclear_not_charged": ("unclear_code", {"charged": False}),
        }
    )

    def __init__(self, emulator):
        self.emulator = emulator
        self.payment = emulator.channel()
        self.new_ask = new_unionpay_ask

    def end_day(self):
        """Close the settlement day: nothing is reversed after it."""
        self.emulator.settle()


class UnionPayShown(UnionPay):
    """UnionPay QR by codes that are shown."""

    calls = MappingProxyType({"take": "show", "reverse": "reverse", "refund": "refund"})

    def __init__(self, emulator):
        self.emulator = emulator
        self.payment = emulator.showing()
        self.new_ask = new_unionpay_shown_ask


class Side:
    """One link as the contract sees it."""

    def __init__(self, side):
        self._side = side
        self.payment = side.payment
        self.end_day = side.end_day
        self.new_ask = getattr(side, "new_ask", new_ask)
        self.says_at_once = not isinstance(side, UnionPay)
        self.undoes_unknown = not isinstance(side, Alipay | UnionPay)
        self.knows_unscanned = not isinstance(side, AlipayShown)

    def scan(self, code):
        return self._side.emulator.scan(code)

    def arm(self, call, fault):
        faults = self._side.faults
        name, options = faults.get((call, fault)) or faults[fault]
        self._side.emulator.fault(name, on=self._side.calls[call], **options)

    def moved(self, pay_ref):
        moved = getattr(self._side, "moved", self._side.emulator.moved)
        return [(self._side.kinds[kind], fen) for kind, fen in moved(pay_ref)]

    def cannot_tell(self, fault):
        return frozenset(getattr(self._side, "silent", {}).get(fault, ()))


@pytest.fixture(scope="module")
def terminals(tmp_path_factory):
    """Return the emulated terminal that writes in a certain way, started when it is first asked for."""
    with ExitStack() as running:

        @cache
        def start(kind):
            folder = tmp_path_factory.mktemp(kind)
            link = {} if kind in PROFILE_FILES else {"link": "127.0.0.1:0"}
            return running.enter_context(EmulatedTerminal.start(folder, work_ms=0, kind=kind, **link))

        yield start


@pytest.fixture(params=[*PROFILE_FILES, *NETWORK, "wechat", "alipay", "unionpay"])
def side(request):
    if request.param in PROFILE_FILES:
        emulator = request.getfixturevalue("terminals")(request.param)
        emulator.clear_faults()
        return Side(Card(emulator, request.param))
    if request.param in NETWORK:
        emulator = request.getfixturevalue("terminals")(request.param)
        emulator.clear_faults()
        return Side(NETWORK[request.param](emulator))
    if request.param == "alipay":
        return Side(Alipay(request.getfixturevalue("alipay")))
    if request.param == "unionpay":
        return Side(UnionPay(request.getfixturevalue("unionpay")))
    return Side(Wechat(request.getfixturevalue("wechat")))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
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


@pytest.fixture(params=["wechat", "alipay", "unionpay"])
def shown_side(request):
    if request.param == "alipay":
        return Side(AlipayShown(request.getfixturevalue("alipay")))
    if request.param == "unionpay":
        return Side(UnionPayShown(request.getfixturevalue("unionpay")))
    return Side(WechatShown(request.getfixturevalue("wechat")))


@pytest.mark.parametrize("scenario", SHOWN, ids=lambda one: one.name)
def test_a_code_that_is_shown_is_paid_once_or_never_can_be(scenario, shown_side):
    check_shown(scenario, shown_side)


@pytest.mark.parametrize("reversal", REVERSALS, ids=lambda one: one.name)
def test_a_disturbed_close_is_repeated_until_nobody_can_pay(reversal, shown_side):
    check_close(reversal, shown_side)
