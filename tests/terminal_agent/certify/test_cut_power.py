"""Who asks what became of a payment waits when it may still be on its way, and only then."""

from contextlib import suppress

import pytest

from terminal_agent.certify.our_end import OurEnd, PowerCut
from terminal_agent.system import SystemClock

# Head and body of a payment, and a question at once, as where it was told "still at work".
HEAD, BODY, QUERY = b"pay", b"much", b"ask?"


def send(end, data):
    end.send(data, lambda _data: None, lambda: None)


def pay_and_ask(end):
    send(end, HEAD)
    send(end, BODY)
    end.heard(frozenset({"pay"}), b"still at work")
    send(end, QUERY)
    end.heard(frozenset({"query"}), b"still at work")


@pytest.mark.parametrize("at", range(len(HEAD + BODY + QUERY) + 1))
def test_it_may_be_on_its_way_after_its_last_byte_until_it_is_answered(at):
    end = OurEnd(SystemClock())
    end.cut_after(at)
    with suppress(PowerCut):
        pay_and_ask(end)
    # Where a request ends is not known here, so its head's end counts as well.
    assert end.left_whole == (at in (len(HEAD), len(HEAD + BODY), len(HEAD + BODY + QUERY)))


def test_what_left_before_the_count_began_does_not_count():
    end = OurEnd(SystemClock())
    end.cut_after(len(HEAD))
    with suppress(PowerCut):
        pay_and_ask(end)
    assert end.left_whole
    end.cut_after(1)
    assert not end.left_whole
