"""A terminal that is only watched keeps its promises when its line, its watcher and our power fail.

What only our own end can do, on both sides of the relay; what an acquirer can do, `test_every_link.py` runs.
"""

import pytest
from watched_sides import new_sides

from terminal_agent.certify import counterparts
from terminal_agent.certify.plan import Means, Trial, trials_of

FEN = 85_000
ALL = trials_of(counterparts.RELAY, Means(our_end=True, control=True))
AT_OUR_END = [one for one in ALL if "our own end" in one.done]
BY_EMULATOR = trials_of(counterparts.RELAY, Means(our_end=False, control=True))
ELSEWHERE = {one.name for one in BY_EMULATOR if not one.does_not_apply}
HERE = [one for one in AT_OUR_END if one.name not in ELSEWHERE]


@pytest.fixture(scope="module")
def new_side(tmp_path_factory):
    with new_sides("relay", tmp_path_factory.mktemp("relay"), FEN) as new_side:
        yield new_side


@pytest.mark.parametrize("trial", HERE, ids=[one.name for one in HERE])
def test_it_keeps_its_promise(trial: Trial, new_side):
    side = new_side()
    trial.run(side)
    assert any(seen.startswith("their books: ") for seen in side.seen)


def test_no_reversal_overtakes_the_void_that_it_undoes_at_an_acquirer_that_takes_its_time(new_side):
    (pulled,) = [one for one in HERE if one.name == "voiding: the terminal's cable is pulled after it"]
    side = new_side()
    side._control.arm("late_request", "void", {"ms": 150, "times": 2})
    pulled.run(side)


def test_each_step_is_struck_on_both_sides_of_us_and_in_both_directions():
    for step in ("charging: ", "voiding: ", "giving back: ", "reversing: "):
        names = [one.name.removeprefix(step) for one in AT_OUR_END if one.name.startswith(step)]
        assert len(names) >= 17
        for where in ("lost before us", "lost behind us", "torn off before us", "torn off behind us"):
            assert any("answer" in name and where in name for name in names)
        assert any("answer" not in name and "lost before us" in name for name in names)
        assert any(name.endswith("is lost") for name in names)


def test_without_an_emulator_only_what_the_acquirer_must_do_is_not_tried():
    by_people = trials_of(counterparts.RELAY, Means(our_end=True, control=False))
    assert len([one for one in by_people if not (one.not_tried or one.does_not_apply)]) >= 40
    assert {one.done for one in by_people if one.not_tried} <= {
        "made by the emulator",
        "nothing is disturbed",
    }
