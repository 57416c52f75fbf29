"""Who puts something into a bounded box never waits; who takes it out knows what is missing, and where."""

import threading
import time

from terminal_agent.system import BoundedBox


def all_of(box):
    return list(iter(lambda: box.take(0), None))


def test_what_fits_comes_out_in_order():
    box = BoundedBox(10, "lost")
    for word in ("a", "b", "c"):
        box.put(word, 3)
    assert all_of(box) == ["a", "b", "c"]


def test_what_does_not_fit_is_one_gap_in_its_place():
    box = BoundedBox(4, "lost")
    for word in ("a", "b", "c", "d"):
        box.put(word, 2)
    assert box.take(0) == "a"
    box.put("e", 2)
    assert all_of(box) == ["b", "lost", "e"]


def test_what_has_no_size_always_fits():
    box = BoundedBox(1, "lost")
    box.put("a", 2)
    box.put("question")
    box.put("b", 2)
    assert all_of(box) == ["lost", "question"]
    box.put("c", 1)
    assert all_of(box) == ["c"]


def test_after_a_gap_was_taken_the_next_gap_is_told_again():
    box = BoundedBox(2, "lost")
    for _ in range(2):
        box.put("a", 2)
        box.put("b", 2)
        assert all_of(box) == ["a", "lost"]


def test_taking_waits_for_what_comes():
    box = BoundedBox(2, "lost")
    threading.Timer(0.05, box.put, ("a", 1)).start()
    begun = time.monotonic()
    assert box.take(5) == "a"
    assert time.monotonic() - begun < 2
    assert box.take(0.01) is None
