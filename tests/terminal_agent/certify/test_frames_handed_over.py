"""A watched terminal that hands its frames over a serial line keeps its promises, whatever goes wrong there.

What only our own end can do, on both sides of us; what an acquirer can do, `test_every_link.py` runs.
"""

import os
from contextlib import ExitStack
from functools import cache

import pytest
from watched_sides import new_sides

from terminal_agent.certify import counterparts
from terminal_agent.certify.plan import Means, Trial, trials_of

FEN = 85_000
EVERY_BYTE = "EVERY_BYTE" in os.environ
ALL = trials_of(counterparts.HAND_OVER, Means(our_end=True, control=True, every_byte=EVERY_BYTE))
BY_EMULATOR = trials_of(counterparts.HAND_OVER, Means(our_end=False, control=True))
ELSEWHERE = {one.name for one in BY_EMULATOR if not one.does_not_apply}
HERE = [one for one in ALL if "our own end" in one.done and one.name not in ELSEWHERE]
WAITED_FOR = "charging: the answer is lost once behind us"  # by a terminal that waits longer than the others


def kind_for(trial: Trial) -> str:
    if trial.name == WAITED_FOR:
        return "relay/serial/patient"
    return "relay/serial/brisk" if trial.name.startswith("power cut ") else "relay/serial"


@pytest.fixture(scope="module")
def new_side(tmp_path_factory):
    with ExitStack() as running:

        @cache
        def start(kind):
            folder = tmp_path_factory.mktemp(kind.replace("/", "-"))
            return running.enter_context(new_sides(kind, folder, FEN))

        yield lambda kind: start(kind)()


@pytest.mark.parametrize("trial", HERE, ids=[one.name for one in HERE])
def test_it_keeps_its_promise(trial: Trial, new_side):
    side = new_side(kind_for(trial))
    trial.run(side)
    assert any(seen.startswith("their books: ") for seen in side.seen)


def test_what_strikes_a_line_that_is_called_strikes_this_one_too_or_says_why_not():
    where_it_calls = trials_of(counterparts.RELAY, Means(our_end=True, control=True))
    named = {one.name for one in ALL}
    renamed = {one.name for one in where_it_calls} - named
    assert all("when the terminal has hung up" in one for one in renamed)
    assert [one.name for one in ALL if one.does_not_apply] == [
        "charging: the request is encrypted",
        "charged: encrypted, and then in clear",
    ]


def test_every_byte_of_the_acknowledgement_the_frame_and_the_answer_can_be_cut():
    assert len([one for one in ALL if one.name.startswith("power cut while ")]) == 4
