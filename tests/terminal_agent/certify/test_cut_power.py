"""A payment that has left whole is on its way, also when the power fails at a request that follows it."""

from types import SimpleNamespace

from terminal_agent.certify import cut_power
from terminal_agent.certify.our_end import OurEnd, PowerCut
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.system import SystemClock

PAY, QUERY = b"pay", b"ask?"


def hands(end):
    """Return a link in our hands that pays and asks at once, as one does that is told "still at work"."""

    def take(_ask):
        for request in (PAY, QUERY):
            end.send(request, lambda _data: None, lambda: None)
            end.heard(frozenset({"pay"}), b"answer")
        return Answer(Say.PENDING)

    return SimpleNamespace(
        payment=SimpleNamespace(take=take),
        cut_after=end.cut_after,
        sent=lambda: end.sent,
        asked=lambda: end.asked,
    )


def test_what_is_known_of_none_is_waited_for_once_the_payment_has_left_whole(monkeypatch):
    waited = []
    monkeypatch.setattr(cut_power, "prepared", lambda _side: None)
    monkeypatch.setattr(
        cut_power, "_settle", lambda side, _ask, *, left_whole: waited.append((side.sent(), left_whole))
    )
    cut_power.check_cut_payment(hands(OurEnd(SystemClock())), cut_power.every_byte)
    measured, *cut = waited
    whole = len(PAY) + len(QUERY)
    assert measured == (whole, True)
    assert cut == [(at, at >= len(PAY)) for at in range(whole + 1)]


def test_the_count_of_what_was_asked_begins_anew_with_each_cut():
    end = OurEnd(SystemClock())
    side = hands(end)
    side.payment.take(None)
    assert side.asked() == len(PAY)
    side.cut_after(1)
    assert side.asked() is None
    try:
        side.payment.take(None)
    except PowerCut:
        assert end.sent == 1
    else:
        raise AssertionError("the power did not fail")
