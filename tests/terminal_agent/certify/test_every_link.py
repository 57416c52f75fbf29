"""All links that take money keep the same promises, whichever side shows the code.

The scenarios are the shipped ones; here every fault is made by the emulator, on the wiring that the agent
uses. What is made at our own end, `test_command_judges.py` runs.
"""

import secrets
import threading
from contextlib import ExitStack
from functools import cache, partial

import pytest
from links_to_certify import DIRECT_VARIANTS, KINDS, to_certify
from wechat import RealClock

from terminal_agent.certify import counterparts, hand_frames_over, scenarios
from terminal_agent.certify.at_the_terminal import EmulatedKeypad
from terminal_agent.certify.bad_moments import MOMENTS
from terminal_agent.certify.control import Control
from terminal_agent.certify.link_side import LinkSide
from terminal_agent.certify.links import links_of
from terminal_agent.certify.people import MadeUp
from terminal_agent.certify.plan import WHERE_IT_CALLS, Means, trials_of
from terminal_agent.checkout.ports import Listening
from terminal_agent.config import read_config

FEN = 85_000
ROWS = {
    **dict.fromkeys(("allinpay", "separated", "separated_7f"), counterparts.SERIAL),
    "nexo": counterparts.NEXO,
    "mis": counterparts.MIS,
    "direct": counterparts.DIRECT,
    "relay": counterparts.RELAY,
    "relay/serial": counterparts.HAND_OVER,
    "wechat": counterparts.WECHAT,
    "wechat/shown": counterparts.WECHAT_SHOWN,
    "alipay": counterparts.ALIPAY,
    "alipay/shown": counterparts.ALIPAY_SHOWN,
    "unionpay": counterparts.UNIONPAY,
    "unionpay/shown": counterparts.UNIONPAY_SHOWN,
}
ROWS |= dict.fromkeys(DIRECT_VARIANTS, counterparts.DIRECT)
OF_VARIANTS = (
    "paying: nothing goes wrong",
    "paying: the answer is lost",
    "paying: the answer's signature is wrong",
    "undoing: its answer is broken",
    "giving back, same day: its answer is lost",
    "giving back, day ended: nothing goes wrong",
)
"""Where keys and MACs matter."""

BY_EMULATOR = Means(our_end=False, control=True)
CASES = [
    pytest.param(kind, trial, id=f"{kind}: {trial.name}")
    for kind in KINDS
    for trial in trials_of(ROWS[kind], BY_EMULATOR)
    if not trial.does_not_apply
]
CASES += [
    pytest.param(kind, trial, id=f"{kind}: {trial.name}")
    for kind in DIRECT_VARIANTS
    for trial in trials_of(ROWS[kind], BY_EMULATOR)
    if trial.name in OF_VARIANTS
]


@pytest.fixture(scope="module")
def link_of(tmp_path_factory):
    """Return what makes a link anew beside its emulator, which is started when it is first asked for."""
    with ExitStack() as running:

        @cache
        def start(kind):
            folder = tmp_path_factory.mktemp(kind.replace("/", "-"))
            given = running.enter_context(to_certify(kind, folder))
            config = read_config(given.config)
            link = links_of(config)[given.link]
            opened = partial(payment_of, config, link)
            if not given.terminal:
                return link, opened, Control(given.control), None
            # Its line is the terminal's only one, so it is opened once.
            watched = (link.line, EmulatedKeypad(Control(given.terminal)))
            return link, cache(opened), Control(given.control), watched

        yield start


def payment_of(config, link):
    """Return the link as the agent opens it; what listens from its start on does."""
    wallet, _, shown = link.name.partition("/")
    if link.name in config.terminals:
        payment = config.terminals[link.name].payment(RealClock())
        if isinstance(payment, Listening):
            for work in payment.workers(link.name, link.line.tell, lambda *_, **__: None).values():
                threading.Thread(target=work, daemon=True).start()
        return payment
    (channel,) = (one for name, one in config.channels.items() if name.value == wallet)
    open_it = channel.showing if shown else channel.payment
    return open_it(RealClock(), secrets.token_bytes)


@pytest.mark.parametrize(("kind", "trial"), CASES)
def test_a_link_keeps_its_promise(kind, trial, link_of):
    link, opened, control, watched = link_of(kind)
    assert link.counterpart is ROWS[kind]
    control.clear()
    side = LinkSide(
        link.counterpart,
        opened,
        RealClock(),
        secrets.token_bytes,
        MadeUp(link.counterpart, control, secrets.token_bytes),
        fen=FEN,
        control=control,
        settles=dict(link.settles),
        watched=watched,
    )

    trial.run(side)

    assert side.seen


def test_what_variants_are_tried_in_is_there():
    assert set(OF_VARIANTS) <= {one.name for one in trials_of(counterparts.DIRECT, BY_EMULATOR)}


def test_everything_that_an_emulator_can_be_told_is_tried_or_said_not_to_apply():
    for kind in KINDS:
        names = [one.name for one in trials_of(ROWS[kind], BY_EMULATOR)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", KINDS)
def test_every_link_has_at_least_forty_scenarios_that_apply_to_it(kind):
    for our_end in (False, True):
        trials = trials_of(ROWS[kind], Means(our_end=our_end, control=True))
        applied = [one for one in trials if not one.does_not_apply]
        assert len(applied) >= 40
        assert not any(one.not_tried for one in applied)


def test_no_two_scenarios_of_one_step_try_the_same():
    steps = [
        scenarios.SCENARIOS,
        scenarios.SHOWN,
        scenarios.QUESTIONS,
        scenarios.REVERSALS,
        scenarios.REFUNDS,
        *WHERE_IT_CALLS[:4],
        *hand_frames_over.SCENARIOS[:4],
    ]
    for step in steps:
        assert len({one.fault for one in step}) == len(step)
    for all_moments in (MOMENTS, WHERE_IT_CALLS.moments, hand_frames_over.SCENARIOS.moments):
        moments = {(getattr(one.check, "func", one.check), one.fault) for one in all_moments}
        assert len(moments) == len(all_moments)
