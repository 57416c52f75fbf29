"""A supervisor's PIN: hashed slowly, tried five times, counted where no restart forgets it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from quiet_till import PIN, PIN_HASH, SUPERVISOR
from return_desk import ReturnDesk

from terminal_agent import system
from terminal_agent.checkout import supervisor
from terminal_agent.checkout.ports import Secret
from terminal_agent.checkout.supervisor import (
    PinWrong,
    SupervisorLocked,
    Supervisors,
    hash_of,
    problem_of_hash,
)

MINUTE_MS = 60_000
RIGHT, WRONG = Secret(PIN), Secret("135790")


@pytest.fixture
def desk(tmp_path):
    desk = ReturnDesk(tmp_path)
    yield desk
    desk.connection.close()


def supervisors(desk):
    return Supervisors({SUPERVISOR: PIN_HASH}, desk.real_journal, system.new_lock())


def left_after(asked, name=SUPERVISOR, pin=WRONG):
    """Return how many tries are left after one, "locked", or "right"."""
    try:
        asked.check(name, pin)
    except PinWrong as wrong:
        return wrong.tries_left
    except SupervisorLocked:
        return "locked"
    return "right"


@pytest.fixture
def fast(monkeypatch):
    """Compare PINs at once: these tests are about counting."""
    monkeypatch.setattr(supervisor, "_fits", lambda _known, pin: pin.reveal() == PIN)


@pytest.mark.usefixtures("fast")
class TestCounting:
    def test_the_right_pin_passes(self, desk):
        assert left_after(supervisors(desk), pin=RIGHT) == "right"

    @pytest.mark.parametrize("name", [SUPERVISOR, "nobody"])
    def test_five_wrong_ones_lock_whoever_it_is(self, desk, name):
        asked = supervisors(desk)
        assert [left_after(asked, name) for _ in range(7)] == [4, 3, 2, 1, 0, "locked", "locked"]

    def test_a_locked_supervisor_does_not_pass_with_the_right_pin(self, desk):
        asked = supervisors(desk)
        for _ in range(5):
            left_after(asked)
        assert left_after(asked, pin=RIGHT) == "locked"

    def test_the_fifth_try_may_be_right(self, desk):
        asked = supervisors(desk)
        for _ in range(4):
            left_after(asked)
        assert left_after(asked, pin=RIGHT) == "right"
        assert left_after(asked) == 4

    def test_another_supervisor_is_not_locked_with_one(self, desk):
        asked = Supervisors({SUPERVISOR: PIN_HASH, "other": PIN_HASH}, desk.real_journal, system.new_lock())
        for _ in range(6):
            left_after(asked)
        assert left_after(asked, "other", RIGHT) == "right"

    def test_a_lock_lasts_15_minutes(self, desk):
        asked = supervisors(desk)
        for _ in range(5):
            left_after(asked)
        desk.clock.wall += 15 * MINUTE_MS - 1
        assert left_after(asked, pin=RIGHT) == "locked"
        desk.clock.wall += 1
        assert [left_after(asked) for _ in range(6)] == [4, 3, 2, 1, 0, "locked"]

    def test_restarts_forget_no_try(self, desk):
        seen = []
        for _ in range(7):
            seen.append(left_after(supervisors(desk)))
            desk.restart()
        assert seen == [4, 3, 2, 1, 0, "locked", "locked"]

    def test_a_clock_set_back_does_not_lock_for_years(self, desk):
        asked = supervisors(desk)
        for _ in range(5):
            left_after(asked)
        desk.clock.wall -= 1000 * 24 * 60 * MINUTE_MS
        assert left_after(asked, pin=RIGHT) == "locked"
        desk.clock.wall += 15 * MINUTE_MS
        assert left_after(asked, pin=RIGHT) == "right"

    def test_many_at_once_are_counted_one_by_one(self, desk):
        asked = supervisors(desk)
        with ThreadPoolExecutor(20) as crowd:
            seen = list(crowd.map(lambda _: left_after(asked), range(40)))
        assert sorted(map(str, seen)) == sorted([*"43210", *["locked"] * 35])

    def test_the_pin_stands_nowhere(self, desk, tmp_path):
        left_after(supervisors(desk), pin=RIGHT)
        left_after(supervisors(desk))
        for file in tmp_path.iterdir():
            assert PIN.encode() not in file.read_bytes()
            assert b"135790" not in file.read_bytes()


def test_a_try_that_is_cut_off_has_been_had(desk, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisor, "_fits", cut)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            supervisors(desk).check(SUPERVISOR, RIGHT)
    assert left_after(supervisors(desk), pin=RIGHT) == "locked"


def test_one_pin_is_looked_at_at_a_time(desk, monkeypatch):
    """Each takes 32 MiB: a crowd of them would take the host's memory."""
    inside, most, lock = [0], [0], threading.Lock()

    def slow(*_):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1
        return True

    monkeypatch.setattr(supervisor, "_fits", slow)
    asked = supervisors(desk)
    with ThreadPoolExecutor(10) as crowd:
        list(crowd.map(lambda _: left_after(asked, pin=RIGHT), range(20)))
    assert most == [1]


def test_the_real_hash_tells_right_from_wrong(desk):
    asked = supervisors(desk)
    assert [left_after(asked, pin=pin) for pin in (RIGHT, WRONG, Secret(""), Secret(PIN + " "))] == [
        "right",
        4,
        3,
        2,
    ]


def test_a_name_that_nobody_has_takes_as_long(desk):
    asked = supervisors(desk)

    def seconds(name):
        began = time.monotonic()
        assert left_after(asked, name) in (4, 3, 2)
        return time.monotonic() - began

    known = min(seconds(SUPERVISOR) for _ in range(3))
    nobodys = min(seconds("nobody") for _ in range(3))
    assert 0.5 < known / nobodys < 2


def test_without_any_supervisor_nobody_passes(desk):
    assert left_after(Supervisors({}, desk.real_journal, system.new_lock()), pin=RIGHT) == 4


def test_equal_pins_have_different_hashes_and_none_shows_the_pin():
    one, other = (hash_of(RIGHT, system.random_bytes) for _ in range(2))
    assert one != other
    assert PIN not in one + other
    assert (problem_of_hash(one), problem_of_hash(other)) == (None, None)


@pytest.mark.parametrize(
    "pin", ["", "123", "1" * 13, "12a4", "１２３４", "12 34", "0000", "999999", "1234\n"]
)
def test_what_is_no_pin_is_not_hashed(pin):
    with pytest.raises(ValueError, match="PIN"):
        hash_of(Secret(pin), system.random_bytes)


SALT, TAG = "AAECAwQFBgcICQoLDA0ODw", "ZHPY6xi+zg36jNesuL+YBq2n7qxNOrQY9SoqB6R2oG0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not an argon2id hash"),
        ("246813", "not an argon2id hash"),
        (f"$argon2i$v=19$m=32768,t=4,p=1${SALT}${TAG}", "not an argon2id hash"),
        (f"$argon2id$v=16$m=32768,t=4,p=1${SALT}${TAG}", "not an argon2id hash"),
        (f"$argon2id$v=19$m=032768,t=4,p=1${SALT}${TAG}", "not an argon2id hash"),
        (f"$argon2id$v=19$m=32768,t=4,p=1${SALT}${TAG}\n", "not an argon2id hash"),
        (f"$argon2id$v=19$m=32768,t=4,p=1${SALT[:-4]}${TAG}", "not an argon2id hash"),
        (f"$argon2id$v=19$m=32768,t=4,p=1${SALT}${TAG[:-2]}", "not an argon2id hash"),
        (f"$argon2id$v=19$m=32768,t=4,p=1${SALT}${TAG[:-1]}1", "cut or mistyped"),
        (f"$argon2id$v=19$m=4194304,t=4,p=1${SALT}${TAG}", "costs this host too much"),
        (f"$argon2id$v=19$m=32768,t=99,p=1${SALT}${TAG}", "costs this host too much"),
        (f"$argon2id$v=19$m=1024,t=1,p=1${SALT}${TAG}", "guessed too fast"),
        (PIN_HASH, None),
    ],
)
def test_a_hash_is_taken_only_when_it_is_whole_slow_and_bearable(text, problem):
    found = problem_of_hash(text)
    assert found is None if problem is None else problem in found
